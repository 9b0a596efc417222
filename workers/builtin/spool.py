"""The records of a job on their way to the server: written by the runner, read by the worker.

One record is one line of the file; its number is its index on the wire. What is not ended by a newline was being
written when its writer was killed, and was never sent.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

MAX_RECORDS: Final = 1000  # of one batch, as LAVA's dispatcher sends them
MAX_BYTES: Final = 1_000_000  # of one batch, unless a single record is larger

_POSITION: Final = struct.Struct("<QQ")
_BLOCK: Final = 64 * 1024


class SpoolWriter:
    """For one process at a time: who holds the lock of the job's directory."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._end = _end_of_last_line(self._file)
        os.ftruncate(self._file, self._end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    @property
    def is_empty(self) -> bool:
        return self._end == 0

    def write(self, lines: Sequence[str]) -> None:
        """All lines or none. Raises OSError, for example when the disk is full."""
        data = memoryview(("\n".join(lines) + "\n").encode())
        position = self._end
        try:
            while data:
                written = os.pwrite(self._file, data, position)
                position += written
                data = data[written:]
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._end = position

    def last_line(self) -> str:
        """Empty if there is none."""
        if self.is_empty:
            return ""
        start = _line_start(self._file, self._end - 1)
        return os.pread(self._file, self._end - 1 - start, start).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records that follow each other."""

    index: int
    lines: tuple[bytes, ...]

    @property
    def wire(self) -> str:
        return "- " + b"\n- ".join(self.lines).decode()


class SpoolReader:
    """Goes through the spool as the server accepts it, and keeps in `sent` how far that is."""

    def __init__(self, path: Path, sent: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._sent = os.open(sent, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.index, self._offset = self._restored()

    def close(self) -> None:
        os.close(self._file)
        os.close(self._sent)

    def next_batch(self) -> Batch | None:
        """What comes next, the same again until it is accepted; None if nothing waits."""
        size = MAX_BYTES
        while True:
            data = os.pread(self._file, size, self._offset)
            lines = data.split(b"\n", MAX_RECORDS)[:-1]  # what follows the last newline is not finished
            if lines:
                return Batch(index=self.index, lines=tuple(lines))
            if len(data) < size:
                return None
            size *= 4  # a single record that is larger than a batch

    def accept(self, batch: Batch, count: int) -> None:
        """The server has dealt with the first `count` records of the batch."""
        accepted = batch.lines[:count]
        self._go_to(batch.index + len(accepted), self._offset + sum(map(len, accepted)) + len(accepted))

    def rewind(self, index: int) -> bool:
        """Go back (or on) to a record the server asks for; False if there is no such record."""
        offset, missing = 0, index
        while missing > 0:
            block = os.pread(self._file, _BLOCK, offset)
            if not block:
                return False
            *ended, rest = block.split(b"\n", missing)
            missing -= len(ended)
            offset += len(block) if missing else len(block) - len(rest)
        self._go_to(index, offset)
        return True

    def _go_to(self, index: int, offset: int) -> None:
        self.index, self._offset = index, offset
        try:
            os.pwrite(self._sent, _POSITION.pack(index, offset), 0)
        except OSError:
            # It only spares sending again, which the server takes as it should: a full disk must not end the job.
            return

    def _restored(self) -> tuple[int, int]:
        stored = os.pread(self._sent, _POSITION.size, 0)
        if len(stored) != _POSITION.size:
            return 0, 0
        index, offset = _POSITION.unpack(stored)
        # After a power cut it may be newer than the spool; then everything is sent again.
        if offset and os.pread(self._file, 1, offset - 1) != b"\n":
            return 0, 0
        return index, offset


def _end_of_last_line(file: int) -> int:
    return _line_start(file, os.fstat(file).st_size)


def _line_start(file: int, end: int) -> int:
    """The offset after the last newline before `end`."""
    while end > 0:
        start = max(0, end - _BLOCK)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
