"""Which tests begin where: pytest-xdist gives each of its workers an equal share of the list, first to last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def deal(
    items: Sequence[T], workers: int, *, seconds: Callable[[T], int], company: Callable[[T], object]
) -> list[T]:
    """Each worker begins with a part of those that take long (`seconds` is not 0); what keeps company stays together."""
    heads, short = _heads(items, workers, seconds, company), [item for item in items if not seconds(item)]
    dealt: list[T] = []
    for number, head in enumerate(heads):
        # As many as WorkStealingScheduling hands out.
        share = (len(items) - len(dealt)) // (workers - number)
        filling = max(share - len(head), 0)
        dealt += [*head, *short[:filling]]
        del short[:filling]
    return dealt + short


def _heads(
    items: Sequence[T], workers: int, seconds: Callable[[T], int], company: Callable[[T], object]
) -> list[list[T]]:
    """The longest company first, always to who has least to do."""
    companies: defaultdict[object, list[T]] = defaultdict(list)
    for item in items:
        if seconds(item):
            companies[company(item)].append(item)
    heads: list[list[T]] = [[] for _ in range(workers)]

    def length(some: list[T]) -> int:
        return sum(map(seconds, some))

    for some in sorted(companies.values(), key=length, reverse=True):
        min(heads, key=length).extend(some)
    return heads
