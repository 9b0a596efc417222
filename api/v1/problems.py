"""What went wrong, as problems of RFC 9457."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django.urls import reverse
from django.utils.text import capfirst
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response

from accounts.visitors import Unwelcome
from api import errors
from api.errors import Kind
from events.feed import Lost
from events.sse import BadQuery, Refusal, of_lost
from events.subscriptions.delivery import BadAck, SubscriptionExpired
from jobs.definition import InvalidDefinition

MEDIA_TYPE = "application/problem+json"
CHALLENGE = 'Token realm="lava_lite"'
WHOLE_BODY = "body"  # the name of an error that is none of a single field


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler. None for what nobody expected."""
    error = errors.in_drf_words(error)
    kind = errors.kind_of(error)
    if kind is None and not isinstance(error, APIException):
        return None
    problem = {**_type(kind, error), "detail": _detail(kind, error), **_more(error)}
    return Response(problem, status=problem["status"], content_type=MEDIA_TYPE, headers=_headers(kind, error))


def refusal(error: Exception) -> Refusal:
    """The same for what is answered beside Django: an error that has a kind."""
    kind = errors.kind_of(error)
    problem = {**_type(kind, error), "detail": _detail(kind, error), **_more(error)}
    headers = {"Content-Type": MEDIA_TYPE, **_headers(kind, error)}
    return Refusal(
        status=problem["status"],
        headers=[(name.lower().encode(), value.encode()) for name, value in headers.items()],
        body=json.dumps(problem).encode(),
    )


def address(kind: Kind) -> str:
    """Where this kind is explained."""
    return f"{reverse('api-docs')}#problem-{kind.slug}"


def _type(kind: Kind | None, error: Exception) -> dict[str, Any]:
    if kind is not None:
        return {"type": address(kind), "title": kind.title, "status": kind.status}
    status = HTTPStatus(getattr(error, "status_code", 500))
    return {"type": "about:blank", "title": status.phrase, "status": status.value}


def _detail(kind: Kind | None, error: Exception) -> str:
    if kind is errors.DATABASE_BUSY:
        return errors.BUSY
    if isinstance(error, ValidationError):
        return "; ".join(f"{name}: {' '.join(texts)}" for name, texts in _by_name(error).items())
    if isinstance(error, APIException):
        return _sentence(str(error.detail))
    return _sentence(str(error))


def _more(error: Exception) -> dict[str, Any]:
    if isinstance(error, InvalidDefinition):
        return {"faults": [asdict(fault) for fault in error.faults]}
    if isinstance(error, ValidationError):
        return {"errors": _by_name(error)}
    if isinstance(error, BadQuery):
        return {"errors": error.errors}
    if isinstance(error, BadAck):
        return {"errors": {"sequence": [str(error)]}}
    if isinstance(error, SubscriptionExpired):
        return {"sequence": error.subscription.sequence, "expired": error.subscription.expires.isoformat()}
    if isinstance(error, Lost):
        return {name: value for name, value in of_lost(error).items() if name != "reason"}
    return {}


def _headers(kind: Kind | None, error: Exception) -> dict[str, str]:
    headers = dict(errors.RETRY_AFTER) if kind is errors.DATABASE_BUSY else {}
    if seconds := getattr(error, "retry_after", None):
        headers["Retry-After"] = str(seconds)
    if wanted := getattr(error, "auth_header", CHALLENGE if isinstance(error, Unwelcome) else None):
        headers["WWW-Authenticate"] = wanted
    return headers


def _by_name(error: ValidationError) -> dict[str, list[str]]:
    """By the path of each field: `devices[2]`."""
    found: dict[str, list[str]] = {}
    for path, text in _flat("", error.detail):
        found.setdefault(path or WHOLE_BODY, []).append(text)
    return found


def _flat(path: str, detail: Any) -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for name, below in detail.items():
            yield from _flat(_below(path, name), below)
    elif isinstance(detail, list):
        for below in detail:
            yield from _flat(path, below)
    else:
        yield path, str(detail)


def _below(path: str, name: str | int) -> str:
    if isinstance(name, int):
        return f"{path}[{name}]"
    if name == "non_field_errors":
        return path
    return f"{path}.{name}" if path else name


def _sentence(text: str) -> str:
    text = capfirst(text)
    return text if text.endswith((".", "!", "?")) else f"{text}."
