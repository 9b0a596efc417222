"""A transport that keeps what it gets: for tests, and for trying out."""

from __future__ import annotations

from collections.abc import Sequence

from events.models import Event
from events.transports import TransportDown


class Memory:
    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.sent: list[Event] = []
        self.is_down = False

    def send(self, events: Sequence[Event]) -> None:
        if self.is_down:
            raise TransportDown("switched off")
        self.sent.extend(events)

    def close(self) -> None:
        self.is_down = True
