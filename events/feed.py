"""The one way to read events: in the order of `sequence`, after a cursor."""

from __future__ import annotations

from core import rows
from events import numbering, retention
from events.models import Event

BATCH = 500


class Lost(Exception):
    """A cursor from which one cannot go on: whoever did would miss events and not know it."""

    def __init__(self, since: int, oldest: int, last: int) -> None:
        why = (
            f"the last one here is {last}; is it of another lab, or was this one restored?"
            if since > last
            else f"those after it are not all kept any more; from {oldest} on they are."
        )
        super().__init__(f"Events cannot be told after {since}: {why} Start anew from a snapshot.")
        self.since = since
        self.oldest = oldest  # `sequence` from which on every event is still here
        self.last = last  # the newest `sequence`


def after(sequence: int, *, limit: int = BATCH) -> list[Event]:
    """The next numbered events, oldest first; in SQL, as every follower asks it after every event."""
    return rows.select(Event, "WHERE sequence > %s ORDER BY sequence LIMIT %s", [sequence, limit])


def check(sequence: int) -> None:
    """Lost if one cannot go on after this number."""
    last, gone = numbering.last_number(), retention.last_cleared()
    if not gone <= sequence <= last:
        raise Lost(sequence, gone + 1, last)
