"""Whose log an address asks for, and whether the reader may see it: one rule for all that shows something of a log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db.models import BigIntegerField
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse

from accounts.models import digest
from accounts.rights import Anyone
from core import rows
from core.pages import whole_number
from jobs.models import Job

FLAGS = {"": False, "0": False, "false": False, "1": True, "true": True}
PERMISSION_SECONDS = 5  # how long it is remembered whether somebody may read a log
NEEDED = ("id", "state", "attempt", "submit_time", "visibility", "submitter_id")


class NoSuchLog(Exception):
    """There is no such log, or not for this reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The log that a reader asks for, and may see."""

    job: Job
    attempt: int
    # The state was read before the log is, so what is called finished has no more to come.
    is_finished: bool

    @property
    def directory(self) -> Path:
        return self.job.log_directory(self.attempt)


def find(request: HttpRequest, pk: int, attempt: int | None) -> Asked:
    """The log of an attempt of the job, of the latest one unless asked. NoSuchLog says what there is not."""
    job = _find(request, pk)
    if job is None:
        raise NoSuchLog(f"There is no job {pk}, or it is hidden from you.")
    attempt = attempt or job.attempt
    if not (_shows(request, job, attempt) or _was_to_come(job, attempt)):
        raise NoSuchLog(
            f"Job {job.number} has had no such attempt of 1 to {job.attempt}, or it is hidden from you."
        )
    return Asked(job=job, attempt=attempt, is_finished=job.is_finished or attempt < job.attempt)


def find_or_404(request: HttpRequest, pk: int) -> Job:
    job = _find(request, pk)
    if job is None:
        raise Http404
    return job


def attempt_in(request: HttpRequest, job: Job) -> int:
    """The attempt that the address asks for, the latest one otherwise. Http404 if there is none of that number."""
    if "attempt" not in request.GET:
        return job.attempt
    attempt = whole_number(request.GET["attempt"])
    if not attempt or not _shows(request, job, attempt):
        raise Http404
    return attempt


def number(request: HttpRequest, name: str) -> int:
    """A parameter that is a number. ValueError says what would be right."""
    found = whole_number(request.GET[name])
    if found is None:
        raise ValueError(f"{name}: expected a whole number, 0 or more, got {request.GET[name][:40]!r}")
    return found


def flag(request: HttpRequest, name: str) -> bool:
    """A parameter that is yes or no, and no unless it is given. ValueError says what would be right."""
    text = request.GET.get(name, "")
    if text not in FLAGS:
        raise ValueError(f"{name}: expected 1 or 0, got {text[:40]!r}")
    return FLAGS[text]


def answer(asked: Asked, content: Mapping[str, Any]) -> HttpResponseBase:
    return of(asked, JsonResponse(content))


def of(asked: Asked, response: HttpResponseBase) -> HttpResponseBase:
    """The answer, which nobody keeps; the header Log-Attempt says whose log it is of."""
    response["Cache-Control"] = "no-store"
    response["Log-Attempt"] = str(asked.attempt)
    return response


def refusal(error: Exception) -> JsonResponse:
    """What is said to who asks wrongly, or for what is not there."""
    status = HTTPStatus.NOT_FOUND if isinstance(error, NoSuchLog) else HTTPStatus.BAD_REQUEST
    return JsonResponse({"error": str(error)}, status=status)


def _shows(request: HttpRequest, job: Job, attempt: int) -> bool:
    return attempt == job.attempt or job.shows_attempt(attempt, request.user)


def _was_to_come(job: Job, attempt: int) -> bool:
    """Of a job that ended while it waited for its next attempt: who follows that one is told that nothing comes."""
    return job.is_finished and attempt == job.attempt + 1


def _find(request: HttpRequest, pk: int) -> Job | None:
    """The job, if it is there and may be seen."""
    if pk > BigIntegerField.MAX_BIGINT:
        return None
    # To put the same together as a queryset would be a third of what a poll costs.
    found = rows.select(Job, "WHERE id = %s", [pk], only=NEEDED)
    return found[0] if found and _may_read(request, found[0]) else None


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
