"""The devices and workers of the lab as they are now, as values that `jobs.matching` decides by."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Count, Q

from devices.models import Device, DeviceQuerySet, Worker, WorkerQuerySet
from devices.states import DeviceState
from jobs.matching import AtWork, Idle, Workers
from jobs.models import Job


def idle() -> list[Idle]:
    """Those that a job could begin on, or a person hold."""
    return _values(Device.objects.reservable())


def at_work() -> AtWork:
    """Those that are idle or come free by themselves, on workers that are there."""
    return AtWork(devices=_values(Device.objects.at_work()), limits=_limits(Worker.objects.usable()))


def in_service(types: Collection[str]) -> AtWork:
    """Those of these types that somebody could put to work, whatever they do now."""
    devices = Device.objects.in_service().filter(device_type__in=types)
    return AtWork(devices=_values(devices), limits=_limits(Worker.objects.all()) | {None: None})


def workers() -> Workers:
    """Those that are there. A device that a person holds costs its worker nothing."""
    in_use = ~Q(devices__state=DeviceState.IDLE) & ~Q(devices__in=Job.objects.held().values("device"))
    busy = Count("devices", filter=in_use)
    found = Worker.objects.usable().annotate(busy=busy).values_list("name", "job_limit", "busy")
    return Workers(
        limits={name: limit or None for name, limit, _ in found},
        room={name: max(limit - used, 0) if limit else None for name, limit, used in found},
    )


def _values(devices: DeviceQuerySet) -> list[Idle]:
    return [
        Idle(
            name=device.name,
            device_type=device.device_type_id,
            tags=frozenset(tag.name for tag in device.tags.all()),
            worker=device.worker_id,
            last_used=device.last_used,
        )
        for device in devices.prefetch_related("tags")
    ]


def _limits(workers: WorkerQuerySet) -> dict[str | None, int | None]:
    return {name: limit or None for name, limit in workers.values_list("name", "job_limit")}
