"""Following with a clock and a server made of plain values: nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lava_lite.client import follow
from lava_lite.client.api import Piece, Row
from lava_lite.client.errors import OutOfTime, Unreachable
from lava_lite.client.follow import Follower, Timer
from tests.lava_lite.client.conftest import job

LOST = Unreachable("The line is cut.")


class Clock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def timer(self, limit: float | None = None) -> Timer:
        return Timer(limit, clock=self.now, sleep=self.sleep)


class Source:
    """Says one thing after the other, the last one for ever; what is an exception is raised."""

    def __init__(self, *, pieces: list[Any] | None = None, jobs: list[Any] | None = None) -> None:
        self.pieces = pieces or []
        self.jobs = jobs or [job(12)]
        self.asked: list[tuple[int, int | None]] = []

    def job(self) -> Row:
        return _next(self.jobs)

    def piece(self, *, start: int, attempt: int | None, end: int | None = None) -> Piece:
        self.asked.append((start, attempt))
        return _next(self.pieces)


def _next(answers: list[Any]) -> Any:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


class Viewer:
    def __init__(self) -> None:
        self.text = b""
        self.told: list[str] = []

    def content(self, piece: Piece) -> None:
        self.text += piece.bytes

    def status(self, text: str) -> None:
        self.told.append(text)

    note = status


def piece(content: str, new_size: int, *, end: bool = False, attempt: int = 1) -> Piece:
    return Piece(content=content, new_size=new_size, is_finished=end, attempt=attempt)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def viewer() -> Viewer:
    return Viewer()


def follow_one(source: Source, viewer: Viewer, timer: Timer, **options: Any) -> Row:
    [ended] = follow.follow([Follower(source, viewer, timer, **options)], timer)
    return ended


RUNNING = job(12, state="Running", outcome=None)


def test_every_byte_is_shown_once(clock: Clock, viewer: Viewer) -> None:
    source = Source(pieces=[piece("one ü\n", 7), piece("", 7), piece("two\n", 11), piece("", 11, end=True)])

    ended = follow_one(source, viewer, clock.timer())

    assert ended == job(12)
    assert viewer.text == "one ü\ntwo\n".encode()
    assert source.asked == [(0, None), (7, 1), (7, 1), (11, 1)]


def test_characters_that_utf_8_does_not_have_do_not_end_a_log(clock: Clock, viewer: Viewer) -> None:
    follow_one(Source(pieces=[piece("a\udc80b", 5, end=True)]), viewer, clock.timer())

    assert viewer.text == b"a\xed\xb2\x80b"


def test_a_lost_connection_is_taken_up_at_the_byte_where_it_was(clock: Clock, viewer: Viewer) -> None:
    source = Source(pieces=[piece("one", 3), LOST, LOST, piece("two", 6, end=True)])

    follow_one(source, viewer, clock.timer())

    assert viewer.text == b"onetwo"
    assert source.asked == [(0, None), (3, 1), (3, 1), (3, 1)]
    assert viewer.told == ["The line is cut. Trying again …"] * 2
    assert clock.slept == [0.5, 1.0]


def test_a_server_that_stays_away_is_given_up(clock: Clock, viewer: Viewer) -> None:
    with pytest.raises(Unreachable):
        follow_one(Source(pieces=[piece("one", 3), LOST]), viewer, clock.timer())

    assert follow.PATIENCE <= clock.time <= follow.PATIENCE + follow.LAST_RETRY
    assert max(clock.slept) == follow.LAST_RETRY


def test_every_attempt_is_read_to_its_end_before_the_next(clock: Clock, viewer: Viewer) -> None:
    source = Source(
        pieces=[
            piece("first", 5),
            piece(" end", 9, end=True),
            piece("second", 6, attempt=2),
            piece("", 6, end=True, attempt=2),
        ],
        jobs=[{**RUNNING, "attempt": 2}, job(12, attempt=2)],
    )

    ended = follow_one(source, viewer, clock.timer())

    assert ended["outcome"] == "pass"
    assert viewer.text == b"first endsecond"
    assert source.asked[2:] == [(0, 2), (6, 2)]
    assert "Attempt 2 begins." in viewer.told


def test_an_attempt_that_was_asked_for_is_all_that_is_shown(clock: Clock, viewer: Viewer) -> None:
    source = Source(pieces=[piece("first", 5, end=True)], jobs=[job(12, attempt=2)])

    follow_one(source, viewer, clock.timer(), attempt=1)

    assert viewer.text == b"first"
    assert source.asked == [(0, 1)]


def test_it_is_told_why_a_job_waits(clock: Clock, viewer: Viewer) -> None:
    waiting = job(12, state="Submitted", outcome=None, device=None, reason="all are busy")
    source = Source(
        pieces=[piece("", 0), piece("", 0), piece("hello", 5, end=True)], jobs=[waiting, RUNNING, job(12)]
    )

    follow_one(source, viewer, clock.timer())

    assert viewer.told == ["Job 12 is Submitted: all are busy", "Job 12 is Running on qemu01"]


def test_the_state_of_a_job_that_runs_is_asked_no_more(clock: Clock, viewer: Viewer) -> None:
    source = Source(pieces=[piece("", 0)] * 5 + [piece("hello", 5, end=True)], jobs=[RUNNING, job(12)])

    assert follow_one(source, viewer, clock.timer()) == job(12)

    assert viewer.told == ["Job 12 is Running on qemu01"]


def test_a_quiet_log_is_asked_for_ever_more_seldom_until_it_speaks(clock: Clock, viewer: Viewer) -> None:
    quiet = [piece("", 0)] * 20
    source = Source(pieces=[*quiet, piece("hello", 5), piece("", 5), piece("", 5, end=True)], jobs=[RUNNING])
    source.jobs.append(job(12))

    follow_one(source, viewer, clock.timer())

    assert clock.slept[:3] == [0.25, 0.375, 0.5625]
    assert clock.slept[19] == follow.LONGEST
    assert clock.slept[20] == follow.SHORTEST


def test_a_timer_ends_what_lasts_too_long(clock: Clock, viewer: Viewer) -> None:
    with pytest.raises(OutOfTime):
        follow.wait(Source(jobs=[RUNNING]), viewer, clock.timer(limit=5))

    assert clock.time == 5


def test_a_timer_ends_retries_too(clock: Clock, viewer: Viewer) -> None:
    with pytest.raises(OutOfTime):
        follow_one(Source(pieces=[LOST]), viewer, clock.timer(limit=5))

    assert clock.time == 5


def test_waiting_ends_with_the_job(clock: Clock, viewer: Viewer) -> None:
    source = Source(jobs=[job(12, state="Scheduled", outcome=None), RUNNING, LOST, job(12, outcome="fail")])

    assert follow.wait(source, viewer, clock.timer())["outcome"] == "fail"

    assert viewer.told[:2] == ["Job 12 is Scheduled on qemu01", "Job 12 is Running on qemu01"]


def test_what_is_there_is_read_and_nothing_is_waited_for(clock: Clock, viewer: Viewer) -> None:
    source = Source(pieces=[piece("one", 3), piece("two", 6), piece("", 6)])

    follow.read(source, viewer)

    assert viewer.text == b"onetwo"
    assert source.asked == [(0, None), (3, 1), (6, 1)]


@pytest.mark.parametrize("limit", [None, 60.0])
def test_a_timer_waits_as_long_as_it_is_told(clock: Clock, limit: float | None) -> None:
    wait: Callable[[float], None] = clock.timer(limit).wait

    wait(2.0)

    assert clock.slept == [2.0]
