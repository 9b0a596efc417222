"""What programs and browsers fetch of a job's log: its tail, its text, and LAVA's YAML of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Self

from django.conf import settings
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.views.decorators.http import require_safe

from core.downloads import download
from jobs import log_access, logs
from jobs.logs import Tail, lava_yaml, text

server_log = logging.getLogger(__name__)

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a reader asks of a log; offsets are bytes."""

    start: int = 0
    end: int | None = None  # nothing behind it
    attempt: int | None = None  # None: the latest

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """ValueError says what is wrong, and what would be right."""
        numbers = {
            name: log_access.number(request, name)
            for name in ("start", "end", "attempt")
            if name in request.GET
        }
        wanted = cls(**numbers)
        if wanted.end is not None and wanted.end <= wanted.start:
            raise ValueError(f"end: expected more than start, which is {wanted.start}, got {wanted.end}")
        return wanted


@require_safe
def log_tail(request: HttpRequest, pk: int) -> HttpResponseBase:
    """What comes after byte `start` of the log: exactly `content`, `new_size` and `is_finished`.

    `attempt` asks for another than the latest one, and `end` for nothing behind that byte. The header Log-Attempt
    says whose log it is, so that a follower notices when a new one begins.
    """
    try:
        wanted = Wanted.of(request)
        asked = log_access.find(request, pk, wanted.attempt)
    except (ValueError, log_access.NoSuchLog) as refused:
        return log_access.refusal(refused)
    try:
        tail = _read(asked.directory, wanted, is_finished=asked.is_finished)
    except OSError as error:
        server_log.error("The log of job %s cannot be read: %s", pk, error)
        words = f"The log cannot be read: {error}. On the machine of the lab: lava-lite log repair {pk}"
        return JsonResponse({"error": words}, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return log_access.answer(
        asked,
        {
            "content": tail.content,
            "new_size": tail.new_size,
            "is_finished": asked.is_finished and tail.at_end,
        },
    )


@require_safe
def log(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The whole text as it is now, or what Range asks for of it. With `?follow=1`, jobs.log_live answers instead."""
    job = log_access.find_or_404(request, pk)
    attempt = log_access.attempt_in(request, job)
    directory = job.log_directory(attempt)
    with text.opened(directory) as opened:
        size, version = opened.size, text.version_of(opened)
    if not size:
        return HttpResponse(content_type=TEXT)
    answer = download(
        request,
        partial(text.stream, directory),
        size=size,
        version=f"{pk}-{attempt}-{version}",
        content_type=TEXT,
    )
    answer["Content-Disposition"] = f'inline; filename="job_{pk}.log"'
    answer["Cache-Control"] = (
        "private, no-cache"  # kept by whoever asks each time whether it is still the same
    )
    return answer


@require_safe
def lava_log(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The log as LAVA 2023.01 gives it: a line of YAML for each record."""
    job = log_access.find_or_404(request, pk)
    lines = lava_yaml.stream(job.log_directory(), finished=job.is_finished)
    answer = StreamingHttpResponse(lava_yaml.in_pieces(lines), content_type="application/yaml")
    answer["Content-Disposition"] = f'attachment; filename="job_{pk}.log"'
    return answer


def _read(directory: Path, wanted: Wanted, *, is_finished: bool) -> Tail:
    limit: int = settings.LOG_TAIL_LIMIT
    if wanted.end is None:
        return logs.read(directory, wanted.start, limit, finished=is_finished)
    length = wanted.end - wanted.start
    tail = logs.read(directory, wanted.start, min(limit, length), finished=is_finished)
    if tail.new_size <= wanted.end or not tail.content:
        return tail
    # A read gives the whole of its first character, and more bytes than asked for if it asks for very few.
    content = tail.content.encode()[:length].decode("utf-8", "replace")
    return Tail(content=content, new_size=wanted.end, at_end=False)
