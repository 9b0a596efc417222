"""How values look: for people (ages, words) and for programs (as the API has them). Nothing here writes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from lava_lite.client.errors import Usage

Tone = Literal["good", "bad", "warn", "busy", "still", "head"]
Row = Mapping[str, Any]

GAP = 2

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_AGE = re.compile(r"(\d{1,6})\s*(s|min|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}

TONES: dict[str, Tone] = {
    "pass": "good",
    "fail": "bad",
    "infrastructure": "warn",
    "canceled": "still",
    "Submitted": "still",
    "Scheduled": "busy",
    "Running": "busy",
    "Canceling": "busy",
    "Reserved": "busy",
    "Good": "good",
    "Unknown": "warn",
    "Looping": "busy",
    "Bad": "bad",
    "Maintenance": "warn",
    "Retired": "still",
    "skip": "still",
    "unknown": "warn",
    "running": "busy",
    "unfinished": "warn",
}


def plain(value: Any) -> str:
    """For another program."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


def age(value: Any) -> str:
    """A time as how long ago it was."""
    time = moment(value)
    return duration((datetime.now(UTC) - time).total_seconds()) if time else plain(value)


def ago(value: Any) -> str:
    """A time with its age beside it, for a line of its own."""
    time = moment(value)
    if time is None:
        return plain(value)
    seconds = (datetime.now(UTC) - time).total_seconds()
    beside = f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"
    return f"{value} ({beside})"


def duration(value: Any) -> str:
    """`2 h 5 min`: the two largest units are enough."""
    if value is None:
        return ""
    left = max(int(float(value)), 0)
    parts: list[tuple[int, str]] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"


def moment(value: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def seconds_of(text: str) -> int | None:
    """Of a length like `90min`, `12h` or `3d`; None for what is none."""
    found = _AGE.fullmatch(text.strip())
    return int(found[1]) * _SECONDS[found[2]] if found else None


def point_in_time(text: str) -> str:
    """A time or an age (`2h`, `3d`) as the API takes it. Usage says what would be right."""
    if (back := seconds_of(text)) is not None:
        time = datetime.now(UTC) - timedelta(seconds=back)
        return time.isoformat(timespec="seconds").replace("+00:00", "Z")
    if moment(text) is None:
        raise Usage(f"{text!r} is no time; expected one like 2026-01-31, 2026-01-31T12:00Z, 90min, 12h or 3d")
    return text


def later(text: str) -> str:
    """A time as the API takes it. Usage says what would be right."""
    if (time := moment(text)) is None:
        raise Usage(f"{text!r} is no time; expected one like 2030-01-31T12:00Z or 2030-01-31T12:00+01:00")
    return time.isoformat(timespec="seconds")


def clean(text: str) -> str:
    """Somebody else's words, so that they move nothing on a terminal and stay on their line."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def status(job: Row) -> str:
    """How it ended, or where it is."""
    return str(job.get("outcome") or job.get("state") or "")


def tone_of(word: Any) -> Tone | None:
    return TONES.get(str(word))


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    head: str
    value: Callable[[Row], Any]
    show: Callable[[Any], str] = plain  # for people
    toned: bool = False  # by its word

    def shown(self, row: Row) -> str:
        return self.show(self.value(row))

    def plain(self, row: Row) -> str:
        return plain(self.value(row))

    def tone(self, row: Row) -> Tone | None:
        return tone_of(self.value(row)) if self.toned else None


def column(
    head: str,
    key: str | Callable[[Row], Any],
    show: Callable[[Any], str] = plain,
    *,
    toned: bool = False,
) -> Column:
    """`key` of the API's object, or what is made of it."""
    value = key if callable(key) else lambda row: row.get(key)
    return Column(head=head, value=value, show=show, toned=toned)


def cells(text: str) -> int:
    """How many places it takes on a terminal."""
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def columns_of_text(rows: Iterable[Sequence[str]]) -> list[int]:
    return [max(map(cells, column)) for column in zip(*rows, strict=True)]


def fit(texts: Sequence[str], widths: Sequence[int], room: int) -> list[str]:
    """Each in its column, with the gap behind it; what has no room at the end of the line is cut."""
    pieces = []
    for text, width in zip(texts, widths, strict=True):
        piece = cut(text, max(room, 0))
        pieces.append(piece + " " * min(width + GAP - cells(piece), max(room - cells(piece), 0)))
        room -= width + GAP
    return pieces


def cut(text: str, room: int) -> str:
    if cells(text) <= room:
        return text
    while text and cells(text) > room - 1:
        text = text[:-1]
    return f"{text}…" if room > 0 else ""
