"""Reading a job's log from an offset: what `log-tail`, the pages and the downloads show."""

from __future__ import annotations

import codecs
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from jobs.logs import text
from jobs.logs.index import opened

LIMIT = 1 << 20  # bytes of one read
LONGEST_CHARACTER = 4  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    content: str
    new_size: int  # offset in bytes at which the next read goes on
    at_end: bool  # nothing is left behind new_size


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPart:
    start: int  # offset in bytes of the text
    text: str
    end: int  # offset in bytes at which a tail goes on


def read(directory: Path, start: int, limit: int = LIMIT, *, finished: bool = False) -> Tail:
    """The text from `start` on, at most `limit` bytes of it.

    The text never ends inside a character: up to three bytes wait for the rest of theirs, unless the log is
    finished. Invalid bytes are U+FFFD, as in `bytes.decode("utf-8", "replace")`. A start beyond the end, as after
    a change to a newer attempt, gives no text and the real size; no log gives 0. ValueError: `start` is negative.
    """
    if start < 0:
        raise ValueError(f"start: expected a number of bytes, 0 or more, got {start}")
    with text.opened(directory) as opened_text:
        end = opened_text.size
        data = opened_text.read(start, start + max(limit, LONGEST_CHARACTER))
    if start >= end:
        return Tail(content="", new_size=end, at_end=True)
    final = finished and start + len(data) == end
    content, used = codecs.utf_8_decode(data, "replace", final)
    return Tail(content=content, new_size=start + used, at_end=start + used == end)


def last_part(directory: Path, max_bytes: int = 65_536) -> LastPart:
    """The end of the log, from the beginning of a line on if one begins in the last `max_bytes`."""
    with text.opened(directory) as opened_text:
        end = opened_text.size
        start = max(0, end - max_bytes)
        # The byte before shows whether the part begins with a line.
        before = min(start, 1)
        data = opened_text.read(start - before, end)
    if before:
        begin = _line_start(data)
        start += begin - before
        data = data[begin:]
    content, used = codecs.utf_8_decode(data, "replace", False)
    return LastPart(start=start, text=content, end=start + used)


def between(directory: Path, first: int, behind: int, max_bytes: int) -> str:
    """The text of the records `first` to `behind` (not included), as many whole ones as fit from the first on."""
    with opened(directory) as index:
        start = end = None
        for entry in index.from_number(first):
            start = entry.start if start is None else start
            if entry.number >= behind or entry.end - start > max_bytes:
                break
            end = entry.end
    if start is None or end is None:
        return ""
    return text.read(directory, start, end).decode("utf-8", "replace")


def spans(directory: Path, numbers: Collection[int]) -> dict[int, tuple[int, int]]:
    """Where the text of these records begins and ends, in bytes; without those that the log does not have."""
    if not numbers:
        return {}
    last = max(numbers)
    found: dict[int, tuple[int, int]] = {}
    with opened(directory) as index:
        for entry in index.from_number(min(numbers)):
            if entry.number > last:
                break
            if entry.number in numbers:
                start, _ = found.get(entry.number, (entry.start, 0))
                found[entry.number] = (start, entry.end)
    return found


def next_index(directory: Path) -> int:
    """The wire index of the record that comes next."""
    with opened(directory) as index:
        return index.cursor().index


def record_count(directory: Path, *, finished: bool = False) -> int:
    """Records as clients of LAVA count them; a line that has no end yet counts when the log is finished."""
    with opened(directory) as index:
        return index.record_count(finished=finished)


def _line_start(data: bytes) -> int:
    """Where the first whole line begins behind the first byte; without one, the first whole character."""
    newline = data.find(b"\n", 0, len(data) - 1)
    if newline >= 0:
        return newline + 1
    first = 1
    while first < min(LONGEST_CHARACTER, len(data)) and data[first] & 0xC0 == 0x80:
        first += 1
    return first
