"""Patterns of topics mean what they mean to RabbitMQ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import topics
from events.catalogue import CATALOGUE

words = st.sampled_from(["job", "device", "started", "changed", "custom"])


@pytest.mark.parametrize(
    ("pattern", "topic", "hit"),
    [
        ("job.started", "job.started", True),
        ("job.started", "job.starteds", False),
        ("job.started", "job", False),
        ("job.*", "job.started", True),
        ("job.*", "job", False),
        ("job.*", "job.started.twice", False),
        ("*", "job", True),
        ("*.started", "step.started", True),
        ("#", "job.started", True),
        ("job.#", "job", True),
        ("job.#", "job.started.twice", True),
        ("job.#", "jobs.started", False),
        ("#.started", "job.started", True),
        ("#.started", "started", True),
        ("job.#.end", "job.end", True),
        ("job.#.end", "job.a.b.end", True),
        ("#.#", "job", True),
        ("#.*", "job", True),
        ("custom.flash-done", "custom.flash-done", True),
        ("job_started", "job.started", False),
    ],
)
def test_a_star_is_one_word_and_a_hash_any_number_of_them(pattern: str, topic: str, hit: bool) -> None:
    assert topics.matches(pattern, topic) is hit


@pytest.mark.parametrize(
    "pattern", ["", ".", "job.", ".job", "job..started", "job.st*", "job started", "jöb", "j" * 300]
)
def test_what_is_no_pattern_is_refused_with_an_example(pattern: str) -> None:
    with pytest.raises(topics.BadPattern, match=r"as in job\.started"):
        topics.check(pattern)


@given(
    pattern=st.lists(st.one_of(words, st.sampled_from(["*", "#"])), min_size=1, max_size=8),
    topic=st.lists(words, min_size=1, max_size=6),
)
def test_it_agrees_with_the_definition(pattern: list[str], topic: list[str]) -> None:
    assert topics.matches(".".join(pattern), ".".join(topic)) is by_definition(pattern, topic)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_type_is_a_topic(name: str) -> None:
    assert topics.matches(topics.check(name), name)


def test_many_hashes_cost_nothing() -> None:
    assert not topics.matches(".".join(["#", "a"] * 12) + ".z", ".".join("a" * 60))


def by_definition(pattern: list[str], topic: list[str]) -> bool:
    if not pattern:
        return not topic
    first, rest = pattern[0], pattern[1:]
    if first == "#":
        return any(by_definition(rest, topic[skipped:]) for skipped in range(len(topic) + 1))
    return bool(topic) and first in ("*", topic[0]) and by_definition(rest, topic[1:])
