"""One table from what went wrong to what an API answers."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from accounts.rights import NotAllowed
from devices.lifecycle import DeviceBusy, StillInUse
from jobs.definition import InvalidDefinition
from jobs.logs import UnknownFormat
from jobs.models import Job
from jobs.states import InvalidMove

STATUS = {
    InvalidDefinition: 400,
    NotAllowed: 403,
    DeviceBusy: 409,
    InvalidMove: 409,
    StillInUse: 409,
    UnknownFormat: 500,
    OperationalError: 503,
    InterfaceError: 503,
}
BUSY = "The database is busy; nothing was changed. Try again."
RETRY_AFTER = {"Retry-After": "5"}  # seconds


class TooLarge(APIException):
    status_code = 413
    default_detail = "The body of this request is too large."


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler: LAVA's shape, a `message`, for what the house raises; DRF's own for the rest."""
    for kind, status in STATUS.items():
        if not isinstance(error, kind):
            continue
        if status == 503:
            return Response({"message": BUSY}, status=status, headers=RETRY_AFTER)
        return Response({"message": str(error)}, status=status)
    return exception_handler(_in_drf_words(error), context)


def _in_drf_words(error: Exception) -> Exception:
    if isinstance(error, Http404 | Job.DoesNotExist):
        return NotFound()  # LAVA's words, which do not tell what kind of thing is missing
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, SuspiciousOperation):
        return ParseError(str(error))
    return error
