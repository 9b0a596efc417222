"""Which channels a client of core4's socket wants to hear of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

from api.core4.dialect import QUEUE, channel_of, name_in_queue
from events import topics
from events.models import Event
from events.selection import BadFilter, Selection
from events.sockets.asked import LARGEST

MOST_CHANNELS = 100
SUMMARY = "queue.summary"
_PATTERN = frozenset(".*#")  # what no name of a channel of core4's has


Channels = TypeVar("Channels", bound=Sequence[str])


class BadFrame(ValueError):
    """A frame that cannot be understood; says what, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Channels, and patterns of the lab's own topics, and which of their events."""

    channels: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    since: int | None = None  # None: go on where the one before has come to
    is_numbered: bool = False  # whether events of the queue say their `sequence`, which core4's do not have

    @classmethod
    def of(cls, frame: Mapping[str, Any]) -> Self:
        """Of a frame that announces one. BadFrame for what cannot be meant."""
        channels = _channels(frame.get("data"))
        return cls(
            channels=channels,
            selection=_selection(frame.get("filter", "")),
            since=_since(frame.get("since")),
            is_numbered="since" in frame or "filter" in frame or any(map(_is_pattern, channels)),
        )

    def with_channel(self, channel: str) -> Self:
        """BadFrame if that is one too many."""
        if channel in self.channels:
            return self
        return replace(self, channels=_few((*self.channels, channel)))

    @property
    def has_queue(self) -> bool:
        return QUEUE in self.channels

    def tells_of_queue(self, event: Event) -> bool:
        return self.has_queue and name_in_queue(event) is not None

    def tells_on_channel(self, event: Event) -> bool:
        """Whether it was said on one of the channels."""
        return channel_of(event) in self.channels

    def tells_of_topic(self, event: Event) -> bool:
        if self.has_queue and event.type == SUMMARY:
            return False  # `queue` has summaries of its own, of what its hearer may see
        return any(topics.matches(channel, event.type) for channel in self.channels)


def _channels(data: Any) -> tuple[str, ...]:
    if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
        raise BadFrame('data: expected a list of channels, as ["queue"]')
    try:
        return tuple(dict.fromkeys(topics.check(each.lower()) for each in _few(data)))
    except topics.BadPattern as bad:
        raise BadFrame(f"data: {bad}") from None


def _few(channels: Channels) -> Channels:
    if len(channels) > MOST_CHANNELS:
        raise BadFrame(f"data: {len(channels)} channels are too many; at most {MOST_CHANNELS} are allowed")
    return channels


def _selection(text: Any) -> Selection:
    if not isinstance(text, str):
        raise BadFrame("filter: expected a text")
    try:
        return Selection.parse(text)
    except BadFilter as bad:
        raise BadFrame(f"filter: {bad}") from None


def _since(number: Any) -> int | None:
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= LARGEST:
        raise BadFrame("since: expected the sequence of the last event that you have, as 12")
    return number


def _is_pattern(channel: str) -> bool:
    return not _PATTERN.isdisjoint(channel)
