"""What programs and browsers fetch of a job's log: its tail, its text, and LAVA's YAML of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.views.decorators.http import require_safe

from accounts.models import digest
from accounts.rights import Anyone
from core.downloads import download
from core.pages import whole_number
from jobs import logs
from jobs.logs import Tail, lava_yaml, text
from jobs.models import Job

TEXT = "text/plain; charset=utf-8"
PERMISSION_SECONDS = 5  # how long it is remembered whether somebody may read a log


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
            name: _number(request, name) for name in ("start", "end", "attempt") if name in request.GET
        }
        wanted = cls(**numbers)
        if wanted.end is not None and wanted.end <= wanted.start:
            raise ValueError(f"end: expected more than start, which is {wanted.start}, got {wanted.end}")
        return wanted


@require_safe
def log_tail(request: HttpRequest, pk: int) -> HttpResponse:
    """What comes after byte `start` of the log: exactly `content`, `new_size` and `is_finished`.

    `attempt` asks for another than the latest one, and `end` for nothing behind that byte. The header Log-Attempt
    says whose log it is, so that a follower notices when a new one begins.
    """
    try:
        wanted = Wanted.of(request)
    except ValueError as wrong:
        return JsonResponse({"error": str(wrong)}, status=400)
    job = _find(request, pk)
    attempt = wanted.attempt or (job.attempt if job else 0)
    if job is None or not (_shows(request, job, attempt) or _was_to_come(job, attempt)):
        return JsonResponse({"error": _missing(pk, job)}, status=404)
    # The state was read before the log is, so what is called finished has no more to come.
    is_finished = job.is_finished or attempt < job.attempt
    tail = _read(job.log_directory(attempt), wanted, is_finished=is_finished)
    answer = JsonResponse(
        {
            "content": tail.content,
            "new_size": tail.new_size,
            "is_finished": is_finished and tail.at_end,
        }
    )
    answer["Cache-Control"] = "no-store"
    answer["Log-Attempt"] = str(attempt)
    return answer


@require_safe
def log(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The whole text as it is now, or what Range asks for of it. With `?follow=1`, jobs.log_live answers instead."""
    job = _find_or_404(request, pk)
    attempt = attempt_in(request, job)
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
    job = _find_or_404(request, pk)
    lines = lava_yaml.stream(job.log_directory(), finished=job.is_finished)
    answer = StreamingHttpResponse(lava_yaml.in_pieces(lines), content_type="application/yaml")
    answer["Content-Disposition"] = f'attachment; filename="job_{pk}.log"'
    return answer


def attempt_in(request: HttpRequest, job: Job) -> int:
    """The attempt that the address asks for, the latest one otherwise. Http404 if there is none of that number."""
    if "attempt" not in request.GET:
        return job.attempt
    number = whole_number(request.GET["attempt"])
    if not number or not _shows(request, job, number):
        raise Http404
    return number


def _shows(request: HttpRequest, job: Job, attempt: int) -> bool:
    return attempt == job.attempt or job.shows_attempt(attempt, request.user)


def _was_to_come(job: Job, attempt: int) -> bool:
    """Of a job that ended while it waited for its next attempt: who follows that one is told that nothing comes."""
    return job.is_finished and attempt == job.attempt + 1


def _number(request: HttpRequest, name: str) -> int:
    number = whole_number(request.GET[name])
    if number is None:
        raise ValueError(f"{name}: expected a whole number, 0 or more, got {request.GET[name][:40]!r}")
    return number


def _missing(pk: int, job: Job | None) -> str:
    if job is None:
        return f"There is no job {pk}, or it is hidden from you."
    return f"Job {job.number} has had no such attempt of 1 to {job.attempt}, or it is hidden from you."


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


def _find_or_404(request: HttpRequest, pk: int) -> Job:
    job = _find(request, pk)
    if job is None:
        raise Http404
    return job


def _find(request: HttpRequest, pk: int) -> Job | None:
    """The job, if it is there and may be seen."""
    job: Job | None = (
        Job.objects.only("state", "attempt", "submit_time", "visibility", "submitter").filter(pk=pk).first()
    )
    return job if job is not None and _may_read(request, job) else None


def _may_read(request: HttpRequest, job: Job) -> bool:
    """Whether the job may be seen, by everybody or by this reader, remembered by what the reader shows for it."""
    if _remembered(job, "", AnonymousUser()):
        return True
    shown = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "") + request.headers.get("Authorization", "")
    return bool(shown) and _remembered(job, digest(shown), request.user)


def _remembered(job: Job, shown: str, user: Anyone) -> bool:
    key = f"log-of-{job.pk}-{shown}"
    may: bool | None = cache.get(key)
    if may is None:
        may = Job.objects.visible_to(user).filter(pk=job.pk).exists()
        cache.set(key, may, PERMISSION_SECONDS)
    return may
