"""The outline of a job's page: the steps of one attempt, each with its look and its place in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from core.looks import Look
from jobs import looks
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
