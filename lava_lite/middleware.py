"""What every request passes through that is the house's own."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from csp.constants import HEADER
from csp.middleware import CheckableLazyObject, CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.views import defaults

from accounts.rights import NotAllowed

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
BUSY = (OperationalError, InterfaceError)


class BusyDatabaseMiddleware:
    """A database that is locked or restarting is answered with a 503 that says so, never with a trace."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, BUSY):
            return None
        log.warning("The database did not answer for %s: %s", request.path, exception)
        return _busy(request)


class PolicyMiddleware(CSPMiddleware):
    """The Content-Security-Policy, as django-csp makes it; made once for all answers that ask for nothing of their own."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if (
            settings.DEBUG
            or hasattr(request, "_csp_nonce")
            or any(name.startswith("_csp") for name in vars(response))
        ):
            return super().process_response(request, response)
        if HEADER not in response:
            response[HEADER] = self._policy
        # Too late for a nonce, as in django-csp: the header would not have it.
        request.csp_nonce = CheckableLazyObject(self._csp_nonce_post_response)  # type: ignore[attr-defined]
        return response

    @cached_property
    def _policy(self) -> str:
        return build_policy()


class NotAllowedMiddleware:
    """What a verb refuses for want of a right is a page that says so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if isinstance(exception, NotAllowed):
            raise PermissionDenied(f"{capfirst(str(exception))}.") from exception


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler of what nothing else has handled; a middleware may have met the busy database."""
    if isinstance(sys.exc_info()[1], BUSY):
        return _busy(request)
    return defaults.server_error(request)


def _busy(request: HttpRequest) -> HttpResponse:
    if request.accepts("text/html") and not request.path.startswith(("/api/", "/scheduler/internal/")):
        response = render(request, "503.html", status=503)
    else:
        response = JsonResponse(
            {"error": "The database is busy; nothing was changed. Try again."}, status=503
        )
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
