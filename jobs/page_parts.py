"""What the page of a job shows, as values: the end of its log, its results, and why it failed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Self

from django.db.models import Case as Choose
from django.db.models import Count, IntegerField, Q, QuerySet, Value, When
from django.urls import reverse

from core.looks import Look
from jobs import logs, looks
from jobs.logs.index import TEXT_NAME
from jobs.models import ACTIONS, Job, TestCase

LAST_BYTES = 64 * 1024
WHOLE_IN_PAGE = 16 * 1024 * 1024  # bytes; a longer log is offered as a file
LINES_OF_BLOCK = 500  # as in static/js/log.js
RESULTS_BESIDE_LOG = 100
RESULTS_OF_PAGE = 500
RECORDS_LOOKED_AT = 1_000  # of a failed case, its last ones
LINES_OF_FAILURE = 8
LINES_BEFORE_ERROR = 2
LINE_LIMIT = 500  # characters

_ERROR = re.compile(
    r"\b(error|fail(ed|ure)?|fatal|panic|oops|exception|traceback|timed out)\b", re.IGNORECASE
)
_SIGNAL = "<LAVA_SIGNAL_"
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
class Suite:
    name: str
    tally: list[Look]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results of one attempt, those that need a look first."""

    cases: list[TestCase]
    suites: list[Suite]
    tally: list[Look]  # of all of them, whatever is shown
    total: int
    next_page: int | None

    @classmethod
    def of(
        cls,
        job: Job,
        attempt: int,
        *,
        result: str = "",
        suite: str = "",
        size: int = RESULTS_OF_PAGE,
        page: int = 1,
    ) -> Self:
        cases = TestCase.objects.filter(attempt__job=job, attempt__number=attempt)
        counts = _counts(cases)
        chosen = {"result": result, "suite__name": suite}
        shown = cases.filter(**{field: value for field, value in chosen.items() if value})
        behind = page * size
        rows = list(
            shown.order_by(_URGENCY, "suite_id", "pk").select_related("suite")[behind - size : behind + 1]
        )
        return cls(
            cases=rows[:size],
            suites=[Suite(name=name, tally=_tally(count)) for name, count in counts.items()],
            tally=_tally(sum(counts.values(), Counter())),
            total=sum(count.total() for count in counts.values()),
            next_page=page + 1 if len(rows) > size else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the tests of one attempt say together, and the first of them that failed.

    The dispatcher's own actions are no tests: one that was tried again has failed once.
    """

    total: int
    failed: int
    first: TestCase | None
    lines: str  # of the log, where it may say why

    @classmethod
    def of(cls, job: Job, attempt: int) -> Self:
        tests = TestCase.objects.filter(attempt__job=job, attempt__number=attempt).exclude(
            suite__name=ACTIONS
        )
        failures = tests.filter(result=TestCase.Result.FAIL)
        counts = tests.aggregate(total=Count("pk"), failed=Count("pk", filter=Q(result=TestCase.Result.FAIL)))
        first = failures.select_related("suite").order_by("pk").first() if counts["failed"] else None
        return cls(**counts, first=first, lines=_lines_of(job, attempt, first))

    @property
    def look(self) -> Look | None:
        return looks.of_tests(self.total, self.failed) if self.total else None


_URGENCY = Choose(
    When(result=TestCase.Result.FAIL, then=Value(0)),
    When(result=TestCase.Result.UNKNOWN, then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


def _counts(cases: QuerySet[TestCase]) -> dict[str, Counter[str]]:
    """How many of each result there are in each suite, in the order of the suites."""
    counts: dict[str, Counter[str]] = {}
    grouped = cases.order_by("suite_id").values_list("suite__name", "result").annotate(Count("pk"))
    for suite, result, count in grouped:
        counts.setdefault(suite, Counter())[result] = count
    return counts


def _tally(counts: Counter[str]) -> list[Look]:
    return [_counted(result, counts[result]) for result in TestCase.Result if counts[result]]


def _lines_of(job: Job, attempt: int, case: TestCase | None) -> str:
    """Where the case speaks of an error for the first time, or the end of what it printed."""
    if case is None or case.log_start is None or case.log_end is None:
        return ""
    first = max(case.log_start + 1, case.log_end - RECORDS_LOOKED_AT)
    text = logs.between(job.log_directory(attempt), first, case.log_end, LAST_BYTES)
    lines = [line[:LINE_LIMIT] for line in text.split("\n") if line and not line.startswith(_SIGNAL)]
    at = next((number for number, line in enumerate(lines) if _ERROR.search(line)), len(lines))
    begin = max(0, min(at - LINES_BEFORE_ERROR, len(lines) - LINES_OF_FAILURE))
    return "\n".join(lines[begin : begin + LINES_OF_FAILURE])


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
