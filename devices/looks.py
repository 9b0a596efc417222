"""How the states and healths of devices and workers look on a page."""

from __future__ import annotations

from core.looks import Look
from devices.models import Device, HealthChange, Worker
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState

HEALTH = {
    DeviceHealth.GOOD: Look(word="Good", icon="good", tone="good"),
    DeviceHealth.UNKNOWN: Look(word="Unknown", icon="unknown", tone="warn"),
    DeviceHealth.LOOPING: Look(word="Looping", icon="running", tone="busy"),
    DeviceHealth.BAD: Look(word="Bad", icon="bad", tone="bad"),
    DeviceHealth.MAINTENANCE: Look(word="Maintenance", icon="maintenance", tone="warn"),
    DeviceHealth.RETIRED: Look(word="Retired", icon="retired", tone="still"),
}
STATE = {
    DeviceState.IDLE: Look(word="Idle", icon="idle", tone="still"),
    DeviceState.RESERVED: Look(word="Reserved", icon="waiting", tone="busy"),
    DeviceState.RUNNING: Look(word="Running", icon="running", tone="busy", turning=True),
}
CLOSED = Look(word="Closed", icon="offline", tone="warn")
WORKER_STATE = {
    WorkerState.ONLINE: Look(word="Online", icon="good", tone="good"),
    WorkerState.OFFLINE: Look(word="Offline", icon="offline", tone="bad"),
}
WORKER_HEALTH = {
    WorkerHealth.ACTIVE: Look(word="Active", icon="good", tone="good"),
    WorkerHealth.MAINTENANCE: Look(word="Maintenance", icon="maintenance", tone="warn"),
    WorkerHealth.RETIRED: Look(word="Retired", icon="retired", tone="still"),
}
ONLINE = Look(word="Worker online", icon="good", tone="good")
OFFLINE = Look(word="Worker offline", icon="offline", tone="bad")
WORKER_MAINTENANCE = Look(word="Worker in maintenance", icon="maintenance", tone="warn")
WORKER_RETIRED = Look(word="Worker retired", icon="retired", tone="still")
NO_WORKER = Look(word="No worker", icon="offline", tone="warn")


def of_health(device: Device | HealthChange) -> Look:
    return HEALTH[DeviceHealth(device.health)]


def of_previous(change: HealthChange) -> Look | None:
    """None for the first line of a history."""
    return None if change.previous is None else HEALTH[DeviceHealth(change.previous)]


def of_state(device: Device) -> Look:
    return CLOSED if device.is_closed else STATE[DeviceState(device.state)]


def of_worker(worker: Worker | None) -> Look:
    """What matters most of a worker: that it was taken out, or whether it is there."""
    if worker is None:
        return NO_WORKER
    if worker.health == WorkerHealth.RETIRED:
        return WORKER_RETIRED
    if worker.health == WorkerHealth.MAINTENANCE:
        return WORKER_MAINTENANCE
    return ONLINE if worker.state == WorkerState.ONLINE else OFFLINE


def of_worker_state(worker: Worker) -> Look:
    return WORKER_STATE[WorkerState(worker.state)]


def of_worker_health(worker: Worker) -> Look:
    return WORKER_HEALTH[WorkerHealth(worker.health)]


def of_ailment(device: Device) -> Look:
    """What keeps a device from work: its health, or a worker that is not there."""
    return of_worker(device.worker) if device.is_usable else of_health(device)
