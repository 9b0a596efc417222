"""How long jobs of each device type waited and ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Self

from accounts.rights import Anyone
from jobs.models import Job
from jobs.states import Outcome

MOST_JOBS = 1_000  # that are looked at, the latest

Row = tuple[datetime, datetime | None, datetime, str]  # submitted, started, ended, outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """None if there was nothing to measure."""

    median: timedelta | None
    p90: timedelta | None
    longest: timedelta | None

    @classmethod
    def of(cls, lengths: Iterable[timedelta]) -> Self:
        ranked = sorted(lengths)
        return cls(median=_at(ranked, 0.5), p90=_at(ranked, 0.9), longest=ranked[-1] if ranked else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    device_type: str
    jobs: int
    passed: int
    waited: Spread  # of those that started
    ran: Spread

    @classmethod
    def of(cls, device_type: str, rows: Sequence[Row]) -> Self:
        started = [(submitted, start, end) for submitted, start, end, _ in rows if start is not None]
        return cls(
            device_type=device_type,
            jobs=len(rows),
            passed=sum(outcome == Outcome.PASS for *_, outcome in rows),
            waited=Spread.of(start - submitted for submitted, start, _ in started),
            ran=Spread.of(end - start for _, start, end in started),
        )

    @property
    def passed_percent(self) -> int:
        return round(100 * self.passed / self.jobs)


def by_type(user: Anyone, since: datetime, until: datetime, *, device_type: str = "") -> list[Durations]:
    """Of the latest MOST_JOBS that ended in this time and may be seen, those types first that had the most."""
    # Whatever has an end is finished: to ask for the state, too, would lead databases to another index.
    jobs = Job.objects.visible_to(user).filter(end_time__gte=since, end_time__lt=until)
    if device_type:
        jobs = jobs.filter(device_type=device_type)
    rows = jobs.order_by("-end_time", "-id").values_list(
        "device_type", "submit_time", "start_time", "end_time", "outcome"
    )
    of_type: dict[str, list[Row]] = defaultdict(list)
    for name, *row in rows[:MOST_JOBS]:
        of_type[name].append((row[0], row[1], row[2], row[3]))
    found = [Durations.of(name, rows) for name, rows in of_type.items()]
    return sorted(found, key=lambda durations: (-durations.jobs, durations.device_type))


def _at(ranked: Sequence[timedelta], share: float) -> timedelta | None:
    """The smallest value that at least this share does not exceed."""
    if not ranked:
        return None
    return ranked[ceil(share * len(ranked)) - 1]
