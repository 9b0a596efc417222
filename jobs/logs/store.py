"""Writing a job's log: records that come over the wire, once or again, in batches that may overlap.

The text is written before the index entries that speak of it, so the last entry's end *is* the size of the log.
What a crash leaves behind it (text without an entry, half an entry) is cut off by the next append, and the sender,
who got no answer, sends it again.

Nothing is synced to the disk while a job runs: what a process has written survives its death in the kernel's
cache, and a power cut also ends the job. It costs the tail of the log at most, which the recovery notices.
`sync` is for the moment when the job is done and its log becomes history.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobs.logs import format, packing
from jobs.logs.index import INDEX_NAME, NAMESPACES_NAME, TEXT_NAME, Index, namespaces, to_microseconds, whole
from jobs.logs.masking import NO_SECRETS, Masker
from jobs.logs.open_line import OpenLine
from jobs.logs.records import Record, storable

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode

_CODES = format.LEVEL_CODES | {"event": format.LEVEL_CODES["debug"]}  # LAVA keeps an event as a debug line


class Hole(Exception):
    """Records are missing between the end of the log and a batch, and the caller wanted to be told."""

    def __init__(self, *, expected: int, got: int) -> None:
        super().__init__(f"the log ends before record {expected}; the batch begins with record {got}")
        self.expected = expected  # wire indices
        self.got = got


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A record of a batch and where it is in the log."""

    index: int  # on the wire: the same each time the record is sent
    number: int  # as clients of LAVA count, from 0: `#L`, `jobs.logs`
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    first: int  # wire index of the first new record
    new: int  # how many records were new
    next_index: int  # wire index that the log expects next
    size: int  # bytes of text
    index: int  # wire index of the batch
    records: Sequence[Record]  # the whole batch, repeated records too, without secrets
    numbers: Sequence[int]  # their record numbers

    def placed(self, *levels: str, starts: tuple[str, ...] = ("",)) -> Iterator[Placed]:
        """The records of these levels in the whole batch, also those that the log had before.

        Of those that are text, only the ones that start so: most of a log is asked here and passed over.

        The sender repeats a batch that was stored but not answered; what is derived from its records may not
        have been stored then.
        """
        for position, record in enumerate(self.records):
            if record.level in levels and (
                not isinstance(record.message, str) or record.message.startswith(starts)
            ):
                yield Placed(index=self.index + position, number=self.numbers[position], record=record)


def directory_for(root: Path, submitted: datetime, job_id: int, attempt: int) -> Path:
    """Where the log of an attempt lies: by the UTC date of the submission (a naive time is UTC)."""
    day = submitted if submitted.tzinfo is None else submitted.astimezone(UTC)
    return root / day.strftime("%Y/%m/%d") / str(job_id) / str(attempt)


def append(
    directory: Path,
    index: int,
    records: Sequence[Record],
    *,
    strict: bool = False,
    masker: Masker = NO_SECRETS,
) -> Appended:
    """Stores the records of a batch that the log does not have yet; `index` is the first one's, on the wire.

    A gap before the batch becomes a line that says how many records are missing; with `strict` it raises Hole
    and stores nothing. Records that come after their gap was written stay out of the log. OSError (a full disk)
    leaves a log that is whole up to some record of the batch: sending the batch again completes it.
    """
    if not 0 <= index <= format.LARGEST_INDEX:
        raise ValueError(f"index: expected 0 to {format.LARGEST_INDEX}, got {index}")
    with _locked(directory) as (index_file, text_file):
        _recover(index_file, text_file)
        known = Index(index_file)
        cursor = known.cursor()
        first = max(index, cursor.index)
        if strict and index > cursor.index:
            raise Hole(expected=cursor.index, got=index)
        repeated = min(len(records), first - index)
        numbers = known.numbers(index, repeated) if repeated else []
        masked = [masker.record(record) for record in records[:repeated]]
        fresh = records[repeated:]
        if fresh:
            open_line = OpenLine(masker, directory, cursor.index)
            batch = _Batch(cursor, known.slots, _namespace_numbers(directory, fresh), open_line)
            start = cursor.end
            if index > cursor.index:
                batch.add_hole(index - cursor.index)
            numbers.extend([batch.add(record) for record in fresh])
            masked.extend(batch.records)
            open_line.keep()
            _write_all(text_file, batch.text(), start)
            _write_all(index_file, batch.entries(), known.slots * format.SLOT)
        return Appended(
            first=first,
            new=len(fresh),
            next_index=cursor.index,
            size=cursor.end,
            index=index,
            records=masked,
            numbers=numbers,
        )


def sync(directory: Path) -> None:
    """Waits until the log is on the disk, for a job that has ended."""
    for name in (TEXT_NAME, NAMESPACES_NAME, INDEX_NAME):
        _sync_path(directory / name)
    _sync_path(directory)


class _Batch:
    """New entries and their text, gathered in memory so that each file is written once."""

    def __init__(
        self, cursor: format.Cursor, slots: int, namespaces: dict[str, int], open_line: OpenLine
    ) -> None:
        self.records: list[Record] = []  # without secrets
        self._cursor = cursor
        self._slots = slots
        self._namespaces = namespaces
        self._open_line = open_line
        self._texts: list[str] = []
        self._words: list[int] = []

    def add(self, record: Record) -> int:
        """Returns the record's number."""
        kind = _CODES[record.level]
        if not isinstance(record.message, str):
            kind |= format.STRUCTURED
        namespace = self._namespaces[record.namespace] if record.namespace is not None else 0
        record = self._masked(record, format.entry_word(0, kind, namespace))
        text = record.message
        if not isinstance(text, str):
            text = _encode(text)
        if not text.isascii() or "\0" in text:
            text = storable(text)
        if record.partial and not kind & format.STRUCTURED:
            kind |= format.PARTIAL
        else:
            text += "\n"
        self.records.append(record)
        return self._put(text, kind, namespace, to_microseconds(record.time))

    def add_hole(self, missing: int) -> None:
        text = "1 record missing\n" if missing == 1 else f"{missing} records missing\n"
        self._put(text, format.LEVEL_CODES["warning"] | format.HOLE, 0, missing)

    def text(self) -> bytes:
        return "".join(self._texts).encode()

    def entries(self) -> bytes:
        return format.pack(self._words)

    def _masked(self, record: Record, word: int) -> Record:
        cursor = self._cursor
        continues = cursor.open is not None and cursor.continues(word)
        return self._open_line.masked(record, continues=continues, next_index=cursor.index + 1)

    def _put(self, text: str, kind: int, namespace: int, value: int) -> int:
        cursor = self._cursor
        if (self._slots + len(self._words) // 2) % format.BLOCK == 0:
            self._words += (format.checkpoint_word(cursor.number), cursor.index)
        if cursor.open is not None and not cursor.continues(format.entry_word(0, kind, namespace)):
            kind |= format.BREAKS
            text = "\n" + text
        size = len(text) if text.isascii() else len(text.encode())
        word = format.entry_word(cursor.end + size, kind, namespace)
        self._texts.append(text)
        self._words += (word, value)
        return cursor.take(word, value)


@contextmanager
def _locked(directory: Path) -> Iterator[tuple[int, int]]:
    """The open files of the index and the text, under the lock of their attempt."""
    index_file = _open(directory, INDEX_NAME)
    try:
        fcntl.flock(index_file, fcntl.LOCK_EX)
        packing.unpack(directory)
        if os.fstat(index_file).st_size < format.SLOT:
            _set_aside_orphan(directory)
        text_file = _open(directory, TEXT_NAME)
        try:
            yield index_file, text_file
        finally:
            os.close(text_file)
    finally:
        os.close(index_file)


def _open(directory: Path, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(directory / name, flags, 0o640)
    except FileNotFoundError:
        directory.mkdir(parents=True, exist_ok=True)
        return os.open(directory / name, flags, 0o640)


def _recover(index_file: int, text_file: int) -> None:
    """Cuts off what is not whole, and begins an index that is new."""
    index_size = os.fstat(index_file).st_size
    text_size = os.fstat(text_file).st_size
    if index_size < format.SLOT:
        os.ftruncate(index_file, 0)
        _write_all(index_file, format.header(), 0)
        index_size = format.SLOT
    format.check_header(os.pread(index_file, format.SLOT, 0))
    slots, end = whole(index_file, index_size // format.SLOT, text_size)
    if slots * format.SLOT != index_size:
        os.ftruncate(index_file, slots * format.SLOT)
    if text_size != end:
        os.ftruncate(text_file, end)


def _set_aside_orphan(directory: Path) -> None:
    """Renames a text that has no index.

    The index begins before the text does, so this one has lost its index in some other way. It cannot be told
    apart into records again, but people can read it.
    """
    text = directory / TEXT_NAME
    if not text.exists() or not text.stat().st_size:
        return
    names = (directory / f"{TEXT_NAME}.orphan{number}" for number in itertools.count(1))
    text.rename(next(name for name in names if not name.exists()))


def _namespace_numbers(directory: Path, records: Sequence[Record]) -> dict[str, int]:
    wanted = {record.namespace for record in records if record.namespace is not None}
    if not wanted:
        return {}
    names = namespaces(directory)
    new = sorted(wanted.difference(names))[: format.OTHER_NAMESPACE - 1 - len(names)]
    if new:
        names += new
        _replace(directory / NAMESPACES_NAME, json.dumps(names).encode())
    return dict.fromkeys(wanted, format.OTHER_NAMESPACE) | {
        name: number for number, name in enumerate(names, 1)
    }


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(content)
    draft.replace(path)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written


def _sync_path(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
