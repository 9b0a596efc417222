"""When the lab ends a job by itself, and what it says then. No ORM.

A job on a device has a deadline, which moves with its state. Beyond it the lab waits no longer for the worker's word.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from core.templatetags.lab import duration
from core.times import in_utc
from jobs.states import ON_A_DEVICE, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Why a job is ended: in the field's word for it, and in a sentence."""

    error_type: str
    because: str

    def comment(self, at: datetime) -> str:
        # The reason first, as lists show only the beginning.
        return f"{self.because} Ended by the lab at {in_utc(at)}."


def deadline(state: State, job_timeout: timedelta | None, since: datetime) -> datetime | None:
    """Until when a job may be in the state that it has been in since then. None: the state has no end of its own."""
    match state:
        case State.SCHEDULED | State.RUNNING if job_timeout is not None:
            return since + job_timeout + job_grace()
        case State.CANCELING:
            return since + cancel_grace()
    return None


def end_of_reservation(state: State, length: timedelta | None, since: datetime) -> datetime | None:
    """When the lab takes a device back. Without grace, as no worker has to tell the end."""
    return since + length if length is not None and state in ON_A_DEVICE else None


def deadline_when_lost(state: State, before: datetime | None, now: datetime) -> datetime | None:
    """What is to stop stops waiting when it would have anyway."""
    return before if state is State.CANCELING else now + lost_grace()


def deadline_when_found(
    state: State, job_timeout: timedelta | None, began: datetime, now: datetime
) -> datetime | None:
    """As if nothing had happened; but the end may have come meanwhile, and the worker gets the time to tell it."""
    if state is State.CANCELING:
        return deadline(state, job_timeout, now)
    by_rule = deadline(state, job_timeout, began)
    return by_rule and max(by_rule, now + job_grace())


def rule(state: State, *, worker: str, job_timeout: timedelta | None, is_lost: bool) -> Rule:
    """By which rule a job in this state is ended when its deadline has passed."""
    allowed = f"{duration(job_timeout)} (timeouts.job) and {_named('JOB_TIMEOUT_GRACE')} of grace"
    match state:
        case State.CANCELING:
            return Rule(
                error_type="Canceled",
                because=f"Its worker {worker} has not confirmed the cancel for {_named('CANCEL_GRACE')}.",
            )
        case _ if is_lost:
            return Rule(
                error_type="Infrastructure",
                because=f"Its worker {worker} fell silent, and has not come back for {_named('LOST_JOB_GRACE')}.",
            )
        case State.SCHEDULED:
            return Rule(
                error_type="Infrastructure",
                because=f"Its worker {worker} has not confirmed the start for {allowed}.",
            )
    return Rule(error_type="Job", because=f"It ran for longer than its {allowed}.")


def log_too_long() -> Rule:
    """By which rule a job is ended that writes without end."""
    limit = f"{settings.LOG_HARD_LIMIT:,} bytes (LOG_HARD_LIMIT)"
    return Rule(error_type="Job", because=f"Its log is longer than {limit}.")


def job_grace() -> timedelta:
    return timedelta(seconds=settings.JOB_TIMEOUT_GRACE)


def lost_grace() -> timedelta:
    return timedelta(seconds=settings.LOST_JOB_GRACE)


def cancel_grace() -> timedelta:
    return timedelta(seconds=settings.CANCEL_GRACE)


def reservation_warning() -> timedelta:
    return timedelta(seconds=settings.RESERVATION_WARNING)


def _named(setting: str) -> str:
    """A grace time with the name of its setting, so that who reads of it knows what to change."""
    return f"{duration(timedelta(seconds=getattr(settings, setting)))} ({setting})"
