"""The lab-wide `sequence`: gapless, causal, and never below a number that somebody has seen."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import transaction

from core.doorbell import Doorbell
from events import feed, numbering, outbox, publisher
from events.models import Event
from tests import build
from tests.parallel import together

pytestmark = pytest.mark.django_db(transaction=True)


def tell(subject: str) -> Event:
    with transaction.atomic():
        return outbox.record("worker.added", subject=subject, data=build.OF_A_WORKER, cause=build.CAUSE)


def number_all() -> None:
    while numbering.number_committed():
        pass


def told() -> list[str]:
    return [event.subject for event in feed.after(0)]


def test_numbers_begin_with_one_and_have_no_gap() -> None:
    for name in "abc":
        tell(name)

    number_all()

    assert list(Event.objects.order_by("sequence").values_list("sequence", "subject")) == [
        (1, "a"),
        (2, "b"),
        (3, "c"),
    ]
    assert numbering.last_number() == 3


def test_a_rolled_back_event_leaves_no_gap() -> None:
    tell("a")
    with build.rolled_back():
        outbox.record("worker.added", subject="never", data=build.OF_A_WORKER, cause=build.CAUSE)
    tell("b")

    number_all()

    assert [event.sequence for event in feed.after(0)] == [1, 2]


def test_a_half_rolled_back_transaction_leaves_no_gap() -> None:
    with transaction.atomic():
        outbox.record("worker.added", subject="a", data=build.OF_A_WORKER, cause=build.CAUSE)
        with build.rolled_back():
            outbox.record("worker.added", subject="never", data=build.OF_A_WORKER, cause=build.CAUSE)
        outbox.record("worker.added", subject="b", data=build.OF_A_WORKER, cause=build.CAUSE)

    number_all()

    assert [(event.sequence, event.subject) for event in feed.after(0)] == [(1, "a"), (2, "b")]


def test_numbers_go_on_where_they_were_when_old_events_are_cleared_away() -> None:
    tell("a")
    number_all()
    Event.objects.all().delete()

    tell("b")
    number_all()

    assert [event.sequence for event in feed.after(0)] == [2]


def test_the_feed_gives_what_comes_after_a_cursor_in_order_and_in_pieces() -> None:
    for name in "abcde":
        tell(name)
    number_all()

    assert [event.subject for event in feed.after(2, limit=2)] == ["c", "d"]
    assert feed.after(5) == []


def test_whoever_follows_the_numbers_is_rung_when_they_are_given(on_postgresql: None, data: Path) -> None:
    tell("a")
    with Doorbell(data / "run", "web") as bell:
        publisher.run_once([])

        assert bell.wait(0)


def test_a_transaction_that_began_first_and_commits_last_is_not_skipped(on_postgresql: None) -> None:
    written, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            outbox.record("worker.added", subject="slow", data=build.OF_A_WORKER, cause=build.CAUSE)
            written.set()
            assert may_commit.wait(60)

    def quick() -> list[str]:
        assert written.wait(60)
        tell("quick")
        number_all()
        seen = told()
        may_commit.set()
        return seen

    _, seen = together(slow, quick)
    number_all()

    assert seen == ["quick"]
    assert told() == ["quick", "slow"]


def test_only_one_pass_numbers_at_a_time(on_postgresql: None) -> None:
    tell("a")
    held, done = threading.Event(), threading.Event()

    def holder() -> int:
        with transaction.atomic():
            assert numbering.number_committed() == 1
            held.set()
            assert done.wait(60)
            transaction.set_rollback(True)
        return 0

    def other() -> int:
        assert held.wait(60)
        try:
            return numbering.number_committed()
        finally:
            done.set()

    assert together(holder, other) == [0, 0]
    assert numbering.number_committed() == 1


def test_many_writers_two_numberers_and_a_reader_at_once() -> None:
    """Some transactions are slow and some are rolled back; the reader never misses an event and sees none twice."""
    writers, deeds = 4, 25
    finished = threading.Semaphore(0)
    stop = threading.Event()

    def writer(number: int) -> Callable[[], list[int]]:
        dice = random.Random(number)

        def write() -> list[int]:
            for deed in range(deeds):
                _write(f"{number}/{deed}", dice)
            finished.release()
            return []

        return write

    def numberer() -> list[int]:
        while not stop.is_set():
            numbering.number_committed()
            time.sleep(0.001)  # a turn for the others
        return []

    def reader() -> list[int]:
        seen: list[int] = []
        while not stop.is_set():
            seen += [event.sequence or 0 for event in feed.after(seen[-1] if seen else 0)]
            time.sleep(0.001)
        return seen

    def watch() -> list[int]:
        for _ in range(writers):
            assert finished.acquire(timeout=100)
        number_all()
        stop.set()
        return []

    *_, seen, _ = together(*(writer(number) for number in range(writers)), numberer, numberer, reader, watch)

    number_all()
    seen += [event.sequence or 0 for event in feed.after(seen[-1] if seen else 0)]
    total = Event.objects.count()
    assert seen == list(range(1, total + 1))
    assert 0 < total < writers * deeds
    for number in range(writers):
        own = [subject for subject in _all_told() if subject.startswith(f"{number}/")]
        assert own == sorted(own, key=lambda subject: int(subject.split("/")[1]))


def _write(subject: str, dice: random.Random) -> None:
    fate = dice.random()
    with transaction.atomic():
        outbox.record("worker.added", subject=subject, data=build.OF_A_WORKER, cause=build.CAUSE)
        time.sleep(0.01 if fate > 0.9 else 0)
        transaction.set_rollback(fate < 0.2)


def _all_told() -> list[str]:
    return list(Event.objects.order_by("sequence").values_list("subject", flat=True))


def test_an_answer_has_a_higher_number_than_what_it_answers() -> None:
    """Two threads write in turns, each after having seen the other's commit, while a third one numbers."""
    turns = 30
    mine, yours = threading.Semaphore(1), threading.Semaphore(0)
    stop = threading.Event()

    def talker(name: str, wait: threading.Semaphore, answer: threading.Semaphore) -> Callable[[], None]:
        def talk() -> None:
            for turn in range(turns):
                assert wait.acquire(timeout=60)
                tell(f"{turn}{name}")
                answer.release()
            if name == "b":
                stop.set()

        return talk

    def number() -> None:
        while not stop.is_set():
            numbering.number_committed()

    together(talker("a", mine, yours), talker("b", yours, mine), number)
    number_all()

    assert _all_told() == [f"{turn}{name}" for turn in range(turns) for name in "ab"]
