"""Reservations: a person holds a device for a while, got by the same queue as the devices of jobs.

A reservation is a job of its own kind. It is submitted, waits and moves as any job does; but no worker has anything
to do for it, so the lab itself begins it and takes the device back. The device's health stays what it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.rights import Anyone
from core import yaml
from core.templatetags.lab import duration
from core.times import in_utc
from devices.models import Device
from events.outbox import Cause
from jobs.definition import DEFAULT_PRIORITY, DEVICE, RESERVATION, RETRY, Definition, Fault, InvalidDefinition
from jobs.models import Attempt, Job
from jobs.moving import Held, carry_over, hold, require_right, tell, whole
from jobs.states import UNFINISHED, Health, State, find_move

HEAD = "# A reservation: a person holds a device by hand. No worker runs anything for it.\n"
PATH = f"lava_lite.{RESERVATION}"
# What a wish calls the parts of its definition.
FIELDS = {
    "job_name": "purpose",
    "timeouts.job": "duration",
    f"lava_lite.{DEVICE}": "device",
    PATH: "",
}


class ReservationRefused(Exception):
    """It is none, it is not held, or it would be held for longer than the lab allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to hold: a device by its name, or any one of a type."""

    device_type: str | None = None  # None: that of the device
    device: str | None = None
    length: timedelta
    purpose: str
    tags: tuple[str, ...] = ()
    priority: int = DEFAULT_PRIORITY

    def definition(self) -> str:
        """As `lifecycle.submit` takes it; `device_type` must be known."""
        job: dict[str, Any] = {
            "job_name": self.purpose,
            "device_type": self.device_type,
            "visibility": "public",
            "priority": self.priority,
            "tags": list(self.tags),
            "timeouts": {"job": {"seconds": int(self.length.total_seconds())}},
            "actions": [],
            "lava_lite": {RESERVATION: True} | ({DEVICE: self.device} if self.device else {}),
        }
        return HEAD + yaml.dump(job)


def with_type(wish: Wish, by: Anyone) -> Wish:
    """The same wish, that names the type of its device. InvalidDefinition if there is no such device for `by`."""
    if wish.device_type is not None:
        return wish
    device = Device.objects.visible_to(by).filter(pk=wish.device).first()
    if device is None:
        raise InvalidDefinition(
            [Fault(path="device", message=f"there is no device {wish.device!r} here", line=None)]
        )
    return replace(wish, device_type=device.device_type_id)


def for_wish(invalid: InvalidDefinition) -> list[Fault]:
    """The faults of a wish's definition, by the names of the wish; it has no lines."""
    return [replace(fault, path=FIELDS.get(fault.path, fault.path), line=None) for fault in invalid.faults]


def limit() -> timedelta:
    return timedelta(seconds=settings.RESERVATION_LIMIT)


def one_at_a_time(user: User) -> None:
    """Let nobody else of this name reserve until the transaction ends, so that `faults` counts all there are."""
    list(User.objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk"))


def faults(definition: Definition, by: Anyone) -> list[Fault]:
    """What this lab does not allow; nothing for what is no reservation."""
    if not definition.is_reservation:
        return []
    if not limit():
        return [_fault(definition, PATH, "nobody reserves devices in this lab (RESERVATION_LIMIT)")]
    if definition.retry:
        return [_fault(definition, f"lava_lite.{RETRY}", "has no meaning in a reservation")]
    if definition.job_timeout > limit():
        most, wanted = duration(limit()), duration(definition.job_timeout)
        return [
            _fault(definition, "timeouts.job", f"expected at most {most} (RESERVATION_LIMIT), got {wanted}")
        ]
    return _faults_of_number(definition, by)


def _faults_of_number(definition: Definition, by: Anyone) -> list[Fault]:
    if not by.is_authenticated:
        return []
    mine = Job.objects.reservations().filter(submitter=by, state__in=UNFINISHED).order_by("pk")
    numbers = [f"#{pk}" for pk in mine.values_list("pk", flat=True)]
    if len(numbers) < settings.RESERVATIONS_PER_PERSON:
        return []
    allowed = f"one person may hold or wait for {settings.RESERVATIONS_PER_PERSON} (RESERVATIONS_PER_PERSON)"
    mine_are = f"; release or cancel one of yours first: {', '.join(numbers)}" if numbers else ""
    return [_fault(definition, PATH, f"{allowed}{mine_are}")]


@whole
def settle(job_id: int) -> Job:
    """Begin a reservation that has got its device, or end one whose time is over. Said again, it changes nothing."""
    held = hold(job_id)
    job, now = held.job, timezone.now()
    if not job.is_reservation:
        return job
    match State(job.state):
        case State.SCHEDULED:
            _begin(held)
        case State.RUNNING if job.deadline is not None and job.deadline < now:
            over = f"Its time of {duration(job.job_timeout)} was over: the lab took the device back at {in_utc(now)}."
            _end(held, Health.COMPLETE, Cause(kind="timer", reason=over))
        case State.CANCELING:
            let_go(held, Cause(kind="timer", reason=job.failure_comment))
    return job


@whole
def flag_expiring(job_id: int) -> Job:
    """It ends soon: that is told once, and again after it was extended."""
    held = hold(job_id)
    job = held.job
    if Job.objects.expiring().filter(pk=job_id).exists():
        job.expiring_since = timezone.now()
        ends = f"it ends at {in_utc(job.deadline or job.expiring_since)}"
        tell(held, "job.expiring", Cause(kind="timer", reason=ends))
    return job


@whole
def extend(job_id: int, length: timedelta, *, by: str) -> Job:
    """Hold the device for longer. ReservationRefused if it is not held, or would be for more than RESERVATION_LIMIT."""
    held = hold(job_id)
    job = held.job
    _require_held(job)
    assert job.deadline is not None
    assert job.job_timeout is not None
    if job.job_timeout + length > limit():
        allowed = f"this lab allows {duration(limit())} in all (RESERVATION_LIMIT)"
        raise ReservationRefused(f"{allowed}, and the reservation has {duration(job.job_timeout)} already")
    job.job_timeout += length
    job.deadline += length
    job.expiring_since = None
    until = f"by {duration(length)}, until {in_utc(job.deadline)}"
    tell(held, "job.extended", Cause(kind="user", actor=by, reason=until))
    return job


@whole
def release(job_id: int, *, by: str) -> Job:
    """Give the device back before its time. What is over already stays as it is."""
    held = hold(job_id)
    job = held.job
    if job.is_finished and job.is_reservation:
        return job
    _require_held(job)
    early = f"Released by {by} after {duration(job.duration)}."
    _end(held, Health.COMPLETE, Cause(kind="user", actor=by, reason=early))
    return job


@transaction.atomic
def extend_for(job: Job, user: User, length: timedelta) -> Job:
    """`extend` for somebody whose right to it is asked first, noted in the audit trail."""
    require_right(job, user, "extend")
    extended = extend(job.pk, length, by=user.get_username())
    audit.note(user, extended, f"Extended by {duration(length)}")
    return extended


@transaction.atomic
def release_for(job: Job, user: User) -> Job:
    """`release` for somebody whose right to it is asked first, noted in the audit trail."""
    require_right(job, user, "release")
    released = release(job.pk, by=user.get_username())
    audit.note(user, released, "Released")
    return released


def let_go(held: Held, cause: Cause) -> None:
    """A canceled one is over at once, as no worker has to stop anything."""
    held.job.error_type = "Canceled"
    _end(held, Health.CANCELED, cause)


def access_for(job: Job, user: Anyone) -> tuple[str, ...]:
    """How the device is reached, line by line: for its holder while it is held, and for who looks after the device."""
    if job.device is None or not job.is_reservation or job.state != State.RUNNING:
        return ()
    if job.submitter_id != user.pk and not job.device.may_be_changed_by(user):
        return ()
    return job.device.access


def _begin(held: Held) -> None:
    job = held.job
    job.start_time = timezone.now()
    carry_over(held, find_move(State.SCHEDULED, State.RUNNING, Health.UNKNOWN), Cause(kind="policy"))
    Attempt.objects.filter(job=job, number=job.attempt).update(started=job.start_time)


def _end(held: Held, health: Health, cause: Cause) -> None:
    job = held.job
    job.end_time = timezone.now()
    job.failure_comment = cause.reason
    move = find_move(State(job.state), State.FINISHED, health)
    carry_over(held, move, cause, of_device=Cause(kind=cause.kind))
    Attempt.objects.filter(job=job, number=job.attempt).update(ended=job.end_time)


def _require_held(job: Job) -> None:
    if not job.is_reservation:
        raise ReservationRefused(f"job {job.pk} is no reservation")
    if job.is_finished:
        raise ReservationRefused(f"reservation {job.pk} is over; reserve again")
    if job.state != State.RUNNING:
        raise ReservationRefused(
            f"reservation {job.pk} has no device yet; cancel it to take it out of the queue"
        )


def _fault(definition: Definition, path: str, message: str) -> Fault:
    return Fault(path=path, message=message, line=definition.line_of(path))
