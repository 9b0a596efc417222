"""The one way to read events: in the order of `sequence`, after a cursor."""

from __future__ import annotations

from events.models import Event

BATCH = 500


def after(sequence: int, *, limit: int = BATCH) -> list[Event]:
    """The next numbered events, oldest first."""
    return list(Event.objects.filter(sequence__gt=sequence).order_by("sequence")[:limit])
