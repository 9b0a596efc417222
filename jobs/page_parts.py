"""What the page of a job shows, as values: the end of its log, and its results."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

from django.db.models import Case as Choose
from django.db.models import Count, IntegerField, Value, When
from django.urls import reverse

from core.looks import Look
from jobs import logs, looks
from jobs.logs.index import TEXT_NAME
from jobs.models import Job, TestCase

LAST_BYTES = 64 * 1024
WHOLE_IN_PAGE = 16 * 1024 * 1024  # bytes; a longer log is offered as a file
LINES_OF_BLOCK = 500  # as in static/js/log.js
RESULTS_BESIDE_LOG = 100
RESULTS_OF_PAGE = 500

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPart:
    """The last part of a log, and where the rest of it is. Offsets are bytes."""

    url: str  # of log-tail; the offset is written behind it
    raw: str
    start: int
    end: int
    blocks: list[str]
    is_finished: bool  # nothing will come behind `end`
    is_gone: bool  # there should be output, and there is no file

    @classmethod
    def of(cls, job: Job, attempt: int, *, whole: bool = False) -> Self:
        # The state is that of the job as it was read, before the log is: what is finished is complete.
        is_finished = job.is_finished or attempt < job.attempt
        directory = job.log_directory(attempt)
        part = logs.last_part(directory, WHOLE_IN_PAGE if whole else LAST_BYTES)
        return cls(
            url=reverse("job-log-tail", args=[job.pk]) + _query(job, attempt, "start="),
            raw=reverse("job-log", args=[job.pk]) + _query(job, attempt, ""),
            start=part.start,
            end=part.end,
            blocks=_blocks(part.text),
            is_finished=is_finished,
            is_gone=is_finished and job.start_time is not None and not (directory / TEXT_NAME).exists(),
        )

    @property
    def fits_in_page(self) -> bool:
        return self.end <= WHOLE_IN_PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results of one attempt, those that need a look first."""

    cases: list[TestCase]
    tally: list[Look]
    total: int
    next_page: int | None

    @classmethod
    def of(cls, job: Job, attempt: int, *, size: int = RESULTS_OF_PAGE, page: int = 1) -> Self:
        cases = TestCase.objects.filter(attempt__job=job, attempt__number=attempt)
        counts = dict(cases.order_by().values_list("result").annotate(Count("pk")))
        behind = page * size
        shown = cases.order_by(_URGENCY, "suite_id", "pk").select_related("suite")[behind - size : behind]
        total = sum(counts.values())
        return cls(
            cases=list(shown),
            tally=[_counted(result, counts[result]) for result in TestCase.Result if result in counts],
            total=total,
            next_page=page + 1 if behind < total else None,
        )


_URGENCY = Choose(
    When(result=TestCase.Result.FAIL, then=Value(0)),
    When(result=TestCase.Result.UNKNOWN, then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


def _query(job: Job, attempt: int, rest: str) -> str:
    parts = [] if attempt == job.attempt else [f"attempt={attempt}"]
    query = "&".join([*parts, *([rest] if rest else [])])
    return f"?{query}" if query else ""


def _blocks(text: str) -> list[str]:
    lines = _LINE.findall(text)
    return ["".join(lines[at : at + LINES_OF_BLOCK]) for at in range(0, len(lines), LINES_OF_BLOCK)]


def _counted(result: str, count: int) -> Look:
    look = looks.of_result(result)
    return replace(look, word=f"{count} {look.word}")
