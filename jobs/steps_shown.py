"""The steps of one attempt as a job's page shows them: its outline, and the sections of its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from core.looks import Look
from jobs import looks
from jobs.logs import lines as log_lines
from jobs.logs.lines import STRIDE, Lines
from jobs.logs.text import Ahead
from jobs.models import Job, Step
from jobs.outline import MOST_STEPS, StepState
from jobs.steps import culprit

ROWS = 200  # of a page; of more steps, the outer ones are shown
DEEPEST = 6  # that is indented further
URGENT = (StepState.FAIL, StepState.UNFINISHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    step: Step
    look: Look
    depth: int  # 0 for the outermost
    is_culprit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    rows: Sequence[Row]
    total: int
    left_out: int  # of these
    is_cut: bool  # the log may have told of more than are kept
    now: Row | None  # the innermost one that runs
    culprit: Row | None  # in which the job went wrong

    @classmethod
    def of(cls, job: Job, attempt: int) -> Self:
        steps = list(Step.objects.filter(attempt__job=job, attempt__number=attempt))
        guilty = culprit(job, attempt, steps)
        rows = [_row(step, guilty) for step in steps]
        shown = _shown(rows)
        return cls(
            rows=shown,
            total=len(steps),
            left_out=len(rows) - len(shown),
            is_cut=len(steps) >= MOST_STEPS,
            now=next((row for row in reversed(rows) if row.step.ended is None), None),
            culprit=next((row for row in rows if row.is_culprit), None),
        )

    @property
    def headline(self) -> Row | None:
        """The one that says how the job stands."""
        return self.culprit or self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The lines of the log that are of one step. Of two, one is a part of the other or they have no line in common."""

    level: str
    name: str
    state: str
    first: int  # number of the line that says that it begins
    last: int | None  # None: it still grows
    seconds: float | None  # None: it still runs

    @classmethod
    def all_of(cls, job: Job, attempt: int, directory: Path) -> list[Self]:
        """In the order of the log."""
        steps = Step.objects.filter(attempt__job=job, attempt__number=attempt, offset__isnull=False)
        spans = list(_spans(list(steps)))
        offsets = {offset for _, *span in spans for offset in span if offset is not None}
        numbers = log_lines.ask(directory, lambda lines: _numbers(lines, offsets))
        return [
            cls(
                level=step.level,
                name=step.name,
                state=step.state,
                first=numbers[first],
                last=None if last is None else max(numbers[first], numbers[last]),
                seconds=None if step.ended is None else step.duration.total_seconds(),
            )
            for step, first, last in spans
        ]


def _row(step: Step, guilty: Step | None) -> Row:
    depth = min(step.level.count("."), DEEPEST)
    return Row(step=step, look=looks.STEP[StepState(step.state)], depth=depth, is_culprit=step is guilty)


def _shown(rows: list[Row]) -> list[Row]:
    """What runs or went wrong, wherever it is, and of the others the outer ones, as many as there is room for."""
    if len(rows) <= ROWS:
        return rows
    chosen = sorted(rows, key=lambda row: (not _is_urgent(row), row.depth))[:ROWS]
    return sorted(chosen, key=lambda row: row.step.index)


def _is_urgent(row: Row) -> bool:
    return row.is_culprit or row.step.ended is None or row.step.state in URGENT


def _spans(steps: Sequence[Step]) -> Iterable[tuple[Step, int, int | None]]:
    """Of each step the first byte and the last one, if that is there. `steps` are in the order of the log.

    What has no end of its own ends where what it is a part of does, or before the next that is no part of it.
    """
    last: dict[int, int | None] = {}
    running: list[Step] = []
    for step in steps:
        while running and running[-1].index != step.parent:
            _close(last, running.pop(), step)
        above = last[running[-1].index] if running else None
        last[step.index] = _sooner(above, None if step.end_offset is None else step.end_offset - 1)
        running.append(step)
    for step in steps:
        assert step.offset is not None
        yield step, step.offset, last[step.index]


def _close(last: dict[int, int | None], step: Step, following: Step) -> None:
    assert following.offset is not None
    last[step.index] = _sooner(last[step.index], following.offset - 1)


def _sooner(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _numbers(lines: Lines, offsets: Iterable[int]) -> Mapping[int, int]:
    """The line that each of these bytes is of. What lies close together is read once."""
    found: dict[int, int] = {}
    ahead = Ahead(lines.text)
    before = number = 0
    for offset in sorted(offsets):
        is_near = found and offset - before < STRIDE
        number = number + ahead.read(before, offset).count(b"\n") if is_near else lines.number_at(offset)
        before = offset
        found[offset] = number
    return found
