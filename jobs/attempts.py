"""The verbs about a job's attempts: what follows one that is over, and when the next one may begin.

A job that is to be tried again, or later, goes back to the queue with the next number of attempt; each attempt keeps
its own log and results. Until `not_before` the job waits for a time and not for a device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts import audit
from core.templatetags.lab import duration
from core.times import in_utc
from devices.models import DeviceType
from events.outbox import Cause
from jobs.models import Attempt, Job
from jobs.moving import Held, carry_over, hold_group, require_right, step, whole
from jobs.retries import Retry
from jobs.states import Health, InvalidMove, Requeue, State, find_move


class NotDeferrable(Exception):
    """A job cannot be put off until then; the text says until when it could be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Why another attempt follows, and when."""

    requeue: Requeue
    until: datetime
    reason: str


@whole
def defer(job_id: int, until: datetime, *, by: str, reason: str = "") -> Job:
    """Have a waiting job, with its group, run later. InvalidMove if it does not wait, NotDeferrable if not for so long."""
    held = hold_group(job_id)
    for each in held.all:
        _defer(each.job, until, Cause(kind="user", actor=by, reason=reason))
    return held.asked.job


def _defer(job: Job, until: datetime, cause: Cause) -> None:
    if job.state != State.SUBMITTED:
        raise InvalidMove(
            f"job {job.number} is {State(job.state).label}; only a job that waits can be deferred"
        )
    if until <= timezone.now():
        raise NotDeferrable(f"{in_utc(until)} is over; say a time that is to come")
    if until > (latest := _latest(job)):
        raise NotDeferrable(
            f"job {job.number} may be put off until {in_utc(latest)} at most, "
            f"{duration(_limit(job))} in all (lava_lite.defer.limit, DEFER_LIMIT)"
        )
    job.deferred_since = _deferred_since(job)
    job.put_off(until, Requeue.DEFERRAL, cause.reason)
    move = find_move(State.SUBMITTED, State.SUBMITTED, Health.UNKNOWN, requeue=Requeue.DEFERRAL)
    step(job, move, cause)


@whole
def hurry(job_id: int, *, by: str) -> Job:
    """Have a job that waits for a time, with its group, run as soon as a device is free. Any other is left as it is.

    InvalidMove for one that has left the queue.
    """
    held = hold_group(job_id)
    for each in held.all:
        _hurry(each.job, Cause(kind="user", actor=by))
    return held.asked.job


def _hurry(job: Job, cause: Cause) -> None:
    if job.state != State.SUBMITTED:
        raise InvalidMove(
            f"job {job.number} is {State(job.state).label}; only a job that waits can be hurried"
        )
    if job.is_put_off:
        job.not_before, job.not_before_reason, job.requeue = None, "", ""
        job.queued_since = timezone.now()
        move = find_move(State.SUBMITTED, State.SUBMITTED, Health.UNKNOWN, requeue=Requeue.HURRY)
        step(job, move, cause)


@transaction.atomic
def defer_for(job: Job, until: datetime, *, user: User, reason: str = "") -> Job:
    """`defer` for somebody whose right to it is asked first, noted in the audit trail. NotAllowed says whose job it is."""
    require_right(job, user, "defer")
    deferred = defer(job.pk, until, by=user.get_username(), reason=reason)
    audit.note(user, deferred, f"Deferred until {in_utc(until)}: {reason or 'no reason given'}")
    return deferred


@transaction.atomic
def hurry_for(job: Job, *, user: User) -> Job:
    """`hurry` for somebody whose right to it is asked first, noted in the audit trail."""
    require_right(job, user, "hurry")
    was_put_off = job.is_put_off
    hurried = hurry(job.pk, by=user.get_username())
    if was_put_off:
        audit.note(user, hurried, "Told to run now")
    return hurried


def ask_for_deferral(attempt: Attempt, after: timedelta, reason: str) -> None:
    """What a test said: when this attempt has ended, its job is to run again after so long. Too late, it changes nothing."""
    running = Attempt.objects.filter(pk=attempt.pk, ended__isnull=True)
    running.update(deferral=after, deferral_reason=reason)


def pause_after(job: Job, attempt: Attempt | None, *, error_type: str) -> Pause | None:
    """What follows `attempt`, the latest one, which just failed or asked to be run again. None: nothing, the job is over.

    A member of a group is never run again alone: the others are over, or wait for it in vain.
    """
    if (
        job.health_check
        or job.is_reservation
        or job.group_id
        or job.state not in (State.SCHEDULED, State.RUNNING)
    ):
        return None
    if attempt and attempt.deferral is not None and job.state == State.RUNNING:
        return Pause(
            requeue=Requeue.DEFERRAL,
            until=timezone.now() + attempt.deferral,
            reason=attempt.deferral_reason,
        )
    if not error_type:
        return None
    failures = _failures(job) + 1
    retry = retry_of(job)
    delay = retry.delay_after(failures, error_type)
    if delay is None:
        return None
    # Its errors are told with the attempt: they may speak of a device that is hidden from who sees the job.
    return Pause(
        requeue=Requeue.RETRY,
        until=timezone.now() + delay,
        reason=f"attempt {failures} of {retry.attempts} failed ({error_type} error)",
    )


def go_on(held: Held, pause: Pause, cause: Cause, *, closes: bool = False, broken: bool = False) -> None:
    """Back to the queue for another attempt. One that asks to be put off for longer than it may is over.

    `closes` and `broken` are about the device, as in the table of moves and in `devices.lifecycle`.
    """
    job = held.job
    latest = _latest(job)
    is_deferral = pause.requeue is Requeue.DEFERRAL
    if is_deferral:
        job.deferred_since = _deferred_since(job)
    job.put_off(pause.until, pause.requeue, pause.reason)
    move = find_move(State(job.state), State.SUBMITTED, Health.UNKNOWN, closes=closes, requeue=pause.requeue)
    carry_over(held, move, replace(cause, reason=pause.reason), broken=broken)
    if is_deferral and pause.until > latest:
        _inactivate(job, pause)


def retry_of(job: Job) -> Retry:
    """What the job's definition says, and for the rest its device type."""
    return retry_of_type(job.device_type).but(job.retry)


def retry_of_type(device_type: DeviceType) -> Retry:
    return Retry(
        attempts=device_type.retry_attempts,
        delay=device_type.retry_delay,
        backoff=device_type.retry_backoff,
        max_delay=device_type.retry_max_delay,
    )


def _inactivate(job: Job, pause: Pause) -> None:
    reason = pause.reason.rstrip(". ") or "no reason given"
    job.end_time = timezone.now()
    job.error_type = "Job"
    job.failure_comment = (
        f"It asked to be put off until {in_utc(pause.until)} ({reason}), "
        f"and may be put off for {duration(_limit(job))} in all (lava_lite.defer.limit, DEFER_LIMIT)."
    )
    move = find_move(State.SUBMITTED, State.FINISHED, Health.INCOMPLETE)
    step(job, move, Cause(kind="policy", reason=job.failure_comment))


def _failures(job: Job) -> int:
    """How many attempts before the latest one failed; those that asked to be put off did not."""
    return job.attempts.filter(number__lt=job.attempt, deferral__isnull=True).count()


def _limit(job: Job) -> timedelta:
    return job.defer_limit or timedelta(seconds=settings.DEFER_LIMIT)


def _latest(job: Job) -> datetime:
    """Until when it may be put off."""
    return _deferred_since(job) + _limit(job)


def _deferred_since(job: Job) -> datetime:
    """Since when its limit counts: the first time that it was put off, or when it was to be run by then."""
    now = timezone.now()
    return job.deferred_since or max(now, job.not_before or now)
