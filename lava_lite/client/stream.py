"""A stream of events that goes on through every cut. Clock and server are passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from lava_lite.client.errors import Problem, Unreachable
from lava_lite.client.follow import FIRST_RETRY, LAST_RETRY, PATIENCE, Timer
from lava_lite.client.messages import Message, Row


class Tail:
    """One event after the other, as CloudEvents. Raises Unreachable when the server stays away for too long."""

    def __init__(
        self,
        source: Callable[[int | None], Iterator[Message]],
        timer: Timer,
        tell: Callable[[str], None],
        *,
        since: int | None = None,
    ) -> None:
        self.since = since  # all up to it was told; None: from now on
        self._source = source
        self._timer = timer
        self._tell = tell
        self._lost_at: float | None = None
        self._pause = FIRST_RETRY

    def __iter__(self) -> Iterator[Row]:
        while True:
            try:
                yield from self._until_cut()
            except Problem as problem:
                if problem.status != HTTPStatus.GONE:
                    raise
                self._go_on_with_what_is_left(problem.answer)
                continue
            except Unreachable as lost:
                self._bear(lost)
            self._timer.wait(self._pause)
            self._pause = min(self._pause * 2, LAST_RETRY)

    def _until_cut(self) -> Iterator[Row]:
        for message in self._source(self.since):
            self._lost_at, self._pause = None, FIRST_RETRY
            if message.kind == "reset":
                self._go_on_with_what_is_left(message.data)
                return
            if message.kind == "end":
                self._tell(str(message.data.get("reason", "")))
                return
            if message.id:
                self.since = int(message.id)
            if message.kind:
                yield message.data

    def _bear(self, lost: Unreachable) -> None:
        self._timer.wait(0)  # raises if what was lost is only the time
        self._lost_at = self._timer.now() if self._lost_at is None else self._lost_at
        if self._timer.now() - self._lost_at >= PATIENCE:
            raise lost
        self._tell(f"{lost} Trying again …")

    def _go_on_with_what_is_left(self, said: Any) -> None:
        """Some are gone for good: say so, and begin with the oldest that is still there."""
        try:
            oldest, last = int(said["oldest_sequence"]), int(said["last_sequence"])
        except (KeyError, TypeError, ValueError):
            raise Unreachable("The server does not say from where on its events are still there.") from None
        asked, self.since = self.since, oldest - 1 if (self.since or 0) < oldest else last
        self._tell(f"The events after {asked} are not all there any more: it goes on after {self.since}.")
