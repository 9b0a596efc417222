"""Following the events as they happen, inside the web process: one reader for all, a cursor for each listener.

A listener has no queue. It asks for what comes after its cursor when it is ready for more: from the window of the
newest events, which all listeners share, or if it has fallen behind that, from the table. So a slow listener costs
nobody anything, and one that was cut off goes on from its last `sequence` as if nothing had happened.

What a listener may hear is asked anew for every piece, once for all listeners of one user.
"""

from __future__ import annotations

import asyncio
import bisect
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections

from accounts import visitors
from accounts.visitors import ANONYMOUS, Unwelcome, Visitor
from core.doorbell import Doorbell
from core.tally import tally
from events import feed, numbering, visibility
from events.feed import Lost as Lost
from events.models import Event
from events.selection import Selection

log = logging.getLogger(__name__)

T = TypeVar("T")

WINDOW = 2_000  # events at least, and twice as many at most
PIECE = feed.BATCH
THREADS = 2  # that ask the database
POLL_SECONDS = 2.0  # with every bell broken
WELCOME_SECONDS = 2.0  # between two looks at whose tokens and sessions are still valid
AWAY_SECONDS = 1.0  # between two tries while the database is away
SHARED_SECONDS = (
    1.0  # how old an answer about rights may be that was given to another listener of the same user
)
OTHERS, INSIDE = "other", "inside"  # dialects of listeners: one that has no name, and the lab itself

DATABASE_AWAY = (OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True)
class _Key:
    user_id: int | None
    first: int
    last: int


class LiveFeed:
    """What has happened lately, for all listeners of this process. Rests while there is none."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self._window: list[Event] = []
        self._last = 0
        self.read_at = time.monotonic()  # when it last looked for new events, and could
        self._news: asyncio.Event
        self._answers: dict[_Key, tuple[float, asyncio.Future[list[Event]]]] = {}
        self._begun: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def attach(self, listener: Listener) -> None:
        self.listeners.add(listener)
        if self._begun is None:
            self._begun = asyncio.create_task(self._begin())
        await asyncio.shield(self._begun)

    def detach(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        if self.listeners:
            return
        for task in (self._begun, *self._tasks):
            if task is not None:
                task.cancel()
        self._begun, self._tasks = None, []

    async def _begin(self) -> None:
        self._window, self._answers, self._news = [], {}, asyncio.Event()
        self.read_at = time.monotonic()
        self._last = await ask(numbering.last_number)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._see_out())]

    @property
    def last(self) -> int:
        """`sequence` of the newest event that was read."""
        return self._last

    async def after(self, cursor: int) -> list[Event]:
        """The next events after a cursor, at most PIECE of them. Lost if some of them are gone."""
        if cursor >= self._last:
            return []
        if self._window and cursor >= _sequence(self._window[0]) - 1:
            start = bisect.bisect_right(self._window, cursor, key=_sequence)
            return self._window[start : start + PIECE]
        return await ask(_from_table, cursor)

    async def wait(self, cursor: int, seconds: float) -> None:
        """Until there may be something after the cursor, or the seconds are over."""
        if cursor >= self._last:
            # `wait_for` would make a task each time, for each of a thousand listeners.
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()

    async def seen(self, visitor: Visitor, events: Sequence[Event]) -> list[Event]:
        """Those that the visitor may hear of."""
        key = _Key(visitor.user_id, _sequence(events[0]), _sequence(events[-1]))
        given, answer = self._answers.get(key, (0.0, None))
        if answer is None or time.monotonic() - given > SHARED_SECONDS:
            answer = asyncio.ensure_future(ask(_seen, visitor, events))
            self._answers[key] = (time.monotonic(), answer)
        try:
            return answer.result() if answer.done() else await asyncio.shield(answer)
        except DATABASE_AWAY:
            self._answers.pop(key, None)
            raise

    async def _read(self) -> None:
        with Doorbell(settings.RUN, "web") as bell, event_of(bell) as rung:
            while True:
                rung.clear()
                if not await self._read_piece():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(rung.wait(), POLL_SECONDS)

    async def _read_piece(self) -> bool:
        """Whether there may be more at once."""
        try:
            events = await ask(feed.after, self._last)
        except Exception:
            log.warning("The events could not be read; it is tried again", exc_info=True)
            return False
        self.read_at = time.monotonic()
        if not events:
            return False
        if _sequence(events[0]) != self._last + 1:
            self._window.clear()  # events in between were cleared away
        self._window.extend(events)
        if len(self._window) > 2 * WINDOW:
            del self._window[:-WINDOW]
        self._last = _sequence(events[-1])
        self._forget_answers()
        self.wake()
        return len(events) == PIECE

    def wake(self) -> None:
        """All who wait look whether there is something for them."""
        self._news.set()
        self._news = asyncio.Event()

    def _forget_answers(self) -> None:
        oldest = time.monotonic() - SHARED_SECONDS
        self._answers = {key: answer for key, answer in self._answers.items() if answer[0] > oldest}

    async def _see_out(self) -> None:
        """End the streams of those whose token or session is not valid any more."""
        while True:
            await asyncio.sleep(WELCOME_SECONDS)
            here = list(self.listeners)
            try:
                welcome = await ask(visitors.still_welcome, {listener.visitor for listener in here})
            except Exception:
                log.warning("Who may still listen could not be asked; it is tried again", exc_info=True)
                continue
            for listener in here:
                if listener.visitor not in welcome:
                    listener.dismiss()


class Listener:
    """One stream: who listens, to what, and how far it has come."""

    def __init__(
        self, live: LiveFeed, visitor: Visitor, selection: Selection, cursor: int, dialect: str = OTHERS
    ) -> None:
        self.visitor = visitor
        self.selection = selection
        self.cursor = cursor  # all up to it was told, or was not for this listener
        self.dialect = dialect  # for the metrics
        self._live = live
        self._dismissed = asyncio.Event()

    async def next(self, seconds: float) -> list[Event]:
        """The next events for this listener, at most PIECE; none if the seconds are over first.

        Unwelcome when its token, session or user is not valid any more; Lost as `LiveFeed.after`.
        """
        until = time.monotonic() + seconds
        while True:
            if self._dismissed.is_set():
                raise Unwelcome("What opened this stream is expired or revoked.")
            try:
                events = await self._live.after(self.cursor)
                if events and (chosen := await self._choose(events)):
                    tally.count("lava_lite_listener_events_total", self.dialect, by=len(chosen))
                    return chosen
            except Lost:
                tally.count("lava_lite_listener_resets_total", self.dialect)
                raise
            except DATABASE_AWAY as error:
                log.warning("A listener waits for the database: %s", error)
                await asyncio.sleep(AWAY_SECONDS)
            left = until - time.monotonic()
            if left <= 0:
                return []
            if not self._dismissed.is_set():
                await self._live.wait(self.cursor, left)

    def dismiss(self) -> None:
        """Its `next` raises Unwelcome, now or when it is asked."""
        self._dismissed.set()
        self._live.wake()

    async def go_on_after(self, since: int) -> None:
        """Tell next what came after this number. Lost for one that was not given yet."""
        if since > self._live.last:
            await ask(feed.check, since)
        self.cursor = since

    def go_on_from_now(self) -> None:
        self.cursor = self._live.last

    async def _choose(self, events: list[Event]) -> list[Event]:
        seen = await self._live.seen(self.visitor, events)
        self.cursor = _sequence(events[-1])
        return self.chosen(seen)

    def chosen(self, seen: Sequence[Event]) -> list[Event]:
        # Chosen from what is shown: a filter must not tell what an event hides.
        return [event for event in seen if self.selection.matches(event.type, event.data)]


class Insider(Listener):
    """Hears of everything, whoever may see it: for the lab itself, which tells nobody what it heard."""

    async def _choose(self, events: list[Event]) -> list[Event]:
        self.cursor = _sequence(events[-1])
        return self.chosen(events)


live = LiveFeed()


@asynccontextmanager
async def listening(
    visitor: Visitor, selection: Selection, since: int | None = None, *, dialect: str = OTHERS
) -> AsyncIterator[Listener]:
    """A listener from after `since` on, or from now. Lost for a number that was not given yet."""
    async with _attached(Listener(live, visitor, selection, 0, dialect)) as listener:
        if since is not None:
            await listener.go_on_after(since)
        yield listener


@asynccontextmanager
async def listening_inside(selection: Selection) -> AsyncIterator[Listener]:
    """A listener of the lab itself, from now on."""
    async with _attached(Insider(live, ANONYMOUS, selection, 0, INSIDE)) as listener:
        yield listener


@asynccontextmanager
async def _attached(listener: Listener) -> AsyncIterator[Listener]:
    try:
        await live.attach(listener)
        listener.go_on_from_now()
        with tally.present("lava_lite_listeners", listener.dialect):
            yield listener
    finally:
        live.detach(listener)


async def ask(question: Callable[..., T], *args: Any) -> T:
    """Ask the database from one of the few threads that this process keeps for it."""

    def answer() -> T:
        close_old_connections()
        return question(*args)

    return await asyncio.get_running_loop().run_in_executor(_threads, answer)


_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="events")


@contextmanager
def event_of(bell: Doorbell) -> Iterator[asyncio.Event]:
    """An asyncio event that the doorbell sets."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()

    def rung() -> None:
        bell.drain()
        event.set()

    loop.add_reader(bell.fileno(), rung)
    try:
        yield event
    finally:
        loop.remove_reader(bell.fileno())


def _seen(visitor: Visitor, events: Sequence[Event]) -> list[Event]:
    try:
        user = visitors.user_of(visitor)
    except Unwelcome:
        return []
    return visibility.seen_by(user, events)


def _from_table(cursor: int) -> list[Event]:
    events = feed.after(cursor)
    # Asked afterwards: what is cleared away between two questions is noticed then.
    feed.check(cursor)
    return events


def _sequence(event: Event) -> int:
    return event.sequence or 0
