"""The lab-wide, gapless `sequence` of events.

SQLite has one writer at a time, so the insert itself takes the next number. PostgreSQL's writers commit in
any order, so one pass at a time numbers what is committed: row ids are given at insert and whoever writes
after having seen another's commit gets a higher one, hence the order of ids within a pass is causal.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction

from events.models import Event

COUNTER = "sequence"
LOCK = 5_500  # any number, the same in every process of the lab
BATCH = 1000


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
    with transaction.atomic():
        if not _only_one():
            return 0
        rows = list(Event.objects.filter(sequence__isnull=True).order_by("id").only("id")[:BATCH])
        if not rows:
            return 0
        first = _advance(len(rows)) - len(rows) + 1
        for sequence, event in enumerate(rows, start=first):
            event.sequence = sequence
        Event.objects.bulk_update(rows, ["sequence"])
    return len(rows)


def last_number() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM events_counter WHERE name = %s", [COUNTER])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _only_one() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def _advance(by: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_counter (name, value) VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET value = events_counter.value + %s RETURNING value",
            [COUNTER, by, by],
        )
        return int(cursor.fetchone()[0])
