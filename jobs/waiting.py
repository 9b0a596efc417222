"""Why a queued job waits, told from the lab as it is now. The deciding is `jobs.matching.why`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from accounts.rights import Anyone
from core.times import in_utc
from devices.models import Device
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from jobs import capacity, devices_now
from jobs.matching import Candidate, Cause, Reason, Standing, Waiting, Workers, why, why_group
from jobs.models import Job, JobQuerySet
from jobs.open_devices import OpenDevices
from jobs.states import ON_A_DEVICE, Requeue

NOBODY = AnonymousUser()  # who sees what everybody sees
BROKEN = "Another job of its group has a device already, and they get theirs together: it waits until that one is over."


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a job in the queue has to expect."""

    reason: Reason
    place: int | None  # among those that wait for the same type; 1 is the next. None: it waits for a time
    queued: int  # how many these are
    wait: timedelta | None  # from now on, if jobs take as long as the last ones did; None: nobody knows

    @classmethod
    def of(cls, job: Job, *, to: Anyone = NOBODY) -> Self:
        """`to`: who asks, as for `reasons`."""
        others = _queued_mates([job]).exclude(pk=job.pk) if job.group_id else []
        mates = sorted([job, *others], key=lambda mate: mate.pk)
        because = reasons(mates, to=to)
        queued = _queue(job).count()
        if job.is_put_off:
            return cls(reason=because[job.pk], place=None, queued=queued, wait=None)
        before = {of_type[0].device_type_id: _before(of_type[0]) for of_type in _by_type(mates)}
        same_type = [mate.pk for mate in mates if mate.device_type_id == job.device_type_id]
        return cls(
            reason=because[job.pk],
            place=before[job.device_type_id] + same_type.index(job.pk) + 1,
            queued=queued,
            wait=_longest_wait(mates, because, before),
        )


def _queue(job: Job) -> JobQuerySet:
    found: JobQuerySet = Job.objects.due().filter(device_type=job.device_type_id)
    return found


def _before(job: Job) -> int:
    """How many of its type `queued` puts before it."""
    earlier = Q(submit_time__lt=job.submit_time) | Q(submit_time=job.submit_time, pk__lt=job.pk)
    return _queue(job).filter(Q(priority__gt=job.priority) | Q(priority=job.priority) & earlier).count()


def _by_type(jobs: Iterable[Job]) -> list[list[Job]]:
    of_type: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        of_type[job.device_type_id].append(job)
    return list(of_type.values())


def _longest_wait(
    mates: Iterable[Job], because: Mapping[int, Reason], before: Mapping[str, int]
) -> timedelta | None:
    """Until there is a device for each. None: for one of them at least, nobody knows."""
    waits: list[float | None] = []
    for of_type in _by_type(mates):
        durations = capacity.last_durations(of_type[0].device_type)
        alike: Counter[str] = Counter()  # of one role, which want the same devices
        for job in of_type:
            waits.append(_wait(because[job.pk], before[job.device_type_id] + alike[job.role], durations))
            alike[job.role] += 1
    known = [wait for wait in waits if wait is not None]
    return timedelta(seconds=round(max(known))) if len(known) == len(waits) else None


def _wait(because: Reason, before: int, durations: Sequence[float]) -> float | None:
    """Seconds."""
    if not because.at_work:
        return None
    return capacity.expected_wait(
        free=because.free,
        at_work=because.at_work,
        queued=before,
        durations=durations,
        held=capacity.seconds_until(because.held_until),
    )


def reason(job: Job, *, to: Anyone = NOBODY) -> Reason:
    return reasons([job], to=to)[job.pk]


def reasons(jobs: Sequence[Job], *, to: Anyone = NOBODY) -> dict[int, Reason]:
    """Of several jobs, by their ids: the devices are asked for once.

    `to`: who asks. What keeps another job of a group is told only to those who see that job.
    """
    groups = _groups(jobs, to)
    everyone = {job.pk: job for job in [*jobs, *(mate for group in groups.values() for mate in group.mates)]}
    types = {job.device_type_id for job in everyone.values()}
    devices = Device.objects.in_service().filter(device_type__in=types)
    # Unordered: in the order of their ids they would be looked for through all jobs of these types.
    held = dict(Job.objects.held().filter(device_type__in=types).order_by().values_list("device", "deadline"))
    found = devices.select_related("worker").prefetch_related("tags")
    workers = devices_now.workers()
    candidates = [_candidate(device, held, workers) for device in found]
    open_devices = OpenDevices({job.submitter_id for job in everyone.values()})
    values = {pk: _waiting(job, open_devices) for pk, job in everyone.items()}

    def of(job: Job) -> Reason:
        if job.not_before and job.is_put_off:
            return _put_off(job, job.not_before)
        group = groups.get(job.group_id)
        if group is None:  # it is alone, or its group has left the queue meanwhile
            return why(values[job.pk], candidates)
        if group.is_broken:
            return Reason(cause=Cause.GROUP, sentence=BROKEN)
        mates = [values[mate.pk] for mate in group.mates]
        return why_group(values[job.pk], mates, candidates, workers, group.named)

    return {job.pk: of(job) for job in jobs}


@dataclass(slots=True)
class _Group:
    mates: list[Job] = field(default_factory=list)  # that wait
    named: dict[int, str] = field(default_factory=dict)  # those that may be seen, as people call them
    is_broken: bool = False  # another one is on a device, which no verb brings about


def _groups(jobs: Sequence[Job], to: Anyone) -> dict[UUID | None, _Group]:
    """By their ids, those of these jobs that wait."""
    grouped = [job for job in jobs if job.group_id]
    if not grouped:
        return {}
    found: defaultdict[UUID | None, _Group] = defaultdict(_Group)
    visible = Job.objects.visible_to(to).filter(group__in={job.group_id for job in grouped})
    seen = set(visible.values_list("pk", flat=True))
    for mate in _queued_mates(grouped):
        group = found[mate.group_id]
        group.mates.append(mate)
        if mate.pk in seen:
            group.named[mate.pk] = f"{mate.number} ({mate.role})"
    on_a_device = Job.objects.filter(group__in=list(found), state__in=ON_A_DEVICE)
    for group_id in on_a_device.values_list("group", flat=True):
        found[group_id].is_broken = True
    return found


def _queued_mates(jobs: Iterable[Job]) -> JobQuerySet:
    """All that wait of the groups of these jobs."""
    groups = {job.group_id for job in jobs}
    found: JobQuerySet = Job.objects.queued().filter(group__in=groups)
    return found.for_lists().select_related("device_type").prefetch_related("tags")


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


def _candidate(device: Device, held: Mapping[str, datetime | None], workers: Workers) -> Candidate:
    standing = _standing(device, is_held=device.name in held)
    return Candidate(
        name=device.name,
        device_type=device.device_type_id,
        tags=frozenset(tag.name for tag in device.tags.all()),
        worker=device.worker_id,
        standing=_with_worker(device, standing, workers),
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


def _with_worker(device: Device, standing: Standing, workers: Workers) -> Standing:
    """The same for a job, which needs a worker that is there and takes one more."""
    if standing in (Standing.MAINTENANCE, Standing.BAD, Standing.LOOPING):
        return standing
    is_away = device.worker is None or device.worker.state == WorkerState.OFFLINE
    if is_away:
        return Standing.OFFLINE
    is_full = workers.room.get(device.worker_id) == 0
    return Standing.FULL if is_full and standing is Standing.IDLE else standing
