"""What a client of core4's socket says, as it comes: an interest or a message."""

from __future__ import annotations

import json
from typing import Any

from api.core4.interest import BadFrame as BadFrame
from api.core4.interest import Interest
from api.core4.messages import Message

INTEREST, MESSAGE = "interest", "message"


def read(text: str) -> Interest | Message:
    """BadFrame for what is neither."""
    frame = _object(text)
    kind = frame.get("type")
    if kind == INTEREST:
        return Interest.of(frame)
    if kind == MESSAGE:
        return Message.of(frame)
    raise BadFrame(f'there is no type {json.dumps(kind)[:80]}; expected "{INTEREST}" or "{MESSAGE}"')


def _object(text: str) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        raise BadFrame("this is no JSON") from None
    if not isinstance(frame, dict):
        raise BadFrame("expected an object with a type")
    return frame
