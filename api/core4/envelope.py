"""The shape of core4's answers, in which every answer is wrapped."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from rest_framework.response import Response

from api.v1 import problems


def wrapped(data: Any, *, status: int = 200, **more: Any) -> dict[str, Any]:
    about = {
        "_id": secrets.token_hex(12),
        "code": status,
        "message": HTTPStatus(status).phrase,
        "timestamp": naive(timezone.now(), timespec="microseconds"),
    }
    return about | {"data": data} | more


def naive(moment: datetime, *, timespec: str = "seconds") -> str:
    """ISO 8601 in UTC, without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec)


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler: what version 1 says of it, in core4's shape. None for what nobody expected."""
    answer = problems.answer(error, context)
    if answer is None:
        return None
    status = answer.status_code
    body = wrapped(None, status=status, error=answer.data["detail"])
    headers = {name: answer[name] for name in KEPT if answer.has_header(name)}
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return Response(body, status=status, headers=headers)


KEPT: Sequence[str] = ("Retry-After", "WWW-Authenticate")
