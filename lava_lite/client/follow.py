"""Following jobs to their end: their logs from a byte on, or their state alone. Clock and server are passed in."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from lava_lite.client.api import Piece, Row
from lava_lite.client.errors import OutOfTime, Unreachable

SHORTEST, LONGEST, GROWTH = 0.25, 2.0, 1.5  # seconds between two questions, while there is nothing new
FIRST_RETRY, LAST_RETRY = 0.5, 10.0
PATIENCE = 600.0  # how long a server may be away
WAITING = ("Submitted", "Scheduling", "Scheduled")
RUNNING = "Running"
FINISHED = "Finished"

T = TypeVar("T")


class Timer:
    """Waits, and raises OutOfTime when the limit is over."""

    def __init__(
        self,
        limit: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.now = clock
        self._sleep = sleep
        self._limit = limit
        self._end = None if limit is None else clock() + limit

    @property
    def left(self) -> float | None:
        """Seconds; None without a limit."""
        return None if self._end is None else self._end - self.now()

    def wait(self, seconds: float) -> None:
        left = seconds if self._end is None else self._end - self.now()
        self._sleep(max(min(seconds, left), 0))
        if left <= seconds and self._end is not None:
            raise OutOfTime(f"{self._limit:g} s are over.")


class Pace:
    """Pauses that grow while nothing happens."""

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._pause = SHORTEST

    def something_happened(self) -> None:
        self._pause = SHORTEST

    def wait(self) -> None:
        self._timer.wait(self._pause)
        self._pause = min(self._pause * GROWTH, LONGEST)


class Steady:
    """Asks again when the connection is lost, ever more slowly; Unreachable when that has lasted too long."""

    def __init__(self, timer: Timer, tell: Callable[[str], None]) -> None:
        self._timer = timer
        self._tell = tell

    def __call__(self, ask: Callable[[], T]) -> T:
        lost_at: float | None = None
        pause = FIRST_RETRY
        while True:
            try:
                return ask()
            except Unreachable as lost:
                lost_at = self._timer.now() if lost_at is None else lost_at
                if self._timer.now() - lost_at >= PATIENCE:
                    raise
                self._tell(f"{lost} Trying again …")
            self._timer.wait(pause)
            pause = min(pause * 2, LAST_RETRY)


class Source(Protocol):
    def job(self) -> Row: ...
    def piece(self, *, start: int, attempt: int | None, end: int | None = None) -> Piece: ...


class Viewer(Protocol):
    def content(self, piece: Piece) -> None: ...
    def status(self, text: str) -> None: ...
    def note(self, text: str) -> None: ...


def wait(source: Source, viewer: Viewer, timer: Timer, *, until: Sequence[str] = (FINISHED,)) -> Row:
    """The job when it has ended, or has come to one of these states."""
    steady, pace, before = Steady(timer, viewer.status), Pace(timer), ""
    while True:
        job = steady(source.job)
        if job["state"] in until:
            return job
        if (now := sentence(job)) != before:
            pace.something_happened()
            before = now
        viewer.status(now)
        pace.wait()


class Follower:
    """Shows every byte of a log once, attempt by attempt, or of the one that was asked for."""

    def __init__(
        self, source: Source, viewer: Viewer, timer: Timer, *, start: int = 0, attempt: int | None = None
    ) -> None:
        self.ended: Row | None = None  # the job, when its log has ended
        self._source = source
        self._viewer = viewer
        self._steady = Steady(timer, viewer.status)
        self._start = start
        self._wanted = self._shown = attempt
        self._silent = True

    def go_on(self) -> bool:
        """Show what has come; whether anything has."""
        piece = self._steady(lambda: self._source.piece(start=self._start, attempt=self._shown))
        # From now on of this attempt alone, so that none ends before its last byte was read.
        self._shown = self._shown or piece.attempt
        self._viewer.content(piece)
        self._start = piece.new_size
        if piece.is_finished:
            self._end_attempt()
            return True
        if piece.content:
            self._silent = False
            return True
        if self._silent:
            job = self._steady(self._source.job)
            self._silent = job["state"] in WAITING
            self._viewer.status(sentence(job))
        return False

    def _end_attempt(self) -> None:
        job = self._steady(self._source.job)
        if self._wanted or not self._shown or job["attempt"] <= self._shown:
            self.ended = job
            return
        self._shown, self._start, self._silent = self._shown + 1, 0, True
        self._viewer.note(f"Attempt {self._shown} begins.")


def follow(followers: Sequence[Follower], timer: Timer) -> list[Row]:
    """Each in its turn, until the logs of all have ended. The jobs then."""
    pace = Pace(timer)
    while going := [follower for follower in followers if follower.ended is None]:
        moved = [follower.go_on() for follower in going]
        if any(moved):
            pace.something_happened()
        else:
            pace.wait()
    return [follower.ended for follower in followers if follower.ended is not None]


def read(
    source: Source, viewer: Viewer, *, start: int = 0, end: int | None = None, attempt: int | None = None
) -> None:
    """What is there now, nothing of it behind `end`."""
    while end is None or start < end:
        piece = source.piece(start=start, attempt=attempt, end=end)
        attempt = attempt or piece.attempt
        viewer.content(piece)
        if not piece.content:
            return
        start = piece.new_size


def sentence(job: Row) -> str:
    where = f" on {job['device']}" if job.get("device") else ""
    why = f": {job['reason']}" if job.get("reason") else ""
    return f"Job {job['number']} is {job['state']}{where}{why}"
