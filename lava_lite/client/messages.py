"""What a server sends of its events, read from lines as browsers read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lava_lite.client.errors import Unreachable

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A block of lines; one that only says its place has no kind."""

    kind: str = ""
    id: str = ""  # `sequence` up to which all was told
    data: Row = field(default_factory=dict)


def messages(lines: Iterable[bytes]) -> Iterator[Message]:
    """What is not whole when the lines end is not told, as its rest comes again."""
    fields: dict[str, str] = {}
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            yield _message(fields)
            fields = {}
            continue
        name, _, value = text.partition(":")
        fields[name] = value.removeprefix(" ")


def _message(fields: dict[str, str]) -> Message:
    if "data" not in fields:
        return Message(id=fields.get("id", ""))
    try:
        data = json.loads(fields["data"])
    except ValueError:
        raise Unreachable("The stream tells something that is no JSON.") from None
    return Message(kind=fields.get("event", "message"), id=fields.get("id", ""), data=data)
