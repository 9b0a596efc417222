"""The devices of the lab as they are now, as values that `jobs.matching` decides by."""

from __future__ import annotations

from collections.abc import Collection

from devices.models import Device, DeviceQuerySet, Worker, WorkerQuerySet
from jobs.matching import AtWork, Idle


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
