"""`/job/<id>/log-lines`: the numbers, times and levels of some lines of a log, by their bytes or by their numbers."""

from __future__ import annotations

import codecs
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from jobs import log_access
from jobs.logs import line_stamps, text
from jobs.logs.line_stamps import MOST_BYTES, MOST_LINES, Part
from jobs.steps_shown import Section

NUMBERS = ("start", "end", "line", "count", "attempt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a reader asks: lines by the bytes that they have, or from a line on."""

    start: int = 0
    end: int | None = None  # None: the end of the log
    line: int | None = None  # from 1; None: by bytes
    count: int = MOST_LINES
    attempt: int | None = None
    with_text: bool = False
    with_steps: bool = False

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """ValueError says what is wrong, and what would be right."""
        numbers = {name: log_access.number(request, name) for name in NUMBERS if name in request.GET}
        wanted = cls(
            **numbers,
            with_text=log_access.flag(request, "text"),
            with_steps=log_access.flag(request, "steps"),
        )
        if "line" in numbers and numbers.keys() & {"start", "end"}:
            raise ValueError("line: expected without start and end, which ask by bytes")
        if "count" in numbers and "line" not in numbers:
            raise ValueError("count: expected together with line, the number of the first one")
        if wanted.line == 0:
            raise ValueError("line: expected 1 or more, got 0")
        if wanted.end is not None and wanted.end <= wanted.start:
            raise ValueError(f"end: expected more than start, which is {wanted.start}, got {wanted.end}")
        return wanted


@require_safe
def log_lines(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Lines of the log: where they are, when they came and of what level they are.

    With `text=1`, their text too; with `steps=1`, all steps that the log tells of and the lines of each.
    """
    try:
        wanted = Wanted.of(request)
        asked = log_access.find(request, pk, wanted.attempt)
    except (ValueError, log_access.NoSuchLog) as refused:
        return log_access.refusal(refused)
    part = _part(asked.directory, wanted)
    found = {
        "first": part.first,
        "start": part.start,
        "end": part.end,
        "total": part.total,
        "times": part.times,
        "levels": part.levels,
        "is_finished": asked.is_finished,
    }
    if wanted.with_text:
        found |= _content(asked.directory, part)
    if wanted.with_steps:
        sections = Section.all_of(asked.job, asked.attempt, asked.directory)
        found["steps"] = [asdict(section) for section in sections]
    return log_access.answer(asked, found)


def _part(directory: Path, wanted: Wanted) -> Part:
    max_bytes: int = settings.LOG_TAIL_LIMIT if wanted.with_text else MOST_BYTES
    if wanted.line is not None:
        return line_stamps.by_number(directory, wanted.line, wanted.count, max_bytes=max_bytes)
    return line_stamps.by_bytes(directory, wanted.start, wanted.end, max_bytes=max_bytes)


def _content(directory: Path, part: Part) -> dict[str, Any]:
    """The text of the lines. Of one that is longer than an answer it is the beginning, and said to be."""
    limit = part.start + settings.LOG_TAIL_LIMIT
    is_whole = part.end <= limit
    data = text.read(directory, part.start, min(part.end, limit))
    content, used = codecs.utf_8_decode(data, "replace", is_whole)
    return {"content": content} | ({} if is_whole else {"content_end": part.start + used})
