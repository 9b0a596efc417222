"""Where events are written: in the transaction of the change itself, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from core import doorbell
from events import numbering
from events.catalogue import CATALOGUE
from events.catalogue import CAUSES as CAUSES
from events.models import Event

BELLS = ("engine", "web")  # who wants to know at once that something happened


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Who made it happen, and why."""

    kind: str  # one of CAUSES
    actor: str = ""
    reason: str = ""


SHELL = Cause(kind="user", reason="changed by hand")


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One event that is to be written."""

    type: str  # of events.catalogue
    subject: str
    data: dict[str, Any]


def record(
    type: str,
    *,
    subject: str,
    data: dict[str, Any],
    cause: Cause,
    job_id: int | None = None,
    attempt: int | None = None,
) -> Event:
    """Write one event beside the change that it tells of; raises as `record_all`."""
    news = News(type=type, subject=subject, data=data)
    return record_all([news], cause=cause, job_id=job_id, attempt=attempt)[0]


def record_all(
    news: Sequence[News], *, cause: Cause, job_id: int | None = None, attempt: int | None = None
) -> list[Event]:
    """Write events beside the changes that they tell of, in this order and in one go.

    Raises TransactionManagementError outside a transaction: the changes would not be one with their events.
    """
    if not news:
        return []
    for each in news:
        if each.type not in CATALOGUE:
            raise LookupError(
                f"{each.type!r} is not in events.catalogue; every type of event is listed there"
            )
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            f"{news[0].type} of {news[0].subject} was told outside a transaction; use the model's save() or a verb"
        )
    first = None if job_id is None else _next_of_job(job_id)
    events = Event.objects.bulk_create(
        Event(
            sequence=sequence,
            type=each.type,
            time=timezone.now(),
            actor=cause.actor,
            cause=cause.kind,
            subject=each.subject,
            job_id=job_id,
            job_sequence=None if first is None else first + position,
            attempt=attempt,
            data=each.data,
        )
        for position, (each, sequence) in enumerate(
            zip(news, numbering.numbers_at_insert(len(news)), strict=True)
        )
    )
    for role in BELLS:
        transaction.on_commit(partial(doorbell.ring, settings.RUN, role))
    return events


def _next_of_job(job_id: int) -> int:
    # Whoever writes an event of a job holds the lock on the job's row, so two never take the same number.
    last = Event.objects.filter(job_id=job_id).aggregate(last=Max("job_sequence"))["last"]
    return (last or 0) + 1
