"""The scheduler: who gets which device next. The deciding is `jobs.matching`; this fetches and applies."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Max, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.daemon import Daemon
from core.doorbell import Doorbell
from devices import lifecycle as devices
from devices.lifecycle import DeviceBusy
from devices.models import Device, Worker
from jobs import devices_now, health_checks, lifecycle, progress, reservations
from jobs.matching import NOTHING, Group, Idle, Pair, Room, Waiting, match
from jobs.models import Job, JobQuerySet, Kind, expired
from jobs.open_devices import OpenDevices
from jobs.states import InvalidMove, State

log = logging.getLogger(__name__)

NO_TAGS: frozenset[str] = frozenset()
COLUMNS = (
    "pk",
    "kind",
    "device_type_id",
    "priority",
    "submit_time",
    "wanted_device",
    "submitter_id",
    "group_id",
)
# What a verb says when somebody else was quicker.
OVERTAKEN = (DeviceBusy, InvalidMove, Job.DoesNotExist, Device.DoesNotExist)
POLL_SECONDS = 5.0  # how late a pass may be when every doorbell is broken
REST_SECONDS = 0.1  # between two passes at least: when much happens, one pass looks at all of it together
WATCH_SECONDS = 1.0  # between two looks at what time has brought about, however often the bell rings


def run(stop: threading.Event) -> None:
    """Pass after pass until `stop` is set; woken by the engine's doorbell."""
    with Doorbell(settings.RUN, "engine") as bell:
        daemon = Daemon("scheduler", bell, poll=POLL_SECONDS, rest=REST_SECONDS, stop=stop)
        passes = Passes()
        daemon.run(passes.once, until_next=passes.until_next)


def run_once() -> int:
    """One whole pass; how many jobs got a device."""
    return Passes().once()


class Passes:
    """Passes that leave the watch out while it is fresh: it asks as many questions as all the rest of a pass."""

    def __init__(self) -> None:
        self._fresh_until = float("-inf")
        self._is_owed = False

    def once(self) -> int:
        self._is_owed = time.monotonic() < self._fresh_until
        if not self._is_owed:
            _watch()
            self._fresh_until = time.monotonic() + WATCH_SECONDS
        progress.tell_pending()
        return _assign()

    def until_next(self) -> float | None:
        """Seconds until there is something to do, as far as that is known."""
        watch = [self._fresh_until - time.monotonic()] if self._is_owed else []
        return min([*watch, *_until_put_off()], default=None)


def _until_put_off() -> list[float]:
    """Seconds until the next job that is put off may begin, if there is one."""
    next_ones = Job.objects.put_off().values_list("not_before", flat=True)[:1]
    return [(next_one - timezone.now()).total_seconds() for next_one in next_ones]


def _watch() -> None:
    """What time has brought about."""
    _mark_silent_workers()
    _end_expired_jobs()
    _flag_jobs()
    _flag_overtime()
    _end_overdue_jobs()
    _settle_reservations()
    _flag_expiring()


def _mark_silent_workers() -> None:
    for name in Worker.objects.silent().values_list("name", flat=True):
        devices.worker_silent(name)


def _end_expired_jobs() -> None:
    for job_id in list(expired(timezone.now()).values_list("pk", flat=True)):
        lifecycle.expire(job_id)


def _flag_jobs() -> None:
    """Whose worker fell silent, and whose came back."""
    for job_id, lost_since in list(Job.objects.oddly_flagged().values_list("pk", "lost_since")):
        if lost_since is None:
            lifecycle.flag_lost(job_id)
        else:
            lifecycle.clear_lost(job_id)


def _flag_overtime() -> None:
    for job_id in list(Job.objects.over_wall_time().values_list("pk", flat=True)):
        lifecycle.flag_overtime(job_id)


def _end_overdue_jobs() -> None:
    for job_id in list(Job.objects.overdue().values_list("pk", flat=True)):
        job = lifecycle.end_overdue(job_id)
        if not job.closes_device:
            continue  # its worker was quicker
        log.warning("Job %s: %s", job_id, job.failure_comment, extra={"action": "job_ended", "job": job_id})


def _settle_reservations() -> None:
    """Those whose time is over, and those that a crash or a change by hand left behind."""
    for job_id in list(Job.objects.unsettled().values_list("pk", flat=True)):
        _settle(job_id)


def _settle(job_id: int) -> None:
    job = reservations.settle(job_id)
    log.info(
        "Reservation %s is %s",
        job_id,
        State(job.state).label,
        extra={"action": "reservation_settled", "job": job_id},
    )


def _flag_expiring() -> None:
    for job_id in list(Job.objects.expiring().values_list("pk", flat=True)):
        reservations.flag_expiring(job_id)


def _assign() -> int:
    room = _room()
    due = health_checks.due()
    checks = _begin_checks(due, room)
    pairs = _pairs(room, besides={device.name for device in due})
    return checks + sum(_schedule(deal) for deal in _deals(pairs))


def _pairs(room: Room, *, besides: Collection[str] = ()) -> list[Pair]:
    """Which waiting job gets which idle device, as the lab is now. As many queries for a large lab as for a small one."""
    idle = [device for device in devices_now.idle() if device.name not in besides]
    if not idle:
        return []
    waiting = _waiting_jobs(idle, room)
    impatient = any(job.group is not None and job.group.is_impatient for job in waiting)
    return match(waiting, idle, room, devices_now.at_work() if impatient else NOTHING)


def _deals(pairs: list[Pair]) -> list[dict[int, str]]:
    """What is to be given together: a job its device, or a group all of its devices."""
    deals: dict[Hashable, dict[int, str]] = {}
    for pair in pairs:
        deals.setdefault(pair.group or pair.job, {})[pair.job] = pair.device
    return list(deals.values())


def _begin_checks(due: list[Device], room: Room) -> int:
    """How many there is room for; of the room, these have taken theirs."""
    begun = 0
    for device in due:
        left = room.get(device.worker_id, 0)
        if left == 0 or not _begin_check(device.name):
            continue
        begun += 1
        if left is not None:
            room[device.worker_id] = left - 1
    return begun


def _begin_check(device: str) -> bool:
    try:
        job = health_checks.begin(device)
    except OVERTAKEN as gone:
        log.info("%s was not checked: %s", device, gone, extra={"action": "not_checked"})
        return False
    if job is not None:
        log.info("Job %s checks %s", job.pk, device, extra={"action": "check_begun", "job": job.pk})
    return job is not None


def _schedule(deal: Mapping[int, str]) -> int:
    """How many got their device: all or none."""
    try:
        jobs = lifecycle.schedule_together(deal)
    except OVERTAKEN as gone:
        # Somebody was quicker; the next pass sees what is left.
        for job_id, device in deal.items():
            log.info("Job %s did not get %s: %s", job_id, device, gone, extra={"action": "not_scheduled"})
        return 0
    for job in jobs:
        log.info("Job %s got %s", job.pk, job.device_id, extra={"action": "job_scheduled", "job": job.pk})
        if job.is_reservation:
            _settle(job.pk)  # no worker begins it
    return len(jobs)


def _waiting_jobs(idle: list[Idle], room: Room) -> list[Waiting]:
    types = {device.device_type for device in idle}
    at_work = {device.device_type for device in idle if device.worker in room}
    # Plain values: a queue may hold a hundred thousand jobs, and instances of all of them would take seconds.
    wanted = _wants(at_work) | _wants(types, kind=Kind.RESERVATION) | Q(group__isnull=False)
    fitting = Job.objects.due().order_by().filter(wanted)
    queued = list(fitting.values_list(*COLUMNS))
    tags = _tags_of(fitting)
    open_devices = OpenDevices({submitter for *_, submitter, _ in queued})
    groups = _groups({group for *_, group in queued if group})
    return [
        Waiting(
            id=pk,
            device_type=device_type,
            tags=tags.get(pk, NO_TAGS),
            priority=priority,
            submitted=submitted,
            device=wanted or None,
            needs_worker=kind != Kind.RESERVATION,
            allowed=open_devices.of(submitter),
            group=groups.get(group),
        )
        for pk, kind, device_type, priority, submitted, wanted, submitter, group in queued
    ]


def _groups(ids: Collection[UUID]) -> dict[UUID | None, Group]:
    if not ids:
        return {}
    since = Max(Coalesce("queued_since", "submit_time"))
    rows = Job.objects.unfinished().filter(group__in=ids).order_by().values("group")
    patience = timezone.now() - timedelta(seconds=settings.MULTINODE_PATIENCE)
    return {
        row["group"]: Group(id=row["group"], size=row["size"], is_impatient=row["since"] <= patience)
        for row in rows.annotate(size=Count("pk"), since=since)
    }


def _wants(types: set[str], **fields: Any) -> Q:
    return Q(device_type__in=types, **fields)


def _tags_of(jobs: JobQuerySet) -> dict[int, frozenset[str]]:
    """Of those that have any."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    for pk, tag in jobs.filter(tags__isnull=False).values_list("pk", "tags__name"):
        found[pk].add(tag)
    return {pk: frozenset(names) for pk, names in found.items()}


def _room() -> Room:
    """How many more jobs each worker takes; None: no limit."""
    return dict(devices_now.workers().room)
