"""Which events somebody wants: one grammar for the streams, the history, webhooks and the command line. No ORM.

`job.# device.changed submitter=alice state=running,finished`: terms with spaces between them. A term without `=` is
a pattern of topics (events.topics). What a name or a pattern of topics is said to be may be any of several values;
what is said under different names must all hold. An event that does not have a thing is not chosen by its value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from events import payloads, topics

LONGEST = 2000  # characters of a filter
TOPIC = "topic"

Data = Mapping[str, Any]


class BadFilter(ValueError):
    """A filter that cannot be understood; says which part, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What a term may speak of."""

    meaning: str
    read: Callable[[Data], Collection[str]]  # from the payload, all texts by which this event is found
    words: frozenset[str] = frozenset()  # all that it may be, in lower case; empty: anything


def _text(key: str) -> Callable[[Data], Collection[str]]:
    return lambda data: () if data.get(key) is None else (str(data[key]),)


def _word(key: str) -> Callable[[Data], Collection[str]]:
    return lambda data: () if data.get(key) is None else (str(data[key]).lower(),)


def _lower(*groups: Collection[str]) -> frozenset[str]:
    return frozenset(word.lower() for group in groups for word in group)


NAMES: Mapping[str, Name] = {
    "job": Name(
        meaning="number of a job, or its uuid", read=lambda data: (*_text("job")(data), *_text("uuid")(data))
    ),
    "group": Name(meaning="uuid of a MultiNode group", read=_text("target_group")),
    "submitter": Name(meaning="user who submitted the job", read=_text("submitter")),
    "device": Name(meaning="name of a device", read=_text("device")),
    "device_type": Name(meaning="name of a device type", read=_text("device_type")),
    "tag": Name(
        meaning="a tag that the job wants of its device", read=lambda data: tuple(data.get("tags", ()))
    ),
    "worker": Name(
        meaning="name of a worker", read=lambda data: (*_text("worker")(data), *_text("hostname")(data))
    ),
    "state": Name(
        meaning="state of a job, step, device or worker",
        read=_word("state"),
        words=_lower(
            payloads.JOB_STATES, payloads.STEP_STATES, payloads.DEVICE_STATES, payloads.WORKER_STATES
        ),
    ),
    "health": Name(
        meaning="health of a job, device or worker",
        read=_word("health"),
        words=_lower(payloads.JOB_HEALTHS, payloads.DEVICE_HEALTHS, payloads.WORKER_HEALTHS),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A filter that was understood. One without terms chooses every event."""

    topics: tuple[str, ...] = ()
    wanted: Mapping[str, frozenset[str]] = field(default_factory=dict)  # by the names in NAMES

    @classmethod
    def parse(cls, text: str) -> Self:
        """BadFilter if a term makes no sense."""
        if len(text) > LONGEST:
            raise BadFilter(f"the filter has {len(text):,} characters; at most {LONGEST:,} are allowed")
        wanted: dict[str, set[str]] = {}
        for term in text.split():
            name, values = _read(term)
            wanted.setdefault(name, set()).update(values)
        chosen = tuple(sorted(wanted.pop(TOPIC, ())))
        return cls(topics=chosen, wanted={name: frozenset(values) for name, values in wanted.items()})

    def matches(self, type: str, data: Data) -> bool:
        """Of an event's canonical type and of what its hearer may know of its data."""
        return self.hears(type) and self.is_about(data)

    def hears(self, type: str) -> bool:
        """Whether events of this type may be chosen."""
        return not self.topics or any(topics.matches(pattern, type) for pattern in self.topics)

    def is_about(self, data: Data) -> bool:
        """Of what the filter says beside topics."""
        return all(not values.isdisjoint(NAMES[name].read(data)) for name, values in self.wanted.items())


def _read(term: str) -> tuple[str, list[str]]:
    name, equals, values = term.partition("=")
    if not equals:
        name, values = TOPIC, term
    if name != TOPIC and name not in NAMES:
        known = ", ".join(f"{known}=" for known in NAMES)
        raise BadFilter(
            f"{term[:80]!r}: there is no {name[:80]!r} to choose by, only topics such as job.# and {known}"
        )
    return name, [_checked(name, value, term) for value in values.split(",")]


def _checked(name: str, value: str, term: str) -> str:
    if not value:
        raise BadFilter(f"{term[:80]!r}: a value is missing; write {name}=one or {name}=one,other")
    if name == TOPIC:
        return _topic(value)
    words = NAMES[name].words
    if not words:
        return value
    if value.lower() not in words:
        raise BadFilter(f"{term[:80]!r}: no {name} is called {value!r}; there are {', '.join(sorted(words))}")
    return value.lower()


def _topic(pattern: str) -> str:
    try:
        return topics.check(pattern)
    except topics.BadPattern as bad:
        raise BadFilter(str(bad)) from bad
