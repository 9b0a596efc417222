"""Events of somebody's own: what a test, the API or a plugin says to all who listen, under `custom.` and a name.

What is said must be fit to be kept and told everywhere; BadSaying explains what is not. How often something may be
said is for those who say it: `jobs.sayings` counts for a job.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction

from events import outbox, topics
from events.catalogue import LONGEST_TYPE
from events.models import Event
from events.outbox import Cause

PREFIX: Final = "custom."
LONGEST_NAME: Final = LONGEST_TYPE - len(PREFIX)  # characters
MOST_BYTES: Final = 4096  # of the message, as UTF-8, and of the data, as JSON
DEEPEST: Final = 32  # mappings and lists in each other
NAMELESS: Final = "message"  # the name of what a test says without one

_NAMED: Final = re.compile(rf"({topics.PLAIN}):\s+(\S.*)", re.DOTALL)
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")  # what PostgreSQL cannot keep


class BadSaying(ValueError):
    """Something that cannot be told as an event; says what, and what would be right."""


def type_of(name: str) -> str:
    """The canonical type. BadSaying if this can be no name."""
    if not topics.is_plain(name) or len(name) > LONGEST_NAME:
        raise BadSaying(
            f"{name[:80]!r} is no name of an event: it is made of letters, digits, - and _, may have dots inside, "
            f"and has at most {LONGEST_NAME} characters"
        )
    return f"{PREFIX}{name}"


def content(name: str, message: str, data: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the payload says beside who said it. BadSaying if it cannot be told."""
    check_message(message)
    said: dict[str, Any] = {"name": name, "message": message}
    if data is not None:
        check_data(data)
        said["data"] = data
    return said


def check_message(message: str) -> None:
    _check_text("message", message)


def check_data(data: Mapping[str, Any]) -> None:
    _check(data)
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadSaying(f"the data cannot be written as JSON: {error}") from error
    _check_size("data", text)


def understood(text: str) -> tuple[str, Mapping[str, Any] | None]:
    """The name and the data of what a test says in one line of words.

    `flashed: 3 boards` has a name, and `flashed: {"boards": 3}` has data as well; anything else is a nameless message.
    """
    found = _NAMED.fullmatch(text)
    if found is None or len(found[1]) > LONGEST_NAME:
        return NAMELESS, None
    return found[1], _object(found[2])


def say(
    name: str,
    message: str = "",
    data: Mapping[str, Any] | None = None,
    *,
    by: str,
    public: bool = False,
    kind: str = "policy",
) -> Event:
    """Tell something that is not about a job: to superusers, or to everybody if it is `public`.

    `by` names the plugin, program or user that says it, and `kind` what it is (`outbox.CAUSES`). BadSaying if it
    cannot be told.
    """
    type, said = type_of(name), content(name, message, data)
    with transaction.atomic():
        return outbox.record(
            type, subject=by, data=said | {"public": public}, cause=Cause(kind=kind, actor=by)
        )


def _check_text(what: str, text: str) -> None:
    if _UNSTORABLE.search(text):
        raise BadSaying(f"the {what} holds a NUL or half a character, which cannot be kept")
    _check_size(what, text)


def _check_size(what: str, text: str) -> None:
    if (size := len(text.encode())) > MOST_BYTES:
        raise BadSaying(f"the {what} has {size:,} bytes; an event holds at most {MOST_BYTES:,}")


def _check(value: Any, level: int = 0) -> None:
    """BadSaying if a database or a listener could not bear it."""
    if level > DEEPEST:
        raise BadSaying(f"the data has more than {DEEPEST} levels")
    if isinstance(value, str):
        _check_text("data", value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise BadSaying("the data has a key that is no text")
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for below in value:
            _check(below, level + 1)


def _object(text: str) -> Mapping[str, Any] | None:
    """None if it is no object of JSON that could be told."""
    if not text.startswith("{") or len(text) > MOST_BYTES:
        return None
    try:
        data: dict[str, Any] = json.loads(text)
        check_data(data)
    except (ValueError, RecursionError):  # BadSaying is a ValueError, too
        return None
    return data
