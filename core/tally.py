"""What this process has counted since its start, by name and labels: for its metrics.

Names are those of the metrics. Labels are words of a short list, never a number of a job or a name that clients choose.
"""

from __future__ import annotations

import bisect
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# Upper ends in seconds of the buckets of a duration; one more is for what took longer.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[str, ...]


@dataclass(slots=True)
class Durations:
    """How many took how long."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0


class Tally:
    """Counts and durations, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[Labels, int]] = defaultdict(lambda: defaultdict(int))
        self._durations: dict[str, dict[Labels, Durations]] = defaultdict(lambda: defaultdict(Durations))

    def count(self, name: str, *labels: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name][labels] += by

    @contextmanager
    def present(self, name: str, *labels: str) -> Iterator[None]:
        """Counts as one while the block lasts."""
        self.count(name, *labels)
        try:
            yield
        finally:
            self.count(name, *labels, by=-1)

    def took(self, seconds: float, name: str, *labels: str) -> None:
        with self._lock:
            durations = self._durations[name][labels]
            durations.counts[bisect.bisect_left(BUCKETS, seconds)] += 1
            durations.seconds += seconds

    def counts(self, name: str) -> dict[Labels, int]:
        with self._lock:
            return dict(self._counts.get(name, {}))

    def durations(self, name: str) -> dict[Labels, Durations]:
        with self._lock:
            found = self._durations.get(name, {})
            return {labels: Durations(list(each.counts), each.seconds) for labels, each in found.items()}


tally = Tally()
