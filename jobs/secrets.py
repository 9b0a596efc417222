"""What of a definition is nobody's business who reads the log of its job. No ORM."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from core import yaml

REMEMBERED = 64  # definitions; those of the jobs that run now

# The password in an address: `https://ci:hunter2@git.example.com/tests`.
_PASSWORD = re.compile(r"://[^\s/:@\"']*:([^\s/@\"']+)@")
_CREDENTIAL = re.compile(r"auth|token|secret|cookie|passw|api.?key", re.IGNORECASE)


@lru_cache(maxsize=REMEMBERED)
def secrets_of(definition: str) -> tuple[str, ...]:
    """The values of `secrets`, of headers that let somebody in, of tokens of callbacks; passwords in addresses."""
    found = [word for raw in _PASSWORD.findall(definition) for word in (raw, unquote(raw))]
    try:
        data = yaml.load(definition, max_bytes=len(definition.encode()))
    except yaml.YAMLError:  # it was accepted by other rules
        data = None
    if isinstance(data, dict):
        found += _values(data.get("secrets"))
        found += _credentials(data)
    return tuple(dict.fromkeys(found))


def _credentials(value: Any) -> Iterator[str]:
    for item in inside(value):
        if not isinstance(item, Mapping):
            continue
        headers = item.get("headers")
        if "url" in item and isinstance(headers, Mapping):
            yield from _values({key: word for key, word in headers.items() if _CREDENTIAL.search(str(key))})
        if "url" in item and isinstance(item.get("token"), str):
            yield item["token"]


def inside(value: Any) -> Iterator[Any]:
    """Itself, and whatever is within it."""
    yield value
    if isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from inside(item)


def _values(mapping: Any) -> Iterator[str]:
    """What is true, false or nothing is no secret."""
    for value in mapping.values() if isinstance(mapping, Mapping) else ():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            yield str(value)
