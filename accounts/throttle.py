"""Whoever guesses at a password soon has to wait, whatever the door. Counted in each process by itself."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.models import digest

MOST_FAILURES = 5
SECONDS = 60


class TooManyFailures(Exception):
    """There were too many wrong passwords for this name; wait a minute."""


class Guard:
    """The first of the authentication backends: knows nobody, and ends the asking about who has to wait."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, **credentials: Any
    ) -> None:
        try:
            check(request, username or "")
        except TooManyFailures as error:
            raise PermissionDenied(str(error)) from None


def check(request: HttpRequest | None, name: str) -> None:
    """TooManyFailures if there were in the last minute, also for the right password."""
    if cache.get(_key(request, name), 0) >= MOST_FAILURES:
        raise TooManyFailures(TooManyFailures.__doc__)


def note_failure(
    sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    """A receiver of `user_login_failed`."""
    key = _key(request, credentials.get("username") or "")
    cache.add(key, 0, SECONDS)
    with suppress(ValueError):  # it was forgotten just now
        cache.incr(key)


def _key(request: HttpRequest | None, name: str) -> str:
    address = request.META.get("REMOTE_ADDR", "") if request else ""
    return f"failures:{digest(f'{name} {address}')}"
