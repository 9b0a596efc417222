"""Patterns of topics, as AMQP has them: the same on every transport. No ORM.

A topic is the canonical type of an event: words with dots between them, `job.started`. In a pattern `*` stands for
exactly one word, and `#` for any number of words, none included.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 255  # bytes: what AMQP allows for a routing key
PLAIN = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"  # one topic, without wildcards
_WORD = r"(?:[A-Za-z0-9_-]+|\*|#)"
_PATTERN = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_TOPIC = re.compile(PLAIN)


class BadPattern(ValueError):
    """Something that is no pattern of topics; says what and how it should look."""


def check(pattern: str) -> str:
    """The pattern itself. BadPattern if it is none."""
    if len(pattern.encode()) > LONGEST or not _PATTERN.fullmatch(pattern):
        raise BadPattern(
            f"{pattern[:80]!r} is no topic: it is made of words with dots between them, as in job.started, "
            "and * for any one word or # for any number of them"
        )
    return pattern


def check_plain(topic: str) -> str:
    """The topic itself, on which something is said. BadPattern if it is none, or stands for several."""
    if not is_plain(topic):
        raise BadPattern(
            f"{topic[:80]!r} is no topic to speak on: it is made of words with dots between them, as in job.started"
        )
    return topic


def is_plain(topic: str) -> bool:
    return len(topic.encode()) <= LONGEST and bool(_TOPIC.fullmatch(topic))


@lru_cache(maxsize=16_384)
def matches(pattern: str, topic: str) -> bool:
    words = pattern.split(".")
    # Every place in the pattern up to which the topic may have been read: a regular expression would try them one by
    # one, and a pattern of many `#` takes it for ever.
    places = _with_skipped({0}, words)
    for word in topic.split("."):
        stayed = {place for place in places if place < len(words) and words[place] == "#"}
        moved = {place + 1 for place in places if place < len(words) and words[place] in ("*", word)}
        places = _with_skipped(stayed | moved, words)
    return len(words) in places


def _with_skipped(places: set[int], words: list[str]) -> set[int]:
    """A `#` may stand for nothing."""
    reached = set(places)
    for place in sorted(places):
        while place < len(words) and words[place] == "#":
            place += 1
            reached.add(place)
    return reached
