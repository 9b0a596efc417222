"""Who makes a lab suffer does all of it, and says when he could not."""

from __future__ import annotations

import random

import pytest

from tests.chaos.deeds import Deed, Diary, Hand


def hand(*deeds: Deed, diary: Diary, seed: int = 1) -> Hand:
    return Hand(deeds, random.Random(seed), diary, rest=2)


def test_a_hand_that_is_stopped_at_once_has_done_each_deed() -> None:
    diary, done = Diary(), list[float]()
    busy = hand(("cut", done.append), ("kill", done.append), diary=diary)
    busy.start()
    busy.stop()

    assert diary.deeds.keys() == {"cut", "kill"}
    assert len(done) == diary.deeds.total() == len(diary.lines)


def test_the_same_seed_does_the_same() -> None:
    stories = []
    for _ in range(2):
        done = list[tuple[str, float]]()
        deeds: list[Deed] = [
            (name, lambda seconds, name=name, done=done: done.append((name, seconds)))  # type: ignore[misc]
            for name in ("cut", "hold", "kill", "stop")
        ]
        busy = hand(*deeds, diary=Diary())
        busy.start()
        busy.stop()
        stories.append(done[: len(deeds)])

    assert stories[0] == stories[1]


def test_a_hand_that_failed_says_so_when_it_is_stopped() -> None:
    def fail(seconds: float) -> None:
        raise AssertionError("the lab did not start")

    busy = hand(("kill", fail), diary=Diary())
    busy.start()

    with pytest.raises(AssertionError, match="the lab did not start"):
        busy.stop()
