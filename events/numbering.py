"""The lab-wide, gapless `sequence` of events.

SQLite has one writer at a time, so the insert itself takes the next number. PostgreSQL's writers commit in
any order, so one pass at a time numbers what is committed: row ids are given at insert and whoever writes
after having seen another's commit gets a higher one, hence the order of ids within a pass is causal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from core import doorbell
from events.models import Event

COUNTER = "sequence"
LOCK = 5_500  # any number, the same in every process of the lab
BATCH = 1000

# One message to the database, as every event waits for it, and by that a transaction of its own where none is open.
# The second statement sees whatever is committed when the lock is there, and not only what was before.
# The counter is not touched where there is nothing to number.
_NUMBER = """
SELECT set_config('lava_lite.numbers', pg_try_advisory_xact_lock({lock})::text, true);
WITH batch AS (
    SELECT id, row_number() OVER (ORDER BY id) AS place
    FROM (SELECT id FROM events_event WHERE sequence IS NULL ORDER BY id LIMIT {limit}) AS waiting
    WHERE current_setting('lava_lite.numbers') = 'true'
), counter AS (
    INSERT INTO events_counter AS known (name, value)
    SELECT '{counter}', count(*) FROM batch HAVING count(*) > 0
    ON CONFLICT (name) DO UPDATE SET value = known.value + excluded.value
    RETURNING value
)
UPDATE events_event SET sequence = counter.value - (SELECT count(*) FROM batch) + batch.place
FROM batch, counter WHERE events_event.id = batch.id
"""

NUMBERER = "engine"
FOLLOWERS = (
    NUMBERER,
    "web",
)  # who wants to know at once that something happened, by the roles of their doorbells


def woken_by_a_commit() -> Sequence[str]:
    """The roles of the bells: who follows numbers that are not there yet is rung when they are given."""
    return FOLLOWERS if connection.vendor == "sqlite" else (NUMBERER,)


def numbers_at_insert(count: int) -> Sequence[int | None]:
    """The next numbers where the insert may take them, else None for each."""
    if connection.vendor != "sqlite":
        return [None] * count
    last = _advance(count)
    return range(last - count + 1, last + 1)


def number_committed() -> int:
    """Number what is committed and has no number yet; how many there were. Another pass at work: 0."""
    if connection.vendor == "sqlite":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_NUMBER.format(lock=LOCK, limit=BATCH, counter=COUNTER))
        cursor.nextset()
        return int(cursor.rowcount)


@contextmanager
def moment() -> Iterator[int]:
    """What is read in this block is as it was at one moment; gives the number of the newest event by then.

    All that is told by the events up to that number is there, and nothing of what is told by later ones. A caller
    that has a transaction already has chosen its moment by that.
    """
    if connection.in_atomic_block:
        while number_committed():
            pass
        yield last_number()
    elif connection.vendor == "sqlite":
        with _reading_on_sqlite():
            yield last_number()
    else:
        with _moment_on_postgresql() as last:
            yield last


def last_number() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM events_counter WHERE name = %s", [COUNTER])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def oldest_unnumbered() -> datetime | None:
    """When that happened which waits longest for its number; None if nothing does."""
    return _unnumbered().order_by("id").values_list("time", flat=True).first()


@contextmanager
def _reading_on_sqlite() -> Iterator[None]:
    """A transaction that holds up no writer, as `atomic` would."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


@contextmanager
def _moment_on_postgresql() -> Iterator[int]:
    with _repeatable_read():
        if not _unnumbered().exists():
            yield last_number()
            return
    # What is committed and has no number cannot be told apart from what comes later: it gets its number here, where
    # nobody else gives any.
    with _nobody_else_numbers(), _repeatable_read():
        while number_committed():
            pass
        transaction.on_commit(partial(doorbell.ring, settings.RUN, *FOLLOWERS))
        yield last_number()


@contextmanager
def _repeatable_read() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


@contextmanager
def _nobody_else_numbers() -> Iterator[None]:
    """From before the transaction: one that waited for its lock inside would see what was before its wait."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _unnumbered() -> QuerySet[Event]:
    return Event.objects.filter(sequence__isnull=True)


def _advance(by: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_counter (name, value) VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET value = events_counter.value + %s RETURNING value",
            [COUNTER, by, by],
        )
        return int(cursor.fetchone()[0])
