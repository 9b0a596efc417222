"""How the outgoing transports are: for the doctor, and for whoever else watches the lab."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from events import feed, numbering, publisher
from events.models import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Of one transport that is configured."""

    position: Position
    lag: int  # events that are not sent yet
    oldest: datetime | None  # when the first of them happened; None: all are sent


def transports() -> list[Status]:
    """In the order of their names. One that the publisher has not begun to drive is missing."""
    last = numbering.last_number()
    names = [transport.name for transport in publisher.configured()]
    positions = Position.objects.filter(transport__in=names).order_by("transport")
    return [_status(position, last) for position in positions]


def _status(position: Position, last: int) -> Status:
    waiting = feed.after(position.sequence, limit=1)
    return Status(
        position=position,
        lag=max(0, last - position.sequence),
        oldest=waiting[0].time if waiting else None,
    )
