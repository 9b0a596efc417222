"""One table from what went wrong to what an API answers: in LAVA's shapes here, as a problem in `api.v1.problems`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from accounts.rights import NotAllowed
from accounts.visitors import Unwelcome
from devices.lifecycle import DeviceBusy, NoHealthCheck, StillInUse
from events.feed import Lost
from events.selection import BadFilter
from events.sse import BadQuery
from events.subscriptions.delivery import BadAck, StaleAck, SubscriptionExpired
from events.subscriptions.lifecycle import SubscriptionRefused
from events.webhooks.lifecycle import WebhookRefused
from jobs.attempts import NotDeferrable
from jobs.definition import InvalidDefinition
from jobs.logs import UnknownFormat
from jobs.models import Job
from jobs.reservations import ReservationRefused
from jobs.sayings import TooManySayings
from jobs.states import InvalidMove
from jobs.waits import NotWaiting

BUSY = "The database is busy; nothing was changed. Try again."
RETRY_AFTER = {"Retry-After": "5"}  # seconds


class TooLarge(APIException):
    status_code = 413
    default_detail = "The body of this request is too large."


class Conflict(APIException):
    """What would lead to a state that must not be."""

    status_code = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of failure, and what its caller can do about it."""

    slug: str
    status: int
    title: str
    remedy: str


INVALID_DEFINITION = Kind(
    slug="invalid-definition",
    status=400,
    title="The definition cannot be accepted",
    remedy="Mend what `faults` names: each has the path of the key, its line and what would be right.",
)
INVALID_VALUE = Kind(
    slug="invalid-value",
    status=400,
    title="A parameter or a field is wrong",
    remedy="`errors` says of each name what would be right.",
)
UNREADABLE = Kind(
    slug="unreadable",
    status=400,
    title="The request cannot be read",
    remedy="Send UTF-8, and a body of the kind that its Content-Type names.",
)
WHO_ARE_YOU = Kind(
    slug="who-are-you",
    status=401,
    title="Who asks is not known",
    remedy="Send `Authorization: Token …` with a token that is neither expired nor revoked; to get one, the right name and password.",
)
NOT_ALLOWED = Kind(
    slug="not-allowed",
    status=403,
    title="You may not do this",
    remedy="Ask the person or group that `detail` names, or use a token of a wider scope.",
)
NOT_FOUND = Kind(
    slug="not-found",
    status=404,
    title="There is nothing here",
    remedy="Check the address. What is hidden from you is answered like what does not exist.",
)
WRONG_METHOD = Kind(
    slug="wrong-method",
    status=405,
    title="This address does not take this method",
    remedy="Use one of those that the header Allow names.",
)
CONFLICT = Kind(
    slug="conflict",
    status=409,
    title="This cannot be done now",
    remedy="Read the state again: it has moved on, or never allowed this.",
)
TOO_MANY = Kind(
    slug="too-many",
    status=429,
    title="This was done too often",
    remedy="Do it less often; if there is a header Retry-After, again after so many seconds.",
)
LOST = Kind(
    slug="events-are-gone",
    status=410,
    title="Events cannot be told from there on",
    remedy="What you know of the lab is out of date: begin anew with the address in `snapshot`, which tells how all is and then goes on.",
)
EXPIRED = Kind(
    slug="subscription-expired",
    status=410,
    title="This subscription is expired",
    remedy="Begin anew with a POST to `renew` below its address: from now, from the oldest event, or after the one in `sequence`.",
)
TOO_LARGE = Kind(
    slug="too-large",
    status=413,
    title="The body is too large",
    remedy="Send less; `detail` has the limit.",
)
WRONG_MEDIA_TYPE = Kind(
    slug="wrong-media-type",
    status=415,
    title="The body is of a kind that is not read here",
    remedy="Set Content-Type to one of those that the description of the operation lists.",
)
BROKEN_LOG = Kind(
    slug="broken-log",
    status=500,
    title="The log cannot be read",
    remedy="Tell an administrator: it was written by another version of lava_lite.",
)
DATABASE_BUSY = Kind(
    slug="busy",
    status=503,
    title="The database is busy",
    remedy="Nothing was changed. Send the request again after the seconds that Retry-After names.",
)

KINDS: dict[type[Exception], Kind] = {
    InvalidDefinition: INVALID_DEFINITION,
    NotAllowed: NOT_ALLOWED,
    DeviceBusy: CONFLICT,
    InvalidMove: CONFLICT,
    NotDeferrable: CONFLICT,
    NotWaiting: CONFLICT,
    NoHealthCheck: CONFLICT,
    StillInUse: CONFLICT,
    ReservationRefused: CONFLICT,
    TooManySayings: TOO_MANY,
    WebhookRefused: CONFLICT,
    SubscriptionRefused: CONFLICT,
    SubscriptionExpired: EXPIRED,
    StaleAck: CONFLICT,
    BadAck: INVALID_VALUE,
    UnknownFormat: BROKEN_LOG,
    Lost: LOST,
    BadFilter: INVALID_VALUE,
    BadQuery: INVALID_VALUE,
    Unwelcome: WHO_ARE_YOU,
    OperationalError: DATABASE_BUSY,
    InterfaceError: DATABASE_BUSY,
    exceptions.ValidationError: INVALID_VALUE,
    exceptions.ParseError: UNREADABLE,
    exceptions.NotAuthenticated: WHO_ARE_YOU,
    exceptions.AuthenticationFailed: WHO_ARE_YOU,
    exceptions.PermissionDenied: NOT_ALLOWED,
    exceptions.NotFound: NOT_FOUND,
    exceptions.MethodNotAllowed: WRONG_METHOD,
    exceptions.UnsupportedMediaType: WRONG_MEDIA_TYPE,
    Conflict: CONFLICT,
    TooLarge: TOO_LARGE,
}


def kinds() -> list[Kind]:
    """All there are, by their status."""
    return sorted(dict.fromkeys(KINDS.values()), key=lambda kind: kind.status)


def kind_of(error: Exception) -> Kind | None:
    """None for what nobody expected."""
    return next((kind for known, kind in KINDS.items() if isinstance(error, known)), None)


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler: LAVA's shape, a `message`, for what the house raises; DRF's own for the rest."""
    error = in_drf_words(error)
    kind = kind_of(error)
    if kind is None or isinstance(error, APIException):
        return exception_handler(error, context)
    if kind is DATABASE_BUSY:
        return Response({"message": BUSY}, status=kind.status, headers=RETRY_AFTER)
    return Response({"message": str(error)}, status=kind.status)


def in_drf_words(error: Exception) -> Exception:
    """What Django raises, as DRF would have raised it; anything else as it is."""
    if isinstance(error, Http404 | Job.DoesNotExist):
        return NotFound()  # LAVA's words, which do not tell what kind of thing is missing
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied(str(error) or None)
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, SuspiciousOperation):
        return ParseError(str(error))
    return error
