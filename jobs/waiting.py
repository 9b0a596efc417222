"""Why a queued job waits, told from the lab as it is now. The deciding is `jobs.matching.why`."""

from __future__ import annotations

from collections.abc import Sequence

from devices.models import Device
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from jobs.matching import Candidate, Reason, Standing, Waiting, why
from jobs.models import Job
from jobs.open_devices import OpenDevices


def reason(job: Job) -> Reason:
    return reasons([job])[job.pk]


def reasons(jobs: Sequence[Job]) -> dict[int, Reason]:
    """Of several jobs, by their ids: the devices are asked for once."""
    types = {job.device_type_id for job in jobs}
    devices = Device.objects.in_service().filter(device_type__in=types)
    candidates = [_candidate(device) for device in devices.select_related("worker").prefetch_related("tags")]
    open_devices = OpenDevices()
    return {job.pk: why(_waiting(job, open_devices), candidates) for job in jobs}


def _waiting(job: Job, open_devices: OpenDevices) -> Waiting:
    return Waiting(
        id=job.pk,
        device_type=job.device_type_id,
        tags=frozenset(tag.name for tag in job.tags.all()),
        priority=job.priority,
        submitted=job.submit_time,
        allowed=open_devices.of(job.submitter_id),
    )


def _candidate(device: Device) -> Candidate:
    return Candidate(
        name=device.name,
        device_type=device.device_type_id,
        tags=frozenset(tag.name for tag in device.tags.all()),
        standing=_standing(device),
    )


def _standing(device: Device) -> Standing:
    """What keeps it longest comes first: its health, then its worker, then a job."""
    worker = device.worker
    match device.health:
        case DeviceHealth.MAINTENANCE:
            return Standing.MAINTENANCE
        case DeviceHealth.BAD:
            return Standing.BAD
        case DeviceHealth.LOOPING:
            return Standing.LOOPING
    if worker is None or worker.state == WorkerState.OFFLINE:
        return Standing.OFFLINE
    if device.is_closed:
        return Standing.CLOSED
    if device.state != DeviceState.IDLE:
        return Standing.BUSY
    return Standing.IDLE if worker.health == WorkerHealth.ACTIVE else Standing.FULL
