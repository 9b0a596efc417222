"""How many jobs are in the queue, for those who listen: counted once for all sockets of a user."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from accounts import visitors
from accounts.visitors import Visitor
from events import live
from events.live import AWAY_SECONDS, DATABASE_AWAY, ask
from jobs import queue_now
from jobs.queue_now import QueueNow

log = logging.getLogger(__name__)

OLD_SECONDS = 1.0  # how old a count may be after something has happened
RIGHTS_SECONDS = 4.0  # and while nothing has: what one may see changes without an event
PAUSE_SECONDS = 0.1  # between two counts for one user, however much happens
SHARE = 5  # and so many times as long as the last one took
FORGET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Count:
    begun: float
    as_of: int  # everything up to this event was there to be counted
    answer: asyncio.Future[tuple[QueueNow, float]]  # and how long it took, in seconds

    @property
    def age(self) -> float:
        return time.monotonic() - self.begun


class Counting:
    """The counts of one event loop."""

    def __init__(self) -> None:
        self._counts: dict[int | None, _Count] = {}

    async def after(self, visitor: Visitor, sequence: int) -> QueueNow:
        """With all that had happened up to this event. Unwelcome for a user who may not log in any more."""
        return await self._fresh(visitor, lambda count: count.as_of >= sequence)

    async def now(self, visitor: Visitor) -> QueueNow:
        """About a second old at most; raises as `after`."""
        return await self._fresh(visitor, _is_fresh)

    async def _fresh(self, visitor: Visitor, is_fresh: Callable[[_Count], bool]) -> QueueNow:
        while True:
            count = self._counts.get(visitor.user_id)
            if count is None:
                count = self._begin(visitor)
            try:
                found, took = await asyncio.shield(count.answer)
            except DATABASE_AWAY as error:
                log.warning("The queue could not be counted; it is tried again: %s", error)
                await asyncio.sleep(AWAY_SECONDS)
                self._forget(visitor, count)
                continue
            except Exception:
                self._forget(visitor, count)
                raise
            if is_fresh(count):
                return found
            await asyncio.sleep(max(PAUSE_SECONDS, SHARE * took) - count.age)
            self._forget(visitor, count)

    def _begin(self, visitor: Visitor) -> _Count:
        count = _Count(time.monotonic(), live.live.last, asyncio.ensure_future(ask(_count, visitor)))
        self._counts = {user: each for user, each in self._counts.items() if each.age < FORGET_SECONDS}
        self._counts[visitor.user_id] = count
        return count

    def _forget(self, visitor: Visitor, count: _Count) -> None:
        """Unless another socket of the user has had it counted anew already."""
        if self._counts.get(visitor.user_id) is count:
            del self._counts[visitor.user_id]


_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Counting] = WeakKeyDictionary()


def counting() -> Counting:
    """That of the loop that runs."""
    return _of_loops.setdefault(asyncio.get_running_loop(), Counting())


def _is_fresh(count: _Count) -> bool:
    return count.age < (RIGHTS_SECONDS if count.as_of == live.live.last else OLD_SECONDS)


def _count(visitor: Visitor) -> tuple[QueueNow, float]:
    begun = time.monotonic()
    return queue_now.of(visitors.user_of(visitor)), time.monotonic() - begun
