"""When each line of a log came, and of what level it is: from the 16 bytes that `output.idx` has for each record.

A line that came in several records has the time and the level of the first; the lines of one record share its time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.logs import format, index
from jobs.logs import lines as log_lines
from jobs.logs.lines import Lines
from jobs.logs.text import Text

MOST_LINES = 10_000  # of one part
MOST_BYTES = 4 << 20  # of one part that has more than one line

LETTERS = {
    "debug": "d",
    "info": "i",
    "warning": "w",
    "error": "e",
    "exception": "x",
    "input": "n",
    "target": "t",
    "feedback": "f",
    "results": "r",
}
_LETTER_OF_KIND = "".join(
    LETTERS[format.LEVEL_NAMES.get(kind & format.LEVEL_MASK, "debug")] for kind in range(256)
).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some lines of a log, one after another."""

    first: int  # number of the first one; of no lines, the number of the line that comes there
    start: int  # offset in bytes of the first one
    end: int  # offset behind the last one
    total: int  # lines of the whole log so far
    times: Sequence[int]  # milliseconds since 1970 UTC, one for each line
    levels: str  # a letter of LETTERS for each line


def by_bytes(directory: Path, start: int, end: int | None = None, *, max_bytes: int = MOST_BYTES) -> Part:
    """The lines that these bytes are of, whole; fewer of them where they are too many or too long for one answer."""

    def part(lines: Lines) -> Part:
        behind = lines.size if end is None else min(end, lines.size)
        return _part(directory, lines, lines.number_at(start), lines.number_at(max(0, behind - 1)), max_bytes)

    return log_lines.ask(directory, part)


def by_number(directory: Path, first: int, count: int, *, max_bytes: int = MOST_BYTES) -> Part:
    """`count` lines from the one of this number on; fewer where the log ends, or for one answer as above."""
    return log_lines.ask(
        directory, lambda lines: _part(directory, lines, first, first + count - 1, max_bytes)
    )


def _part(directory: Path, lines: Lines, first: int, last: int, max_bytes: int) -> Part:
    first = min(first, lines.total + 1)
    last = min(last, first + MOST_LINES - 1, lines.total)
    start = lines.start_of(first)
    end = lines.start_of(last + 1)
    if end - start > max_bytes:
        # One line is always given, or nobody would come beyond it.
        last = max(first, lines.number_at(start + max_bytes) - 1)
        end = lines.start_of(last + 1)
    count = last - first + 1
    times, levels = _stamps(directory, lines.text, start, end, count) if count > 0 else ([], "")
    return Part(first=first, start=start, end=max(start, end), total=lines.total, times=times, levels=levels)


def _stamps(
    directory: Path, opened_text: Text, start: int, end: int, count: int
) -> tuple[Sequence[int], str]:
    """The times and the letters of the `count` lines that these bytes are."""
    with index.opened(directory) as opened_index:
        slots, time_before = opened_index.holding(start, end)
    entries, values = format.columns(slots)
    first = bisect_right(entries, start, key=format.low_48)
    behind = bisect_left(entries, end, key=format.low_48) + 1
    letters = slots[format.KIND :: format.SLOT].translate(_LETTER_OF_KIND).decode()
    if behind - first == count and format.are_plain(slots[first * format.SLOT : behind * format.SLOT]):
        # As many records as lines, and each of them ends a line: so each is one.
        return [value // 1000 for value in values[first:behind]], letters[first:behind]
    times = _times(entries, values, time_before)
    ends = [format.low_48(word) for word in entries]
    owners = [bisect_right(ends, offset) for offset in _starts(opened_text.read(start, end), start)]
    return [times[owner] for owner in owners], "".join([letters[owner] for owner in owners])


def _times(entries: Sequence[int], values: Sequence[int], before: int) -> list[int]:
    """In milliseconds. A hole, which has none, takes that of the record before it."""
    times = []
    for word, value in zip(entries, values, strict=True):
        if not format.kind_of(word) & format.HOLE:
            before = value
        times.append(before // 1000)
    return times


def _starts(data: bytes, offset: int) -> Iterator[int]:
    """Where each line of these begins."""
    position = 0
    while position < len(data):
        yield offset + position
        position = data.find(b"\n", position) + 1 or len(data)
