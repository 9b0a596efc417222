"""Where the text of some levels is in a log, from its index alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from jobs.logs import format
from jobs.logs.index import Index

_MARK = re.compile(rb"\x01")
_RUN = re.compile(rb"\x00+|\x01+")


class Levels:
    """Some of the levels of a log's records, by their names."""

    def __init__(self, names: Collection[str]) -> None:
        codes = {format.LEVEL_CODES[name] for name in names}
        self._marks = bytes(kind & format.LEVEL_MASK in codes for kind in range(256))

    def spans(self, index: Index) -> Iterator[tuple[int, int]]:
        """The bytes of all lines of these levels, as few spans of whole lines as they make."""
        begin: int | None = None
        end = 0
        for start, slots in index.blocks():
            kinds = slots[format.KIND :: format.SLOT]
            for run in _RUN.finditer(kinds.translate(self._marks)):
                bound = _begin_of(start, slots, run.start())
                if run[0][0]:
                    begin = bound if begin is None else begin
                elif begin is not None:
                    yield begin, bound
                    begin = None
            end = format.end_of(slots, -1) if slots else end
        if begin is not None:
            yield begin, end

    def records(self, index: Index) -> Iterator[int]:
        """Where each record of these levels begins, which is where a line begins."""
        kind_before = 0
        for start, slots in index.blocks():
            kinds = slots[format.KIND :: format.SLOT]
            for mark in _MARK.finditer(kinds.translate(self._marks)):
                entry = mark.start()
                before = kinds[entry - 1] if entry else kind_before
                if kinds[entry] & format.BREAKS or not before & format.PARTIAL:
                    yield _begin_of(start, slots, entry)
            kind_before = kinds[-1] if kinds else kind_before


def _begin_of(start: int, slots: bytes, entry: int) -> int:
    """Where the first line of an entry begins that is not the rest of another one's."""
    end_before = format.end_of(slots, entry - 1) if entry else start
    breaks = slots[entry * format.SLOT + format.KIND] & format.BREAKS
    return end_before + bool(breaks)
