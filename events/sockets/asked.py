"""What the address of a socket asks for: `?since=12&filter=job.%23`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs

from events.selection import Selection
from events.sockets.connection import BadQuery

LARGEST = 2**63 - 1  # that a `sequence` may be


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    selection: Selection
    since: int | None  # None: from now on

    @classmethod
    def of(cls, query: str) -> Self:
        """BadQuery or BadFilter for what makes no sense; names that are not known are passed over."""
        values = parse_qs(query, keep_blank_values=True)
        return cls(
            selection=Selection.parse(values.get("filter", [""])[-1]),
            since=sequence(values["since"][-1]) if "since" in values else None,
        )


def sequence(text: str) -> int:
    """BadQuery for what is no number of an event."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= LARGEST):
        raise BadQuery(f"since={text[:40]!r}: expected the sequence of the last event that you have, as 12")
    return int(text)
