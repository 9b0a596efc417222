"""How soon a job for a type of device could run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median

from django.db.models import Count, ExpressionWrapper, F, fields
from django.utils import timezone

from accounts.rights import Anyone
from devices.models import Device, DeviceType
from devices.states import USABLE, DeviceHealth, DeviceState, WorkerHealth, WorkerState
from jobs.models import Job
from jobs.states import ON_A_DEVICE, Health, State

LAST_JOBS = 20  # whose durations tell how long the next one takes


class Standing(StrEnum):
    """What a device in service does for the queue. Each counts once: its health comes before its worker and its job."""

    FREE = "free"
    RESERVED = "reserved"
    BUSY = "busy"
    OFFLINE = "offline"
    MAINTENANCE = "maintenance"
    BAD = "bad"


AT_WORK = (Standing.FREE, Standing.RESERVED, Standing.BUSY)
OF_STATE = {
    DeviceState.IDLE: Standing.FREE,
    DeviceState.RESERVED: Standing.RESERVED,
    DeviceState.RUNNING: Standing.BUSY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    standings: Counter[Standing]  # of the devices in service that may be seen
    queued: int
    running: int
    expected_wait: float | None  # seconds

    @property
    def devices(self) -> int:
        return self.standings.total()


def of(device_type: DeviceType, user: Anyone) -> Capacity:
    """In a number of queries that does not grow with the lab."""
    standings = _standings(device_type, user)
    jobs = Job.objects.filter(device_type=device_type)
    queued = jobs.due().count()
    return Capacity(
        standings=standings,
        queued=queued,
        running=jobs.filter(state__in=ON_A_DEVICE).count(),
        expected_wait=expected_wait(
            free=standings[Standing.FREE],
            at_work=sum(standings[standing] for standing in AT_WORK),
            queued=queued,
            durations=last_durations(device_type),
            held=seconds_until(_held_until(device_type, user)),
        ),
    )


def expected_wait(
    *, free: int, at_work: int, queued: int, durations: Sequence[float], held: Sequence[float] = ()
) -> float | None:
    """Seconds that a job submitted now would wait, if jobs take as long as the last ones did. None: unknown.

    `held`: of the devices at work those that people hold, by the seconds until they are given back.
    """
    if free > queued:
        return 0.0
    if not at_work or not durations:
        return None
    took = max(median(durations), 0.001)
    now, begun, working = 0.0, 0.0, max(0, at_work - len(held))
    for end in sorted(held):
        meanwhile = working * (end - now) / took
        if begun + meanwhile >= queued + 1:
            break
        now, begun, working = end, begun + meanwhile + 1, working + 1
        if begun >= queued + 1:
            return now
    return now + took * (queued + 1 - begun) / working


def seconds_until(times: Iterable[datetime]) -> list[float]:
    now = timezone.now()
    return [max(0.0, (time - now).total_seconds()) for time in times]


def _held_until(device_type: DeviceType, user: Anyone) -> list[datetime]:
    """When people give back the devices of this type that may be seen and would run jobs."""
    visible = Device.objects.visible_to(user).filter(device_type=device_type, health__in=USABLE)
    of_jobs = visible.filter(worker__state=WorkerState.ONLINE, worker__health=WorkerHealth.ACTIVE)
    held = Job.objects.held().filter(device__in=of_jobs, deadline__isnull=False)
    return list(held.values_list("deadline", flat=True))


def standing(
    state: DeviceState,
    health: DeviceHealth,
    worker_state: WorkerState | None,
    worker_health: WorkerHealth | None,
) -> Standing:
    """`None`: it hangs on no worker."""
    if health == DeviceHealth.MAINTENANCE or worker_health == WorkerHealth.MAINTENANCE:
        return Standing.MAINTENANCE
    if health not in USABLE:
        return Standing.BAD
    if worker_state != WorkerState.ONLINE or worker_health != WorkerHealth.ACTIVE:
        return Standing.OFFLINE
    return OF_STATE[state]


def _standings(device_type: DeviceType, user: Anyone) -> Counter[Standing]:
    devices = Device.objects.visible_to(user).in_service().filter(device_type=device_type).order_by()
    rows = devices.values_list("state", "health", "worker__state", "worker__health").annotate(Count("pk"))
    found: Counter[Standing] = Counter()
    for state, health, worker_state, worker_health, count in rows:
        found[standing(state, health, worker_state, worker_health)] += count
    return found


def last_durations(device_type: DeviceType) -> list[float]:
    """Seconds that the last jobs of a type took."""
    duration = ExpressionWrapper(F("end_time") - F("start_time"), output_field=fields.DurationField())
    ended = Job.objects.for_workers().filter(
        device_type=device_type,
        state=State.FINISHED,
        health__in=(Health.COMPLETE, Health.INCOMPLETE),
        start_time__isnull=False,
    )
    last = ended.recent().annotate(took=duration).values_list("took", flat=True)[:LAST_JOBS]
    return [took.total_seconds() for took in last]
