"""Which logs somebody looks at in this process, and the word that there is more of one.

The files are the truth. Whoever appends to a log rings a bell; all logs that are looked at are compared then with what
they were before, and once a second with every bell broken. A log is looked at once, however many its viewers are, and
none of them has a queue: each asks for what comes after its own offset when it is ready for more.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from django.conf import settings

from accounts import visitors
from accounts.visitors import Unwelcome, Visitor
from core.doorbell import Doorbell
from events.live import DATABASE_AWAY, ask, event_of, listening_inside
from events.models import Event
from events.selection import Selection
from events.sockets.connection import NotFound
from jobs import logs
from jobs.log_live import BELL
from jobs.logs.index import INDEX_NAME
from jobs.models import Job

log = logging.getLogger(__name__)

T = TypeVar("T")

SWEEP_SECONDS = 1.0  # with every bell broken
SWEEP_SHARE = 10  # so many times as long as a sweep took is the least pause after it
ALLOWED_SECONDS = 4.0  # how long an answer holds about who may read a log
WAIT_SECONDS = 60.0  # for an event, before it is asked again

PIECE = 64 * 1024  # bytes that one viewer is given at once
OF_JOBS = Selection(topics=("job.#",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the database says of a log."""

    directory: Path
    attempt: int
    is_finished: bool  # nothing is written to it any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What a viewer is told: the text that comes after byte `start`, in the words of log-tail."""

    start: int
    content: str
    new_size: int
    is_finished: bool


@dataclass(frozen=True, slots=True)
class Which:
    """The log that is asked for."""

    job: int
    attempt: int | None = None  # None: the latest, whichever that is


class Answer(Generic[T]):
    """What the database has answered to one question, asked once for all who want to know."""

    def __init__(self, question: Callable[[], T]) -> None:
        self._question = question
        self._asked: asyncio.Future[T] | None = None
        self._at = 0.0

    async def get(self, *, within: float = math.inf) -> T:
        """An answer that is no older than so many seconds. Raises what the question raises, and asks again then."""
        if self._asked is None or time.monotonic() - self._at > within:
            self._asked, self._at = asyncio.ensure_future(ask(self._question)), time.monotonic()
            self._asked.add_done_callback(_heed)
        asked = self._asked
        try:
            return asked.result() if asked.done() else await asyncio.shield(asked)
        except Exception:
            if self._asked is asked:
                self.forget()
            raise

    @property
    def known(self) -> T | None:
        asked = self._asked
        return None if asked is None or not asked.done() or asked.exception() else asked.result()

    def forget(self) -> None:
        self._asked = None


def _heed(asked: asyncio.Future[T]) -> None:
    """Whoever asked may have left meanwhile, and an error that nobody took would be complained of."""
    if not asked.cancelled():
        asked.exception()


class Watched:
    """One log while somebody looks at it."""

    def __init__(self, which: Which) -> None:
        self.which = which
        self.viewers = 0
        self.news = asyncio.Event()
        self._facts = Answer(partial(_facts, which))
        self._allowed: dict[Visitor, Answer[None]] = {}
        self._seen: tuple[int, int] | None = None
        self._last: tuple[Facts, Piece] | None = None  # that was read; most viewers want the same

    async def facts(self) -> Facts:
        """As they were after the last event of the job. NotFound for one that is gone."""
        return await self._facts.get()

    async def require(self, visitor: Visitor) -> None:
        """NotFound or Unwelcome for whom the log is hidden; the answer holds for some seconds."""
        answer = self._allowed.setdefault(visitor, Answer(partial(_require, self.which, visitor)))
        await answer.get(within=ALLOWED_SECONDS)

    def read(self, facts: Facts, start: int) -> Piece:
        if self._last is not None:
            whose, piece = self._last
            if whose is facts and piece.start == start:
                return piece
        piece = _read(facts, start)
        self._last = facts, piece
        return piece

    def outdate(self) -> None:
        """Something happened to the job: what was known of it is asked anew."""
        self._facts.forget()
        self.wake()

    def look(self) -> None:
        """Wake the viewers if the log is not what it was, or if they could not be told how it is."""
        facts = self._facts.known
        if facts is None:
            self.wake()
        elif self._seen != (seen := _stat(facts.directory / INDEX_NAME)):
            self._seen = seen
            self.wake()

    def wake(self) -> None:
        self._last = None
        self.news.set()
        self.news = asyncio.Event()


def _stat(path: Path) -> tuple[int, int]:
    """What changes with every record; zeros where there is no file."""
    try:
        stat = os.stat(path)
    except OSError:
        return 0, 0
    return stat.st_ino, stat.st_size


class Watcher:
    """All logs that are looked at in this process. Rests while there is none."""

    def __init__(self) -> None:
        self.watched: dict[Which, Watched] = {}
        self._begun: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def attach(self, which: Which) -> Watched:
        found = self.watched.setdefault(which, Watched(which))
        found.viewers += 1
        if self._begun is None:
            self._begun = asyncio.get_running_loop().create_future()
            self._tasks = [asyncio.create_task(self._sweep()), asyncio.create_task(self._hear(self._begun))]
        # What happens to the job from now on is heard of, before it is asked how it is.
        await asyncio.shield(self._begun)
        return found

    def detach(self, which: Which) -> None:
        found = self.watched[which]
        found.viewers -= 1
        if not found.viewers:
            del self.watched[which]
        if not self.watched:
            for task in self._tasks:
                task.cancel()
            self._begun, self._tasks = None, []

    async def _sweep(self) -> None:
        with Doorbell(settings.RUN, BELL) as bell, event_of(bell) as rung:
            while True:
                rung.clear()
                begun = time.monotonic()
                for watched in list(self.watched.values()):
                    watched.look()
                await asyncio.sleep(SWEEP_SHARE * (time.monotonic() - begun))
                with suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), SWEEP_SECONDS)

    async def _hear(self, begun: asyncio.Future[None]) -> None:
        while True:
            try:
                await self._hear_events(begun)
            except Exception:
                log.warning("The events of jobs could not be heard; it is tried again", exc_info=True)
            if not begun.done():
                begun.set_result(None)  # viewers are told by the files alone meanwhile
            await asyncio.sleep(SWEEP_SECONDS)
            for watched in list(self.watched.values()):
                watched.outdate()  # something may have happened that was not heard of

    async def _hear_events(self, begun: asyncio.Future[None]) -> None:
        async with listening_inside(OF_JOBS) as listener:
            if not begun.done():
                begun.set_result(None)
            while True:
                self._outdate(await listener.next(WAIT_SECONDS))

    def _outdate(self, events: Iterable[Event]) -> None:
        jobs = {event.job_id for event in events}
        for watched in list(self.watched.values()):
            if watched.which.job in jobs:
                watched.outdate()


class Viewer:
    """Who looks at one log, and how far they have come."""

    def __init__(self, watched: Watched, visitor: Visitor, start: int) -> None:
        self.start = start
        self._watched = watched
        self._visitor = visitor
        self._attempt: int | None = None  # none yet

    async def attempt(self) -> int:
        """Whose log it is. The errors are those of `next`."""
        await self._watched.require(self._visitor)
        return (await self._watched.facts()).attempt

    async def next(self, seconds: float) -> Piece:
        """What comes next, and first of all what there is; after so many seconds without any, an empty piece.

        A piece that starts before the end of the one before it is of a new attempt. NotFound or Unwelcome for
        whom the log is hidden by now; the errors of a database that is away only until the first piece is given.
        """
        until = time.monotonic() + seconds
        while True:
            news = self._watched.news  # from before the look, so that nothing is missed after it
            if piece := await self._look():
                return piece
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await news.wait()
            except TimeoutError:
                return Piece(start=self.start, content="", new_size=self.start, is_finished=False)

    async def _look(self) -> Piece | None:
        """The next piece, if there is one."""
        try:
            # The state is read before the log is: what is called finished has no more to come.
            facts = await self._watched.facts()
            first = facts.attempt != self._attempt
            piece = self._watched.read(facts, 0 if first and self._attempt is not None else self.start)
            if not (first or piece.content or piece.is_finished or piece.new_size != self.start):
                return None
            await self._watched.require(self._visitor)
        except DATABASE_AWAY as error:
            if self._attempt is None:
                raise
            log.warning("A viewer of a log waits for the database: %s", error)
            return None
        self._attempt, self.start = facts.attempt, piece.new_size
        return piece


watcher = Watcher()


@asynccontextmanager
async def viewing(which: Which, visitor: Visitor, start: int = 0) -> AsyncIterator[Viewer]:
    """A viewer of a log from byte `start` on."""
    try:
        # Whoever leaves while this waits is counted already.
        yield Viewer(await watcher.attach(which), visitor, start)
    finally:
        watcher.detach(which)


def _facts(which: Which) -> Facts:
    job = Job.objects.only("state", "attempt", "submit_time").filter(pk=which.job).first()
    if job is None:
        raise _not_found(which)
    attempt = which.attempt or job.attempt
    return Facts(
        directory=job.log_directory(attempt),
        attempt=attempt,
        is_finished=job.is_finished or attempt < job.attempt,
    )


def _require(which: Which, visitor: Visitor) -> None:
    user = visitors.user_of(visitor)
    if visitor not in visitors.still_welcome([visitor]):
        raise Unwelcome("What opened this log is expired or revoked.")
    job = Job.objects.visible_to(user).filter(pk=which.job).first()
    if job is None:
        raise _not_found(which)
    if which.attempt is not None and not job.shows_attempt(which.attempt, user):
        raise NotFound(f"Job {job.number} has had no attempt {which.attempt}, or it is hidden from you.")


def _not_found(which: Which) -> NotFound:
    return NotFound(f"There is no job {which.job}, or it is hidden from you.")


def _read(facts: Facts, start: int) -> Piece:
    tail = logs.read(facts.directory, start, PIECE, finished=facts.is_finished)
    return Piece(
        start=start,
        content=tail.content,
        new_size=tail.new_size,
        is_finished=facts.is_finished and tail.at_end,
    )
