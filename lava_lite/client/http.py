"""A request and its answer, as the API speaks of them. Nothing here loads the network's modules, which are slow to load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str  # from the server's address on
    body: bytes | None = None
    kind: str = ""  # media type of the body
    accept: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in small letters
    body: bytes


def query(fields: Mapping[str, Any]) -> str:
    """`?a=1&b=2`, without what is None or empty."""
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    return f"?{urlencode(given, errors='surrogateescape')}" if given else ""
