"""What the page of a job shows, as values: the end of its log, its results, and why it failed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Self

from django.urls import reverse

from core.looks import Look
from jobs import logs, looks
from jobs.models import Job, TestCase
from jobs.tallies import Tally

LAST_BYTES = 64 * 1024
WHOLE_IN_PAGE = 16 * 1024 * 1024  # bytes; a longer log is offered as a file
LINES_OF_BLOCK = 500  # as in static/js/log.js
RESULTS_BESIDE_LOG = 100
RESULTS_OF_PAGE = 100
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
    """A part of a log, its last one unless asked, and where the rest of it is. Offsets are bytes."""

    url: str  # of log-tail; the offset is written behind it
    socket: str  # that pushes the same; the offset is written behind it
    raw: str
    start: int
    end: int
    blocks: list[str]
    is_finished: bool  # nothing will come behind `end`
    is_last: bool  # nothing is there behind `end` yet
    is_place: bool  # somebody wants to see its beginning, and not what comes
    is_gone: bool  # there should be output, and there is no file

    @classmethod
    def of(cls, job: Job, attempt: int, *, whole: bool = False, start: int | None = None) -> Self:
        """`start`: where to begin, in bytes."""
        # The state is that of the job as it was read, before the log is: what is finished is complete.
        is_finished = job.is_finished or attempt < job.attempt
        directory = job.log_directory(attempt)
        place = None if start is None else logs.read(directory, start, LAST_BYTES, finished=is_finished)
        if start is not None and place is not None and place.content:
            part, is_last = logs.LastPart(start=start, text=place.content, end=place.new_size), place.at_end
        else:
            part, is_last = logs.last_part(directory, WHOLE_IN_PAGE if whole else LAST_BYTES), True
        return cls(
            url=reverse("job-log-tail", args=[job.pk]) + _query(job, attempt, "start="),
            socket=f"/ws/job/{job.pk}/log" + _query(job, attempt, "start="),
            raw=reverse("job-log", args=[job.pk]) + _query(job, attempt, ""),
            start=part.start,
            end=part.end,
            blocks=_blocks(part.text),
            is_finished=is_finished and is_last,
            is_last=is_last,
            is_place=start is not None,
            is_gone=is_finished and job.start_time is not None and not logs.exists(directory),
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
    previous_page: int | None
    next_page: int | None

    @classmethod
    def of(
        cls, tally: Tally, *, result: str = "", suite: str = "", size: int = RESULTS_OF_PAGE, page: int = 1
    ) -> Self:
        rows, chosen = tally.cases(start=(page - 1) * size, size=size, result=result, suite=suite)
        everything = tally.all
        return cls(
            cases=rows,
            suites=[Suite(name=name, tally=_counted(counts)) for name, counts in tally.of_each_suite()],
            tally=_counted(everything),
            total=everything.total(),
            previous_page=page - 1 if page > 1 else None,
            next_page=page + 1 if page * size < chosen else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the tests of one attempt say together, and the first of them that failed."""

    total: int
    failed: int
    first: TestCase | None
    lines: str  # of the log, where it may say why

    @classmethod
    def of(cls, job: Job, attempt: int, tally: Tally) -> Self:
        first, tests = tally.first_failure(), tally.of_tests
        return cls(
            total=tests.total(),
            failed=tests[TestCase.Result.FAIL],
            first=first,
            lines=_lines_of(job, attempt, first),
        )

    @property
    def look(self) -> Look | None:
        return looks.of_tests(self.total, self.failed) if self.total else None


def _counted(counts: Counter[str]) -> list[Look]:
    return [_with_number(result, counts[result]) for result in TestCase.Result if counts[result]]


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


def _with_number(result: str, count: int) -> Look:
    look = looks.of_result(result)
    return replace(look, word=f"{count} {look.word}")
