"""Why a queued job waits, told from the lab as it is now. The deciding is `jobs.matching.why`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.db.models import Q

from core.times import in_utc
from devices.models import Device
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from jobs import capacity
from jobs.matching import Candidate, Cause, Reason, Standing, Waiting, why, why_group
from jobs.models import Job, JobQuerySet
from jobs.open_devices import OpenDevices
from jobs.states import Requeue


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a job in the queue has to expect."""

    reason: Reason
    place: int | None  # among those that wait for the same type; 1 is the next. None: it waits for a time
    queued: int  # how many these are
    wait: timedelta | None  # from now on, if jobs take as long as the last ones did; None: nobody knows

    @classmethod
    def of(cls, job: Job) -> Self:
        mates = Job.objects.queued().filter(group=job.group_id) if job.group_id else [job]
        found = reasons([*mates])
        queued = _queue(job).count()
        if job.is_put_off:
            return cls(reason=found[job.pk], place=None, queued=queued, wait=None)
        return cls(
            reason=found[job.pk],
            place=_place(job),
            queued=queued,
            wait=_longest([_wait(mate, found[mate.pk]) for mate in _slowest(mates, found)]),
        )


def _queue(job: Job) -> JobQuerySet:
    found: JobQuerySet = Job.objects.due().filter(device_type=job.device_type_id)
    return found


def _place(job: Job) -> int:
    return _queue(job).filter(_before(job)).count() + 1


def _slowest(mates: Iterable[Job], found: Mapping[int, Reason]) -> list[Job]:
    """Of each type the job that fewest devices fit, the last of these: the others of its group have theirs by then."""
    by_choice = sorted(mates, key=lambda job: (-found[job.pk].at_work, job.pk))
    return list({job.device_type_id: job for job in by_choice}.values())


def _wait(job: Job, because: Reason) -> timedelta | None:
    if not because.at_work:
        return None
    seconds = capacity.expected_wait(
        free=because.cause == Cause.NEXT,
        at_work=because.at_work,
        queued=_place(job) - 1,
        durations=capacity.last_durations(job.device_type),
        held=capacity.seconds_until(because.held_until),
    )
    return None if seconds is None else timedelta(seconds=round(seconds))


def _longest(waits: Sequence[timedelta | None]) -> timedelta | None:
    known = [wait for wait in waits if wait is not None]
    return max(known) if len(known) == len(waits) else None


def _before(job: Job) -> Q:
    """Those that `queued` puts before it."""
    earlier = Q(submit_time__lt=job.submit_time) | Q(submit_time=job.submit_time, pk__lt=job.pk)
    return Q(priority__gt=job.priority) | Q(priority=job.priority) & earlier


def reason(job: Job) -> Reason:
    return reasons([job])[job.pk]


def reasons(jobs: Sequence[Job]) -> dict[int, Reason]:
    """Of several jobs, by their ids: the devices are asked for once."""
    groups = _groups(jobs)
    everyone = {job.pk: job for job in [*jobs, *(mate for mates in groups.values() for mate in mates)]}
    types = {job.device_type_id for job in everyone.values()}
    devices = Device.objects.in_service().filter(device_type__in=types)
    held = dict(Job.objects.held().filter(device_type__in=types).values_list("device", "deadline"))
    found = devices.select_related("worker").prefetch_related("tags")
    candidates = [_candidate(device, held) for device in found]
    open_devices = OpenDevices({job.submitter_id for job in everyone.values()})
    values = {pk: _waiting(job, open_devices) for pk, job in everyone.items()}

    def of(job: Job) -> Reason:
        if job.not_before and job.is_put_off:
            return _put_off(job, job.not_before)
        if job.group_id is None:
            return why(values[job.pk], candidates)
        return why_group(values[job.pk], [values[mate.pk] for mate in groups[job.group_id]], candidates)

    return {job.pk: of(job) for job in jobs}


def _groups(jobs: Sequence[Job]) -> dict[UUID | None, list[Job]]:
    """All that wait of the groups of these jobs."""
    ids = {job.group_id for job in jobs if job.group_id}
    if not ids:
        return {}
    found: defaultdict[UUID | None, list[Job]] = defaultdict(list)
    for mate in Job.objects.queued().filter(group__in=ids).prefetch_related("tags"):
        found[mate.group_id].append(mate)
    return found


def _put_off(job: Job, until: datetime) -> Reason:
    is_retry = job.requeue == Requeue.RETRY
    words = "It is tried again at" if is_retry else "Deferred until"
    sentence = f"{words} {in_utc(until)}"
    because = job.not_before_reason.rstrip(". ")
    return Reason(
        cause=Cause.RETRY if is_retry else Cause.DEFERRED,
        sentence=f"{sentence}: {because}." if because else f"{sentence}.",
    )


def _waiting(job: Job, open_devices: OpenDevices) -> Waiting:
    return Waiting(
        id=job.pk,
        device_type=job.device_type_id,
        tags=frozenset(tag.name for tag in job.tags.all()),
        priority=job.priority,
        submitted=job.submit_time,
        device=job.wanted_device or None,
        needs_worker=not job.is_reservation,
        allowed=open_devices.of(job.submitter_id),
    )


def _candidate(device: Device, held: Mapping[str, datetime | None]) -> Candidate:
    standing = _standing(device, is_held=device.name in held)
    return Candidate(
        name=device.name,
        device_type=device.device_type_id,
        tags=frozenset(tag.name for tag in device.tags.all()),
        standing=_with_worker(device, standing),
        without_worker=standing,
        held_until=held.get(device.name),
    )


def _standing(device: Device, *, is_held: bool) -> Standing:
    """What keeps it longest comes first: its health, then a worker that somebody took out, then a job."""
    match device.health:
        case DeviceHealth.MAINTENANCE:
            return Standing.MAINTENANCE
        case DeviceHealth.BAD:
            return Standing.BAD
        case DeviceHealth.LOOPING:
            return Standing.LOOPING
    if device.is_closed:
        return Standing.CLOSED
    if is_held:
        return Standing.HELD
    if device.state != DeviceState.IDLE:
        return Standing.BUSY
    is_out = device.worker is not None and device.worker.health != WorkerHealth.ACTIVE
    return Standing.FULL if is_out else Standing.IDLE


def _with_worker(device: Device, standing: Standing) -> Standing:
    """The same for a job, which needs a worker that is there."""
    if standing in (Standing.MAINTENANCE, Standing.BAD, Standing.LOOPING):
        return standing
    is_away = device.worker is None or device.worker.state == WorkerState.OFFLINE
    return Standing.OFFLINE if is_away else standing
