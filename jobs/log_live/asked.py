"""What the address of a followed log asks for: `?start=928&attempt=2`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs

from core.asgi import Scope
from core.pages import whole_number
from events.sockets.connection import BadQuery, NotFound
from jobs.log_live.watching import Which

LARGEST = 2**63 - 1  # number of a job that the database can be asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    which: Which
    start: int

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """BadQuery for what makes no sense, NotFound for a number that no job has; names that are not known are passed over."""
        values = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        job = int(scope["url_route"]["kwargs"]["job"])
        if job > LARGEST:
            raise NotFound(f"There is no job {job}.")
        attempt = _number("attempt", values["attempt"]) if "attempt" in values else None
        if attempt == 0:
            raise BadQuery("attempt: expected 1 or more, got '0'")
        return cls(which=Which(job, attempt), start=_number("start", values.get("start", ["0"])))


def _number(name: str, texts: Iterable[str]) -> int:
    *_, text = texts
    number = whole_number(text)
    if number is None:
        raise BadQuery(f"{name}: expected a whole number, 0 or more, got {text[:40]!r}")
    return number
