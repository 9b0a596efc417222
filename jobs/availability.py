"""What each device type has to offer now: for whoever chooses one for a job."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count

from accounts.rights import Anyone
from devices.models import Device, DeviceType
from devices.states import DeviceState
from events.announced import AnnouncedQuerySet
from jobs.models import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    device_type: DeviceType
    devices: int  # in service
    free: int
    busy: int
    queued: int

    @property
    def out(self) -> int:
        """In service, and neither free nor busy: somebody has to look."""
        return self.devices - self.free - self.busy


def for_jobs_of(user: Anyone) -> list[Availability]:
    """Of the types that are shown in lists and run jobs of this user."""
    types = DeviceType.objects.open_to(user).filter(display=True)
    devices = Device.objects.open_to(user).in_service()
    busy = devices.filter(state__in=(DeviceState.RESERVED, DeviceState.RUNNING))
    waiting = Job.objects.visible_to(user).due()
    counts = [_by_type(rows) for rows in (devices, devices.idle(), busy, waiting)]
    return [_of(device_type, counts) for device_type in types]


def _of(device_type: DeviceType, counts: list[Counter[str]]) -> Availability:
    devices, free, busy, queued = (count[device_type.pk] for count in counts)
    return Availability(device_type=device_type, devices=devices, free=free, busy=busy, queued=queued)


def _by_type(rows: AnnouncedQuerySet) -> Counter[str]:
    return Counter(dict(rows.order_by().values_list("device_type").annotate(Count("pk"))))
