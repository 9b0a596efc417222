"""What is made of an event, once for all who are shown the same of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from events.models import Event

T = TypeVar("T")

MOST = 4_000  # texts that are kept


class Once(Generic[T]):
    """`render`, which is asked once for each event as somebody may see it.

    Two of the same event are equal, although what is hidden from somebody is left out of one of them. So a text is
    found again by the very object that it was made from, which is kept with it.
    """

    def __init__(self, render: Callable[[Event], T]) -> None:
        self._render = render
        self._made: dict[int, tuple[Event, T]] = {}

    def __call__(self, event: Event) -> T:
        made = self._made.get(id(event))
        if made is None:
            made = (event, self._render(event))
            self._made[id(event)] = made
            if len(self._made) > MOST:
                del self._made[next(iter(self._made))]
        return made[1]
