"""Reading `output.idx` without a lock: how far the log goes, and which entry a number belongs to.

What a reader sees is a snapshot: the slots that were there when it opened the file. The text they speak of was
written before them.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from jobs.logs import format

TEXT_NAME = "output.log"
PACKED_NAME = "output.log.zst"  # the text of a finished log, see packed.py
INDEX_NAME = "output.idx"
NAMESPACES_NAME = "namespaces.json"

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_SLOTS_AT_ONCE = 4 * format.BLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    number: int  # of the record it belongs to
    start: int  # offset of its text in bytes
    end: int
    kind: int  # level and flags, see format.py
    namespace: int
    microseconds: int  # since 1970 UTC; of a hole: those of the record before it, else of the one after it

    @property
    def level(self) -> str:
        return format.LEVEL_NAMES.get(self.kind & format.LEVEL_MASK, "debug")

    @property
    def time(self) -> datetime:
        """Naive UTC."""
        try:
            return _EPOCH + self.microseconds * _MICROSECOND
        except OverflowError:
            return _EPOCH


def to_microseconds(time: datetime) -> int:
    """Since 1970; `time` is naive UTC."""
    delta = time - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def whole(descriptor: int, slots: int, text_size: int) -> tuple[int, int]:
    """How many slots are left, and the end of the text, without last slots that hold no entry for this text.

    Such slots are a checkpoint without its entry and, after a power cut, zeros or entries whose text is gone.
    """
    while slots > 1:
        word, _ = format.unpack(os.pread(descriptor, format.SLOT, (slots - 1) * format.SLOT))[0]
        if format.is_entry(word) and format.low_48(word) <= text_size:
            return slots, format.low_48(word)
        slots -= 1
    return slots, 0


class Index:
    """The open index of one log; `slots` of it count, up to the byte `end` of the text."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        slots = os.fstat(descriptor).st_size // format.SLOT
        if slots:
            format.check_header(self._slots(0, 1))
        self.slots, self.end = whole(descriptor, slots, format.LARGEST_END)

    def cursor(self) -> format.Cursor:
        """The place behind the last entry."""
        if not self.slots:
            return format.Cursor()
        block = (self.slots - 1) // format.BLOCK
        first = block * format.BLOCK + 1
        cursor = self._cursor_of(block)
        data = self._slots(first, self.slots)
        if format.are_plain(data):
            count = len(data) // format.SLOT
            return format.Cursor(index=cursor.index + count, number=cursor.number + count, end=self.end)
        for word, value in format.unpack(data):
            cursor.take(word, value)
        return cursor

    def record_count(self, *, finished: bool = False) -> int:
        """Records as clients of LAVA count them; a line that has no end yet counts when the log is finished."""
        cursor = self.cursor()
        return cursor.number + (finished and cursor.open is not None)

    def numbers(self, index: int, count: int) -> list[int]:
        """The record numbers of `count` wire indices from `index` on, all of them below the end of the log."""
        block = bisect_right(range(self._blocks), index, key=lambda block: self._cursor_of(block).index) - 1
        cursor = self._cursor_of(block)
        numbers: list[int] = []
        for word, value in self._entries(block):
            number = cursor.take(word, value)
            known = index + len(numbers)
            numbers.extend([number] * (min(cursor.index, index + count) - known))
            if len(numbers) == count:
                break
        return numbers

    def from_number(self, number: int) -> Iterator[Entry]:
        """The entries from the first piece of this record on."""
        # A checkpoint of just this number may stand in the middle of the record's pieces.
        block = bisect_left(range(self._blocks), number, key=lambda block: self._cursor_of(block).number) - 1
        block = max(0, block)
        cursor = self._cursor_of(block)
        time = self._time_near(block)
        for word, value in self._entries(block):
            kind = format.kind_of(word)
            if not kind & format.HOLE:
                time = value
            start = cursor.end
            belongs_to = cursor.take(word, value)
            if belongs_to >= number:
                yield Entry(
                    number=belongs_to,
                    start=start,
                    end=cursor.end,
                    kind=kind,
                    namespace=format.namespace_of(word),
                    microseconds=time,
                )

    def holding(self, start: int, end: int) -> tuple[bytes, int]:
        """The slots of the entries that hold these bytes of the text, without checkpoints, and a time near the first.

        There are more before and behind them, up to the blocks' bounds.
        """
        first = max(0, bisect_right(range(self._blocks), start, key=self._end_before) - 1)
        behind = bisect_left(range(self._blocks), end, key=self._end_before)
        bounds = range(first * format.BLOCK, min(behind * format.BLOCK, self.slots), format.BLOCK)
        blocks = [self._slots(bound + 1, min(bound + format.BLOCK, self.slots)) for bound in bounds]
        return b"".join(blocks), self._time_near(first)

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """All entries by blocks, as slots without the checkpoint; with each, where the text of its first entry begins."""
        start = 0
        for first in range(0, self.slots, format.BLOCK):
            slots = self._slots(first + 1, min(first + format.BLOCK, self.slots))
            yield start, slots
            start = format.end_of(slots, -1) if slots else start

    @property
    def _blocks(self) -> int:
        return -(-self.slots // format.BLOCK)

    def _cursor_of(self, block: int) -> format.Cursor:
        """The place before the first entry of a block."""
        if block == 0:
            return format.Cursor()
        first = block * format.BLOCK
        (last, _), (checkpoint, index) = format.unpack(self._slots(first - 1, first + 1))
        return format.Cursor(index=index, number=format.low_48(checkpoint), end=format.low_48(last))

    def _end_before(self, block: int) -> int:
        """Where the text of the last entry before a block ends."""
        return self._cursor_of(block).end

    def _entries(self, block: int) -> Iterator[tuple[int, int]]:
        """The words of all entries from the beginning of a block on."""
        for first in range(block * format.BLOCK, self.slots, _SLOTS_AT_ONCE):
            data = self._slots(max(1, first), min(first + _SLOTS_AT_ONCE, self.slots))
            for word, value in format.unpack(data):
                if format.kind_of(word) != format.CHECKPOINT:
                    yield word, value

    def _time_near(self, block: int) -> int:
        """A time for a hole that a block begins with."""
        first = block * format.BLOCK
        for word, value in format.unpack(self._slots(max(1, first - 1), min(first + 3, self.slots))):
            if not format.kind_of(word) & format.HOLE:
                return value
        return 0

    def _slots(self, first: int, behind: int) -> bytes:
        return os.pread(self._descriptor, max(0, behind - first) * format.SLOT, first * format.SLOT)


@contextmanager
def opened(directory: Path) -> Iterator[Index]:
    """The index of the log in this directory; where there is no log yet, an empty one."""
    try:
        descriptor = os.open(directory / INDEX_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield Index(descriptor)
    finally:
        os.close(descriptor)


def namespaces(directory: Path) -> list[str]:
    """The names of the namespaces in the order of their numbers, the first one being number 1.

    A file that is gone or broken costs the names, never the log.
    """
    try:
        return list(json.loads((directory / NAMESPACES_NAME).read_bytes()))
    except (FileNotFoundError, ValueError):
        return []
