"""The bytes of a log's text, by their offsets, however they are kept on the disk. All who read a text read it here.

What is given is a snapshot: the text that the index spoke of when it was opened. Beyond it lies what is being written,
or the rest of a crash. The cost of a read depends on the bytes read, never on the size of the log. No lock is taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from jobs.logs import index
from jobs.logs.index import PACKED_NAME, TEXT_NAME
from jobs.logs.packed import Cut, Packed

PIECE = 256 * 1024  # bytes that are read at once
AHEAD = 1 << 20  # bytes

# A text that is packed or unpacked between two looks is found by the next one: both are never missing at once.
NAMES = (TEXT_NAME, PACKED_NAME, TEXT_NAME, PACKED_NAME)


class Text(Protocol):
    size: int  # bytes
    cut: Cut | None  # what was taken out, and reads as words that say so, and blanks

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`, which is not included; fewer where the text ends before."""
        ...


@contextmanager
def opened(directory: Path) -> Iterator[Text]:
    """The text of the log in this directory; where there is no log yet, an empty one."""
    with index.opened(directory) as opened_index:
        end = opened_index.end
    name, descriptor = _open(directory)
    try:
        yield Packed(descriptor) if name == PACKED_NAME else _Plain(descriptor, end)
    finally:
        os.close(descriptor)


def exists(directory: Path) -> bool:
    """Whether there is a text, be it an empty one."""
    return any((directory / name).exists() for name in NAMES)


def version_of(text: Text) -> str:
    """A name of just this text, which no other of the same log ever has: a log only grows, but for what is cut out."""
    return str(text.size) if text.cut is None else f"{text.size}-{text.cut[0]}-{text.cut[1]}"


def size(directory: Path) -> int:
    """Bytes of the text; 0 where there is no log."""
    with opened(directory) as text:
        return text.size


def read(directory: Path, start: int, end: int) -> bytes:
    """`Text.read` of a log that is opened for this alone."""
    with opened(directory) as text:
        return text.read(start, end)


def stream(directory: Path, start: int, end: int) -> Iterator[bytes]:
    """The same bytes as `read` in pieces of at most PIECE."""
    with opened(directory) as text:
        while start < end and (piece := text.read(start, min(start + PIECE, end))):
            yield piece
            start += len(piece)


class Ahead:
    """Reads a text in many small steps forward: one read of the disk for AHEAD bytes."""

    def __init__(self, text: Text) -> None:
        self.size = text.size
        self._text = text
        self._start = 0
        self._data = b""

    def read(self, start: int, end: int) -> bytes:
        if not self._start <= start <= end <= self._start + len(self._data):
            self._start, self._data = start, self._text.read(start, max(end, start + AHEAD))
        return self._data[start - self._start : end - self._start]


class _Plain:
    """A text that lies there as it is."""

    cut: Cut | None = None

    def __init__(self, descriptor: int, end: int) -> None:
        self._descriptor = descriptor
        self.size = min(end, os.fstat(descriptor).st_size)

    def read(self, start: int, end: int) -> bytes:
        length = min(end, self.size) - start
        return os.pread(self._descriptor, length, start) if length > 0 else b""


def _open(directory: Path) -> tuple[str, int]:
    """The text, under which name there is one."""
    for name in NAMES:
        with suppress(FileNotFoundError):
            return name, os.open(directory / name, os.O_RDONLY | os.O_CLOEXEC)
    return os.devnull, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
