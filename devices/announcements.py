"""What the world hears of devices and workers: the receivers of their saves, and the payloads.

A payload has the keys of LAVA 2023.01 and those of LAVA 2017, so that listeners of both find theirs.
"""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete

from devices.lifecycle import StillInUse
from devices.models import Device, HealthChange, Right, Worker
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from events import outbox

# LAVA 2017's words, by today's.
OLD_HEALTH = {
    DeviceHealth.GOOD: "Pass",
    DeviceHealth.UNKNOWN: "Unknown",
    DeviceHealth.LOOPING: "Looping",
    DeviceHealth.BAD: "Fail",
    DeviceHealth.MAINTENANCE: "Unknown",
    DeviceHealth.RETIRED: "Unknown",
}


def connect() -> None:
    """Called once, when the application is ready."""
    post_save.connect(_device_saved, sender=Device, dispatch_uid="announce-device")
    post_save.connect(_worker_saved, sender=Worker, dispatch_uid="announce-worker")
    pre_delete.connect(_before_deleting, sender=Device, dispatch_uid="keep-busy-device")
    post_delete.connect(_device_deleted, sender=Device, dispatch_uid="announce-device-deleted")
    post_delete.connect(_worker_deleted, sender=Worker, dispatch_uid="announce-worker-deleted")


def device_payload(device: Device) -> dict[str, Any]:
    return device_at_work(device, device.job_number())


def device_at_work(device: Device, job: int | str | None) -> dict[str, Any]:
    """The payload for who knows already which job has it. Asks nothing of the database."""
    state, health = DeviceState(device.state), DeviceHealth(device.health)
    payload: dict[str, Any] = {
        "device": device.name,
        "device_type": device.device_type_id,
        "worker": device.worker_id,
        "state": state.label,
        "health": health.label,
        "status": _old_status(state, health),
        "health_status": OLD_HEALTH[health],
        "pipeline": True,
    }
    if job is not None:
        payload["job"] = job
    if device.closed_since is not None:
        payload["closed_since"] = device.closed_since.isoformat()
    return payload


def worker_payload(worker: Worker) -> dict[str, Any]:
    return {
        "hostname": worker.name,
        "state": WorkerState(worker.state).label,
        "health": WorkerHealth(worker.health).label,
    }


def _old_status(state: DeviceState, health: DeviceHealth) -> str:
    if health == DeviceHealth.RETIRED:
        return "Retired"
    if state != DeviceState.IDLE:
        return state.label
    return "Idle" if health in (DeviceHealth.GOOD, DeviceHealth.UNKNOWN) else "Offline"


def _device_saved(instance: Device, created: bool, raw: bool = False, **_: Any) -> None:
    if raw:
        return
    payload = device_payload(instance)
    if instance.before is not None:
        payload["previous_state"] = DeviceState(instance.before["state"]).label
        payload["previous_health"] = DeviceHealth(instance.before["health"]).label
    if created or {"health", "health_reason"} & set(instance.changed_fields()):
        _write_history(instance)
    _announce("device", instance, created=created, payload=payload)


def _write_history(device: Device) -> None:
    before = device.before or {}
    HealthChange.objects.add(
        device,
        device.health_since,
        previous=before.get("health"),
        health=device.health,
        reason=device.health_reason,
        by=device.health_by,
    )


def _worker_saved(instance: Worker, created: bool, raw: bool = False, **_: Any) -> None:
    if raw:
        return
    payload = worker_payload(instance)
    if instance.before is not None:
        payload["previous_state"] = WorkerState(instance.before["state"]).label
        payload["previous_health"] = WorkerHealth(instance.before["health"]).label
    _announce("worker", instance, created=created, payload=payload)


def _announce(kind: str, instance: Device | Worker, *, created: bool, payload: dict[str, Any]) -> None:
    for event in _events(kind, instance, created=created):
        if instance.cause.reason:
            payload = {**payload, "reason": instance.cause.reason}
        outbox.record(event, subject=instance.name, data=payload, cause=instance.cause)


def _events(kind: str, instance: Device | Worker, *, created: bool) -> tuple[str, ...]:
    if instance.happening:
        return instance.happening.events
    if created:
        return (f"{kind}.added",)
    return (f"{kind}.changed",) if instance.has_moved else ()


def _before_deleting(instance: Device, **_: Any) -> None:
    instance.was_restricted = instance.rights.filter(right=Right.VIEW).exists()
    if (job := instance.job_number()) is not None:
        raise StillInUse(f"{instance.name} runs job {job}; cancel the job first, then delete the device")
    if instance.is_closed:
        raise StillInUse(
            f"{instance.name} is closed, as something of job {instance.closed_by} may still run there; free it first"
        )


def _device_deleted(instance: Device, **_: Any) -> None:
    # With the row its rights go, too; who could not see it must not hear of its end.
    payload = device_payload(instance) | {"restricted": instance.was_restricted}
    outbox.record("device.deleted", subject=instance.name, data=payload, cause=instance.cause)


def _worker_deleted(instance: Worker, **_: Any) -> None:
    outbox.record(
        "worker.deleted", subject=instance.name, data=worker_payload(instance), cause=instance.cause
    )
