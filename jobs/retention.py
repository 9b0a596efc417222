"""What the lab lets go of by itself: old jobs, logs and events, as the settings `KEEP_…` say. Pinned jobs stay.

Of the logs that stay, those of ended jobs are packed.

The database is changed first and the files go afterwards; what a kill leaves between the two, the next pass removes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Self

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core.daemon import Daemon
from core.doorbell import Doorbell
from devices.models import Device
from events import retention as events
from events.outbox import Cause
from jobs import given_tokens, log_packing, upkeep
from jobs.history import queue
from jobs.logs import disk
from jobs.logs.disk import Stored
from jobs.models import DiscardedLog, Job, JobQuerySet
from jobs.states import State

log = logging.getLogger(__name__)

PASS_SECONDS = 3600.0
GIGABYTE = 10**9
LOOKED_UP = 500  # directories at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long things are kept, and how many; 0: no limit."""

    jobs_days: int = 0
    jobs_number: int = 0
    logs_days: int = 0
    logs_bytes: int = 0
    events_days: int = 0
    events_number: int = 0

    @classmethod
    def of_lab(cls) -> Self:
        return cls(
            jobs_days=settings.KEEP_JOBS_DAYS,
            jobs_number=settings.KEEP_JOBS,
            logs_days=settings.KEEP_LOGS_DAYS,
            logs_bytes=settings.KEEP_LOGS_GB * GIGABYTE,
            events_days=settings.KEEP_EVENTS_DAYS,
            events_number=settings.KEEP_EVENTS,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something to let go of."""

    what: str
    why: str
    let_go: Callable[[], object]


def run(stop: threading.Event) -> None:
    """A pass at once and then every hour, until `stop` is set."""
    with Doorbell(settings.RUN, "retention") as bell:
        daemon = Daemon("retention", bell, poll=PASS_SECONDS, stop=stop)
        daemon.run(lambda: run_once(stop))


def run_once(stop: threading.Event) -> None:
    let_go(due(Policy.of_lab()), stop)
    given_tokens.forget()
    log_packing.pack_all(stop)


def let_go(things: Iterable[Due], stop: threading.Event | None = None) -> int:
    """Let go of one after the other; how many there were. It ends early, between two of them, when `stop` is set."""
    number = 0
    for thing in things:
        if stop is not None and stop.is_set():
            break
        thing.let_go()
        number += 1
        log.info("Let go of %s: %s", thing.what, thing.why, extra={"action": "let_go"})
    return number


def due(policy: Policy) -> Iterator[Due]:
    """All that is to go now. Whoever lets go of each as it comes is told of the next by what is left."""
    now = timezone.now()
    yield from _jobs(policy, now)
    yield from _logs_by_age(policy, now)
    yield from _left_behind()
    yield from _logs_by_size(policy)
    yield from _events(policy, now)


def _loose() -> JobQuerySet:
    """The jobs that nothing holds: those that are pinned stay, and those of which something may still run."""
    closing = Device.objects.filter(closed_by__isnull=False).values("closed_by")
    return Job.objects.filter(state=State.FINISHED, pinned=False).exclude(pk__in=closing)


def _jobs(policy: Policy, now: datetime) -> Iterator[Due]:
    why: dict[int, str] = {}
    if policy.jobs_number:
        many = _loose().order_by("-id").values_list("pk", flat=True)[policy.jobs_number :]
        why |= dict.fromkeys(many, f"the lab keeps {policy.jobs_number} finished jobs")
    if policy.jobs_days:
        old = _loose().filter(end_time__lt=now - timedelta(days=policy.jobs_days))
        why |= dict.fromkeys(
            old.values_list("pk", flat=True), f"the lab keeps jobs for {policy.jobs_days} days"
        )
    for job_id in sorted(why):
        yield Due(what=f"job {job_id}", why=why[job_id], let_go=partial(_forget, job_id, why[job_id]))


def _logs_by_age(policy: Policy, now: datetime) -> Iterator[Due]:
    if not policy.logs_days:
        return
    why = f"the lab keeps logs for {policy.logs_days} days"
    old = _loose().filter(log_removed__isnull=True, end_time__lt=now - timedelta(days=policy.logs_days))
    for job_id in list(old.order_by("id").values_list("pk", flat=True)):
        yield _log_of(job_id, why)


def _logs_by_size(policy: Policy) -> Iterator[Due]:
    if not policy.logs_bytes:
        return
    too_much = sum(one.size for one in disk.stored(settings.LOGS)) - policy.logs_bytes
    why = f"the lab keeps {policy.logs_bytes / GIGABYTE:g} GB of logs"
    for one in _loose_on_disk():
        if too_much <= 0:
            break
        too_much -= one.size
        yield _log_of(one.job_id, why)


def _loose_on_disk() -> Iterator[Stored]:
    on_disk = disk.stored(settings.LOGS)
    while several := list(islice(on_disk, LOOKED_UP)):
        loose = set(_loose().filter(pk__in=[one.job_id for one in several]).values_list("pk", flat=True))
        yield from (one for one in several if one.job_id in loose)


def _left_behind() -> Iterator[Due]:
    """Files that should be gone already."""
    for discarded in list(DiscardedLog.objects.order_by("pk")):
        let_go = partial(upkeep.remove_files, discarded)
        yield Due(what=f"the files in {discarded}", why="nothing refers to them any more", let_go=let_go)


def _events(policy: Policy, now: datetime) -> Iterator[Due]:
    if not policy.events_days and not policy.events_number:
        return
    queue.run_once()  # the history of the queue is made from them
    before = now - timedelta(days=policy.events_days) if policy.events_days else None
    needed = Job.objects.filter(Q(pinned=True) | ~Q(state=State.FINISHED)).values("pk")
    old = events.due(before=before, at_most=policy.events_number, kept_jobs=needed)
    if number := old.count():
        limits = [
            f"for {policy.events_days} days" if policy.events_days else "",
            f"up to a number of {policy.events_number}" if policy.events_number else "",
        ]
        why = f"the lab keeps events {' and '.join(filter(None, limits))}"
        yield Due(what=f"{number} events", why=why, let_go=partial(_clear, old))


def _log_of(job_id: int, why: str) -> Due:
    return Due(what=f"the log of job {job_id}", why=why, let_go=partial(_forget_log, job_id))


@transaction.atomic
def _forget(job_id: int, why: str) -> None:
    if _lock_if_loose(job_id):
        upkeep.remove(job_id, cause=Cause(kind="policy", reason=why))


@transaction.atomic
def _forget_log(job_id: int) -> None:
    job = _lock_if_loose(job_id)
    if job is None:
        return
    job.log_removed = timezone.now()
    job.save(update_fields=["log_removed"])
    upkeep.discard_log(job)


def _lock_if_loose(job_id: int) -> Job | None:
    """None for one that was pinned or deleted since it was found."""
    job: Job | None = _loose().locked().filter(pk=job_id).first()
    return job


def _clear(old: events.Events) -> None:
    while events.clear(old) == events.BATCH:
        continue
    queue.clear(up_to=events.last_cleared())
