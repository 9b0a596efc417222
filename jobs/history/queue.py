"""The queue over time: after each move of a job, how many unfinished ones there were in each state.

The records are made from the numbered events, in their order, so that they can be made again from them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.db import transaction
from django.db.models import Max, Min, OuterRef, QuerySet, Subquery

from events import numbering
from events.models import Counter, Event
from jobs.models import QueueBucket, QueueRecord
from jobs.states import MOVES, State

Counts = dict[str, int]  # by the label of a state, those that are not 0
Told = Any  # a row of `_told_between`

COUNTER = "queue-history"  # how far the events were taken in; its row is the lock of whoever does it
BATCH = 500
TELL_A_STATE = frozenset(event for move in MOVES for event in move.events)

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86400
STORED_SPANS = (MINUTE, HOUR, DAY)
# The longest time that is shown by buckets of each span.
REACH = {
    SECOND: timedelta(hours=1),
    MINUTE: timedelta(days=1),
    HOUR: timedelta(days=31),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records, the newest first."""

    records: list[QueueRecord]
    number: int  # from 0
    size: int
    total: int

    @property
    def pages(self) -> int:
        return -(-self.total // self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The busiest moment of a stretch of time, and how that ended."""

    start: datetime
    peak: Counts
    last: Counts

    def with_record(self, counts: Counts) -> Self:
        # Of two moments as busy as each other the later one: a job that waits for a blink runs for the rest.
        is_as_busy = sum(counts.values()) >= sum(self.peak.values())
        return type(self)(start=self.start, peak=counts if is_as_busy else self.peak, last=counts)


def run_once() -> None:
    """Take in all the events that have a number."""
    if Counter.objects.filter(name=COUNTER, value=numbering.last_number()).exists():
        return  # without a lock, as nearly always nothing has happened
    while _take_in() == BATCH:
        continue


def clear(*, up_to: int) -> None:
    """Delete the records of events up to this `sequence`; the buckets stay, and so does what the next record needs."""
    last = QueueRecord.objects.aggregate(last=Max("number"))["last"]
    QueueRecord.objects.filter(sequence__lte=up_to).exclude(number=last).delete()


def page(number: int, size: int) -> Page:
    """A page of records, the newest first; a negative number counts from the oldest one, -1 being the last page."""
    # Asked for together, SQLite would look at every row for them.
    first, last = (QueueRecord.objects.aggregate(end=end("number"))["end"] for end in (Min, Max))
    if last is None:
        return Page(records=[], number=0, size=size, total=0)
    total = last - first + 1
    if number < 0:
        number = max(0, number + -(-total // size))
    newest = last - number * size
    rows = QueueRecord.objects.filter(number__lte=newest, number__gt=newest - size)
    return Page(records=list(rows.order_by("-number")), number=number, size=size, total=total)


def span_for(length: timedelta) -> int:
    """Seconds of a bucket, so that there are not too many."""
    return next((span for span, reach in REACH.items() if length <= reach), DAY)


def buckets(since: datetime, until: datetime) -> list[Bucket]:
    """Those in which a job moved, the oldest first."""
    span = span_for(until - since)
    if span == SECOND:
        records = QueueRecord.objects.filter(time__gte=since, time__lt=until).order_by("number")
        return list(_gathered(records, SECOND).values())
    rows = QueueBucket.objects.filter(span=span, start__gte=begin(since, span), start__lt=until)
    return [Bucket(start=row.start, peak=row.peak, last=row.last) for row in rows.order_by("start")]


def before(moment: datetime) -> Counts:
    """How many there were just before."""
    record = QueueRecord.objects.filter(time__lt=moment).order_by("-time", "-number").first()
    return record.counts if record else {}


def begin(moment: datetime, span: int) -> datetime:
    """The start of the bucket that a moment lies in; days are those of UTC."""
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % span, UTC)


@transaction.atomic
def _take_in() -> int:
    Counter.objects.get_or_create(name=COUNTER)
    position = Counter.objects.select_for_update().get(name=COUNTER)
    newest = numbering.last_number()
    events = list(_told_between(position.value, newest)[:BATCH])
    records = list(_records(QueueRecord.objects.order_by("-number").first(), events))
    QueueRecord.objects.bulk_create(records)
    for span in STORED_SPANS:
        _store_buckets(records, span)
    position.value = events[-1].sequence if len(events) == BATCH else newest
    position.save()
    return len(events)


def _told_between(after: int, newest: int) -> QuerySet[Any, Told]:
    """What was told of the states of jobs, each time with what had been told of the same job before."""
    of_job = Event.objects.filter(job_id=OuterRef("job_id"), job_sequence__lt=OuterRef("job_sequence"))
    before = of_job.filter(type__in=TELL_A_STATE).order_by("-job_sequence").values("data__state")[:1]
    events = Event.objects.filter(type__in=TELL_A_STATE, sequence__gt=after, sequence__lte=newest)
    rows = (
        events.order_by("sequence")
        .annotate(source=Subquery(before))
        .values_list("sequence", "time", "source", "data__state", named=True)
    )
    return rows


def _records(last: QueueRecord | None, events: Iterable[Told]) -> Iterator[QueueRecord]:
    number = last.number if last else 0
    counts = last.counts if last else {}
    moment = last.time if last else None
    for event in events:
        target = event.data__state
        if event.source == target:
            continue
        number += 1
        counts = moved(counts, event.source, target)
        # Events are told in the order of their commits, which need not be that of the clocks.
        moment = max(moment, event.time) if moment else event.time
        yield QueueRecord(number=number, sequence=event.sequence, time=moment, counts=counts)


def waiting_and_running(counts: Counts) -> tuple[int, int]:
    """Those that wait, be it for others of their group, and those that have their device to themselves."""
    waiting = sum(counts.get(state.label, 0) for state in (State.SUBMITTED, State.SCHEDULING))
    return waiting, sum(counts.values()) - waiting


def moved(counts: Counts, source: str | None, target: str) -> Counts:
    """After a job went from a state (None: from nothing) to another; finished ones are not counted."""
    changed = dict(counts)
    if source is not None:
        changed[source] = changed.get(source, 0) - 1
    if target != State.FINISHED.label:
        changed[target] = changed.get(target, 0) + 1
    return {state: count for state, count in changed.items() if count > 0}


def _gathered(
    records: Iterable[QueueRecord], span: int, known: dict[datetime, Bucket] | None = None
) -> dict[datetime, Bucket]:
    """Buckets with these records, by their start; `known`: those that there are already."""
    found = dict(known or {})
    for record in records:
        start = begin(record.time, span)
        bucket = found.get(start) or Bucket(start=start, peak=record.counts, last=record.counts)
        found[start] = bucket.with_record(record.counts)
    return found


def _store_buckets(records: list[QueueRecord], span: int) -> None:
    starts = {begin(record.time, span) for record in records}
    stored = QueueBucket.objects.filter(span=span, start__in=starts)
    known = {row.start: Bucket(start=row.start, peak=row.peak, last=row.last) for row in stored}
    rows = [
        QueueBucket(span=span, start=bucket.start, peak=bucket.peak, last=bucket.last)
        for bucket in _gathered(records, span, known).values()
    ]
    QueueBucket.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["span", "start"], update_fields=["peak", "last"]
    )
