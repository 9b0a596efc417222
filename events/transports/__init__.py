"""The outgoing transports. Each takes batches of events in order, and says so when it can not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from events.models import Event


class TransportDown(Exception):
    """It takes nothing now; the same events are offered again later."""


class Transport(Protocol):
    name: str  # of its position in the table

    def send(self, events: Sequence[Event]) -> None:
        """Hand on all of them, in order; TransportDown if not all went out.

        Called with none, each second or so, when there is nothing to tell: to see that it could.
        """

    def close(self) -> None: ...
