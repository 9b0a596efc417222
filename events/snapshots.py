"""What the lab is like at one moment: from where a listener knows all by the events alone.

The packages above say how the things are that their events tell of. Who sees what of it is decided by the rules for
the events themselves, as each thing is shown like an event that has just happened to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from events import numbering, visibility
from events.models import Event
from events.selection import Selection

AS_OF = "as_of_sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Things of one kind, by the name under which a snapshot has them."""

    name: str
    subject: str  # whose rule of sight decides
    read: Callable[[], Iterable[Event]]  # all of them, as events that are written nowhere


_parts: list[Part] = []


def register(name: str, subject: str, read: Callable[[], Iterable[Event]]) -> None:
    _parts.append(Part(name=name, subject=subject, read=read))


def taken(user: Any, selection: Selection) -> dict[str, Any]:
    """`as_of_sequence`, and of each kind the payloads of all things that the user may see.

    Narrowed by what the selection says of things; its topics speak of events only.
    """
    with numbering.moment() as sequence:
        return {AS_OF: sequence} | {part.name: _shown(part, user, selection) for part in _parts}


def _shown(part: Part, user: Any, selection: Selection) -> list[dict[str, Any]]:
    seen = visibility.seen_of(part.subject, list(part.read()), user)
    return [event.data for event in seen if selection.is_about(event.data)]
