"""Which line of a log's text is where. A line is what ends with a newline, and what stands behind the last newline.

So that nobody counts a whole text twice, `output.lines` keeps how many lines end in each beginning of it, one number
for every STRIDE bytes. Its layout, little-endian:

    header    16 bytes: magic, version (32 bit), STRIDE (32 bit)
    word k    64 bits: how many lines end in the first (k + 1) * STRIDE bytes of the text

The file is made from the text alone and goes on as the text grows, by whoever asks next. It needs no lock: what two
readers write at once is the same. It is believed as far as it fits the text: made anew if it speaks of more text than
there is, if its numbers go down, or if a part of the text that is read holds another number of lines. Where it cannot
be written, the lines are counted each time.
"""

from __future__ import annotations

import logging
import operator
import os
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TypeVar

from jobs.logs import index, text
from jobs.logs.text import Text

log = logging.getLogger(__name__)

T = TypeVar("T")

LINES_NAME = "output.lines"
STRIDE = 64 * 1024  # bytes of text
VERSION = 1

_HEADER = struct.pack("<8sII", b"joblines", VERSION, STRIDE)
_WORD = 8  # bytes
_AT_ONCE = 16 * STRIDE  # bytes that are counted between two reads of the disk


class Unfit(Exception):
    """What was kept of a log's lines does not fit its text."""


class Lines:
    """The lines of one text, numbered from 1. Offsets are bytes. Its methods raise Unfit, which `ask` answers to."""

    def __init__(self, opened_text: Text, counts: array[int]) -> None:
        self.text = opened_text
        self.size = opened_text.size
        self._counts = counts
        if counts:
            self._read(len(counts) - 1)  # what is looked at first: a crash spoils the end
        rest = opened_text.read(len(counts) * STRIDE, self.size)
        is_open = self.size > 0 and opened_text.read(self.size - 1, self.size) != b"\n"
        self.total = self._before(len(counts)) + rest.count(b"\n") + is_open

    def number_at(self, offset: int) -> int:
        """The line that this byte is of; at the end of the text and behind it, the line that comes next."""
        if offset >= self.size:
            return self.total + 1
        stride, inside = divmod(offset, STRIDE)
        return self._before(stride) + self._read(stride).count(b"\n", 0, inside) + 1

    def start_of(self, number: int) -> int:
        """Where a line begins; of one that is not there yet, the end of the text."""
        before = number - 1
        if before <= 0:
            return 0
        if number > self.total:
            return self.size
        stride = bisect_left(self._counts, before)
        return stride * STRIDE + _behind_newline(self._read(stride), before - self._before(stride))

    def _before(self, stride: int) -> int:
        """How many lines end before this part of the text."""
        return self._counts[stride - 1] if stride else 0

    def _read(self, stride: int) -> bytes:
        data = self.text.read(stride * STRIDE, (stride + 1) * STRIDE)
        if stride < len(self._counts) and self._before(stride) + data.count(b"\n") != self._counts[stride]:
            raise Unfit
        return data


def ask(directory: Path, question: Callable[[Lines], T]) -> T:
    """What `question` finds of the lines of this log; it is asked again where their file turns out not to fit."""
    with text.opened(directory) as opened_text:
        try:
            return question(Lines(opened_text, _counted(directory, opened_text, _kept(directory))))
        except Unfit:
            log.warning("%s does not fit the text beside it and is made anew", directory / LINES_NAME)
            return question(Lines(opened_text, _counted(directory, opened_text, array("Q"))))


def of_record(directory: Path, number: int) -> int | None:
    """The line with which the record of this number begins. None if the log does not have it."""
    with index.opened(directory) as found:
        entry = next(found.from_number(number), None)
    return None if entry is None else ask(directory, lambda lines: lines.number_at(entry.start))


def _counted(directory: Path, opened_text: Text, counts: array[int]) -> array[int]:
    """With the numbers of all whole parts of the text, which are kept for the next one who asks."""
    known = len(counts)
    strides = opened_text.size // STRIDE
    if known > strides:
        raise Unfit
    for start in range(known * STRIDE, strides * STRIDE, _AT_ONCE):
        data = opened_text.read(start, min(start + _AT_ONCE, strides * STRIDE))
        for inside in range(0, len(data), STRIDE):
            counts.append((counts[-1] if counts else 0) + data.count(b"\n", inside, inside + STRIDE))
    if len(counts) > known:
        _keep(directory / LINES_NAME, counts, known)
    return counts


def _kept(directory: Path) -> array[int]:
    """What the file says; nothing where there is none. Unfit if that cannot be."""
    counts = array("Q")
    try:
        data = (directory / LINES_NAME).read_bytes()
    except OSError:
        return counts
    if not data.startswith(_HEADER):
        raise Unfit
    counts.frombytes(data[len(_HEADER) : len(data) - len(data) % _WORD])
    if sys.byteorder == "big":
        counts.byteswap()
    if not all(map(operator.le, counts, islice(counts, 1, None))):
        raise Unfit
    return counts


def _keep(path: Path, counts: array[int], known: int) -> None:
    """Writes the numbers behind those that were known before; all of them anew if none was."""
    new = counts[known:]
    if sys.byteorder == "big":
        new.byteswap()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            if not known:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, _HEADER, 0)
            os.pwrite(descriptor, new.tobytes(), len(_HEADER) + known * _WORD)
        finally:
            os.close(descriptor)
    except OSError as error:
        log.debug("%s cannot be kept: %s", path, error)


def _behind_newline(data: bytes, number: int) -> int:
    """The offset behind the newline of this number, counted from 1."""
    position = 0
    for _ in range(number):
        position = data.index(b"\n", position) + 1
    return position
