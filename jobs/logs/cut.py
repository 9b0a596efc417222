"""A text whose middle is taken out, and in which all offsets and all numbers of lines are what they were.

Where the middle was, a line says so, and lines of blanks follow: as many bytes and as many lines as were taken out.
Packed, they take next to nothing.
"""

from __future__ import annotations

from typing import Self

from jobs.logs.packed import Cut
from jobs.logs.text import PIECE, Text

SEARCHED = 64 * 1024  # bytes in which the edge of a line is looked for


class Shortened:
    """The beginning and the end of a text. A Text."""

    def __init__(self, text: Text, cut: Cut, lines: int) -> None:
        self.size = text.size
        self.cut: Cut | None = cut
        self._text = text
        self._start, self._end = cut
        self._gap = _Gap(self._end - self._start, lines)

    @classmethod
    def of(cls, text: Text, keep: int) -> Self:
        """With `keep` bytes, half of them at each end, up to the edges of lines near there."""
        start = _line_before(text, keep // 2)
        end = _line_before(text, text.size - keep // 2)
        return cls(text, (start, end), _newlines(text, start, end))

    def read(self, start: int, end: int) -> bytes:
        end = min(end, self.size)
        before = self._text.read(start, min(end, self._start))
        gap = self._gap.read(max(start, self._start) - self._start, min(end, self._end) - self._start)
        return before + gap + self._text.read(max(start, self._end), end)


class _Gap:
    """So many bytes with so many newlines: words, and lines of blanks of two widths that differ by one."""

    def __init__(self, size: int, lines: int) -> None:
        words = f"[{size} bytes of the log, {lines} lines, were taken out here, as it is too long to be kept whole]"
        self.size = size
        first = words.encode()
        if not lines or len(first) + 1 > size - (lines - 1):
            self._parts = [(first[:size].ljust(size), 1)]  # too few or too short lines for the words
        elif lines == 1:
            self._parts = [(first.ljust(size - 1) + b"\n", 1)]
        else:
            width, wider = divmod(size - len(first) - 1, lines - 1)
            row = b" " * (width - 1) + b"\n"
            self._parts = [(first + b"\n", 1), (b" " + row, wider), (row, lines - 1 - wider)]

    def read(self, start: int, end: int) -> bytes:
        data, at = b"", 0
        for row, count in self._parts:
            data += _repeated(row, count, start - at, end - at)
            at += len(row) * count
        return data


def _repeated(row: bytes, count: int, start: int, end: int) -> bytes:
    """What `(row * count)[start:end]` has, without all of it in memory."""
    start, end = max(0, start), min(end, len(row) * count)
    if start >= end:
        return b""
    first = start // len(row)
    rows = row * (-(-end // len(row)) - first)
    return rows[start - first * len(row) : end - first * len(row)]


def _line_before(text: Text, offset: int) -> int:
    """Where the line begins that this byte is in, or the offset itself in the middle of a very long one."""
    begin = max(0, offset - SEARCHED)
    newline = text.read(begin, offset).rfind(b"\n")
    return begin + newline + 1 if newline >= 0 else offset


def _newlines(text: Text, start: int, end: int) -> int:
    return sum(text.read(at, min(at + PIECE, end)).count(b"\n") for at in range(start, end, PIECE))
