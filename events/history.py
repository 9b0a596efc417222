"""What has happened, in pages: for whoever asks now and then instead of listening. The same set as the streams tell.

A page is found by looking at a bounded number of events, so one with little or nothing in it may still lead on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Min, Q, QuerySet

from events import feed, numbering, retention, visibility
from events.catalogue import CATALOGUE
from events.models import Event
from events.selection import Selection

MOST = 500  # events of a page
SPAN = 20_000  # numbers that one page looks through
LOOKED_AT = 2_000  # events of which one page asks who may see them, at most
DIGITS = 18  # of a number that surely fits in a column
PIECE = 200  # that are asked about at once, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events, and up to where they were looked for."""

    events: list[Event]
    reached: int  # every event between where the page began and this number, itself included, was looked at
    is_last: bool  # whether there is nothing beyond it
    oldest: int  # `sequence` from which on every event is still here
    last: int  # the newest `sequence`


def after(user: Any, selection: Selection, since: int | None, limit: int) -> Page:
    """The next events after a number, oldest first; without one, the oldest that are here. Lost as for a stream."""
    last = numbering.last_number()
    start = retention.last_cleared() if since is None else since
    end = max(start, min(last, start + SPAN))
    events, reached = _chosen(user, selection, _Way(start=start, end=end, limit=limit, step=1))
    # Asked afterwards: what is cleared away meanwhile is noticed then.
    feed.check(start)
    return Page(events=events, reached=reached, is_last=reached >= last, oldest=oldest(), last=last)


def before(user: Any, selection: Selection, sequence: int | None, limit: int) -> Page:
    """The events before a number, newest first; without one, the newest. Of old ones, those that were kept."""
    last = numbering.last_number()
    start = last + 1 if sequence is None else min(sequence, last + 1)
    end = max(1, start - SPAN)
    events, reached = _chosen(user, selection, _Way(start=start, end=end, limit=limit, step=-1))
    first = Event.objects.aggregate(first=Min("sequence"))["first"]
    is_last = first is None or reached <= first
    return Page(events=events, reached=reached, is_last=is_last, oldest=oldest(), last=last)


def one(user: Any, sequence: int) -> Event | None:
    """The event of this number, as the user may see it."""
    known = Event.objects.filter(sequence=sequence) if sequence < 10**DIGITS else Event.objects.none()
    seen = visibility.seen_by(user, list(known))
    return seen[0] if seen else None


def oldest() -> int:
    """`sequence` from which on every event is still here."""
    return retention.last_cleared() + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """From where on, exclusive, to where, inclusive, and in which direction events are looked for."""

    start: int
    end: int
    limit: int
    step: int  # 1: to newer ones; -1: to older ones

    def rows(self, candidates: QuerySet[Event], cursor: int) -> QuerySet[Event]:
        if self.step > 0:
            return candidates.filter(sequence__gt=cursor, sequence__lte=self.end).order_by("sequence")
        return candidates.filter(sequence__lt=cursor, sequence__gte=self.end).order_by("-sequence")


def _chosen(user: Any, selection: Selection, way: _Way) -> tuple[list[Event], int]:
    """The events, and the number up to which all were looked at."""
    candidates, size = _narrowed(selection), max(way.limit, PIECE)
    found: list[Event] = []
    cursor, looked_at = way.start, 0
    while looked_at < LOOKED_AT:
        piece = list(way.rows(candidates, cursor)[:size])
        for event in _matching(user, selection, piece):
            found.append(event)
            if len(found) == way.limit:
                return found, event.sequence or 0
        if len(piece) < size:
            return found, way.end
        cursor, looked_at = piece[-1].sequence or 0, looked_at + size
    return found, cursor


def _matching(user: Any, selection: Selection, events: list[Event]) -> Iterable[Event]:
    # Chosen from what is shown: a filter must not tell what an event hides.
    seen = visibility.seen_by(user, events)
    return (event for event in seen if selection.matches(event.type, event.data))


def _narrowed(selection: Selection) -> QuerySet[Event]:
    """All that may be chosen, and some that may not: what costs the database little."""
    rows = Event.objects.exclude(type__in=[name for name in CATALOGUE if not selection.hears(name)])
    numbers = selection.wanted.get("job", frozenset())
    if numbers and all(number.isdecimal() and len(number) <= DIGITS for number in numbers):
        # An event of a device names the job that has it, and is not an event of the job.
        rows = rows.filter(Q(job_id__in=[int(number) for number in numbers]) | Q(job_id__isnull=True))
    return rows
