"""What a job says in its log, put into the spool record by record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from jobs.logs.records import Record
from workers.builtin.spool import SpoolWriter


class Journal:
    """Records wait in memory until `flush`; a pass over the terminal's output ends with one."""

    def __init__(self, spool: SpoolWriter, ring: Callable[[], object]) -> None:
        self._spool = spool
        self._ring = ring
        self._waiting: list[str] = []
        self._in_pieces = False
        self.next_number = 0  # as LAVA counts records: the pieces of one line are one

    def say(self, level: str, message: str) -> None:
        self._add(level, message)

    def result(self, **fields: Any) -> None:
        self._add("results", fields)

    def output(self, lines: Sequence[str]) -> None:
        """Whole lines that the device printed."""
        if not lines:
            return
        now = _now()
        self._waiting += [Record(time=now, level="target", message=line).to_wire() for line in lines]
        self.next_number += len(lines)
        self._in_pieces = False

    def piece(self, text: str) -> None:
        """A piece of a line that the device printed; the next output goes on with it."""
        self._waiting.append(Record(time=_now(), level="target", message=text, partial=True).to_wire())
        self._in_pieces = True

    def flush(self) -> None:
        """Raises OSError if the spool cannot be written; nothing of what waited is in it then."""
        if not self._waiting:
            return
        self._spool.write(self._waiting)
        self._waiting = []
        self._ring()

    def _add(self, level: str, message: Any) -> None:
        if self._in_pieces:  # end the line that is open, so that its pieces stay together
            self.output([""])
        self._waiting.append(Record(time=_now(), level=level, message=message).to_wire())
        self.next_number += 1


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
