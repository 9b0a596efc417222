"""Where events are written: in the transaction of the change itself, or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid1

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from core import doorbell, rows
from events import catalogue, numbering
from events.catalogue import CAUSES as CAUSES
from events.models import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Who made it happen, and why."""

    kind: str  # one of CAUSES
    actor: str = ""
    reason: str = ""


SHELL = Cause(kind="user", reason="changed by hand")

_OF_NO_CARD: Final = 1 << 40  # RFC 9562, 6.10: says that the node is a random number
_COLUMNS: Final = [field.name for field in Event._meta.concrete_fields if not field.primary_key]
# Whoever writes an event of a job holds the lock on the job's row, so two never take the same number.
_NEXT_OF_JOB: Final = (
    "(SELECT COALESCE(MAX(job_sequence), 0) + 1 FROM events_event WHERE job_id = %(job_id)s)"
)


def _insert_of(**by_sql: str) -> str:
    values = [by_sql.get(column, f"%({column})s") for column in _COLUMNS]
    into = f"INSERT INTO events_event ({', '.join(_COLUMNS)}) VALUES ({', '.join(values)})"
    return f"{into} RETURNING id, job_sequence"


_INSERT: Final = _insert_of()
_INSERT_NEXT_OF_JOB: Final = _insert_of(job_sequence=_NEXT_OF_JOB)


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
        if catalogue.find(each.type) is None:
            raise LookupError(
                f"{each.type!r} is not in events.catalogue; every type of event is listed there"
            )
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            f"{news[0].type} of {news[0].subject} was told outside a transaction; use the model's save() or a verb"
        )
    events = [
        Event(
            sequence=sequence,
            uid=new_uid(),
            type=each.type,
            time=timezone.now(),
            actor=cause.actor,
            cause=cause.kind,
            subject=each.subject,
            job_id=job_id,
            attempt=attempt,
            data=each.data,
        )
        for each, sequence in zip(news, numbering.numbers_at_insert(len(news)), strict=True)
    ]
    _insert(events)
    _ring_after_commit()
    return events


def _ring_after_commit() -> None:
    """Once for all events of a transaction."""
    open_points = set(connection.savepoint_ids)
    # A ring that was ordered in an inner block is gone if that block is rolled back, and does not count here.
    if not any(deed is _ring and points <= open_points for points, deed, *_ in connection.run_on_commit):
        transaction.on_commit(_ring)


def _ring() -> None:
    doorbell.ring(settings.RUN, *numbering.woken_by_a_commit())


def new_uid() -> UUID:
    """As LAVA's, by the time, and another one in every process.

    Processes that were forked have the system's counter in common, and two of them gave the same one at the same moment.
    """
    return uuid1(node=secrets.randbits(48) | _OF_NO_CARD, clock_seq=secrets.randbits(14))


def _insert(events: Sequence[Event]) -> None:
    first, *others = events
    _insert_first(first)
    if first.job_sequence is not None:
        for number, event in enumerate(others, start=first.job_sequence + 1):
            event.job_sequence = number
    Event.objects.bulk_create(others)


def _insert_first(event: Event) -> None:
    """In SQL, as every verb does it, with one event or two, and building it takes longer."""
    values = rows.written(Event, {column: getattr(event, column) for column in _COLUMNS})
    with connection.cursor() as cursor:
        cursor.execute(_INSERT if event.job_id is None else _INSERT_NEXT_OF_JOB, values)
        event.pk, event.job_sequence = cursor.fetchone()
    event._state.adding = False
