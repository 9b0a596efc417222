"""How the open line of a log ends, where it may end within a secret, kept beside the log from one append to the next.

For each record of the last batch after which the line ended so, the wire index of the next record and the end are
written before the text is. So whatever of the batch a crash has left, what is sent again is masked as it was the first
time. The file says which secret and how many of its characters, and has none of them.
"""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from pathlib import Path

from jobs.logs.masking import Masker, Pending
from jobs.logs.records import Record

ENDS_NAME = "open-line.json"


class OpenLine:
    """Masks the records of one batch, which begins at the wire index `index`."""

    def __init__(self, masker: Masker, directory: Path, index: int) -> None:
        self._masker = masker
        self._path = directory / ENDS_NAME
        self._end = _ends(self._path).get(index)
        self._kept = {} if self._end is None else {index: self._end}
        self._new: dict[int, Pending] = {}

    def masked(self, record: Record, *, continues: bool, next_index: int) -> Record:
        """The record as it is to be written; `continues`: its text goes on with the line that is open."""
        before = self._end if continues else None
        if not isinstance(record.message, str) or not (record.partial or before):
            self._end = None
            return self._masker.record(record)
        text, self._end = self._masker.piece(record.message, before, is_open=record.partial)
        if self._end is not None:
            self._new[next_index] = self._end
        return replace(record, message=text)

    def keep(self) -> None:
        if self._new:
            ends = {str(index): astuple(end) for index, end in (self._kept | self._new).items()}
            draft = self._path.with_suffix(".new")
            draft.write_text(json.dumps(ends), encoding="ascii")
            draft.replace(self._path)


def _ends(path: Path) -> dict[int, Pending]:
    """A file that is broken costs a mask in the middle of a secret, never the log."""
    try:
        ends = json.loads(path.read_bytes())
        return {int(index): Pending(*end) for index, end in ends.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}
