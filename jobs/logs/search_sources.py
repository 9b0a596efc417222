"""Where a search looks, piece by piece in either direction: in the text of a log, or in its index for records of a level."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from jobs.logs.lines import Lines
from jobs.logs.search_patterns import Matcher, Span, raw_span, visible

SHOWN = 500  # characters of a line
SHOWN_BEFORE = 200  # of them before the hit
BLOCK = 128 * 1024  # bytes; what is searched at once stays in a processor's cache
LONGEST_LINE = 16 << 20  # bytes; the rest of a longer line is not searched

_RECORDS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    line: int  # from 1
    start: int  # offset of the hit in bytes
    end: int
    text: str  # the line as a person sees it, at most SHOWN characters of it


class Batch(ABC):
    """The hits of one piece, of which it is known that they are there; what they are is found out on demand."""

    size: int

    @abstractmethod
    def hits(self, first: int, behind: int) -> list[Hit]:
        """Those from the one to the other, which is not included, in the order of the log."""


class Source(ABC):
    @abstractmethod
    def forwards(self, start: int, end: int) -> Iterator[Batch]:
        """The pieces of these bytes, which are whole lines; a piece may have no hit."""

    @abstractmethod
    def backwards(self, start: int, end: int) -> Iterator[Batch]:
        """The last one first."""


class TextSource(Source):
    """The text, or some spans of it, which are whole lines in the order of the log."""

    def __init__(self, lines: Lines, matcher: Matcher, spans: Sequence[Span] | None = None) -> None:
        self._lines = lines
        self._matcher = matcher
        self._spans = [(0, lines.size)] if spans is None else spans

    def forwards(self, start: int, end: int) -> Iterator[Batch]:
        for first, behind in self._spans:
            yield from self._forwards(max(first, start), min(behind, end))

    def backwards(self, start: int, end: int) -> Iterator[Batch]:
        for first, behind in reversed(self._spans):
            yield from self._backwards(max(first, start), min(behind, end))

    def _forwards(self, start: int, end: int) -> Iterator[Batch]:
        while start < end:
            behind = min(start + BLOCK, end)
            data = self._lines.text.read(start, behind)
            if behind < end:
                data = data[: data.rfind(b"\n") + 1]
                behind = start + len(data)
            if not data:
                behind = self._lines.start_of(self._lines.number_at(start) + 1)
                data = self._long_line(start, behind)
            yield self._batch(start, data)
            start = behind

    def _backwards(self, start: int, end: int) -> Iterator[Batch]:
        while start < end:
            first = max(start, end - BLOCK)
            data = self._lines.text.read(first, end)
            if first > start:
                data = data[data.find(b"\n", 0, -1) + 1 or len(data) :]
                first = end - len(data)
            if not data:
                first = self._lines.start_of(self._lines.number_at(end - 1))
                data = self._long_line(first, end)
            yield self._batch(first, data)
            end = first

    def _long_line(self, start: int, end: int) -> bytes:
        return self._lines.text.read(start, min(end, start + LONGEST_LINE))

    def _batch(self, start: int, data: bytes) -> Batch:
        if b"\x1b" in data and not self._matcher.may_be_in(data):
            return _TextBatch(self._lines, start, data, data, [])
        seen = visible(data)
        return _TextBatch(self._lines, start, data, seen, self._matcher.spans(seen))


class _TextBatch(Batch):
    def __init__(self, lines: Lines, start: int, raw: bytes, seen: bytes, spans: Sequence[Span]) -> None:
        self.size = len(spans)
        self._lines = lines
        self._start = start
        self._raw = raw
        self._seen = seen
        self._spans = spans

    def hits(self, first: int, behind: int) -> list[Hit]:
        spans = self._spans[first:behind]
        if not spans:
            return []
        found: list[Hit] = []
        number, raw_start, position = self._lines.number_at(self._start), 0, 0
        for start, end in spans:
            for _ in range(self._seen.count(b"\n", position, start)):
                raw_start = self._raw.index(b"\n", raw_start) + 1
                number += 1
            position = start
            begin = self._seen.rfind(b"\n", 0, start) + 1
            where = raw_span(_line_at(self._raw, raw_start), (start - begin, end - begin))
            found.append(
                Hit(
                    line=number,
                    start=self._start + raw_start + where[0],
                    end=self._start + raw_start + where[1],
                    text=shown(_line_at(self._seen, begin), start - begin),
                )
            )
        return found


class RecordSource(Source):
    """The first lines of records, by their offsets in the order of the log. A hit is the whole line."""

    def __init__(self, lines: Lines, offsets: Callable[[], Iterator[int]]) -> None:
        self._lines = lines
        self._offsets = offsets

    def forwards(self, start: int, end: int) -> Iterator[Batch]:
        offsets = (offset for offset in self._offsets() if start <= offset < end)
        while some := list(islice(offsets, _RECORDS_AT_ONCE)):
            yield _RecordBatch(self._lines, some)

    def backwards(self, start: int, end: int) -> Iterator[Batch]:
        offsets = [offset for offset in self._offsets() if start <= offset < end]
        for behind in range(len(offsets), 0, -_RECORDS_AT_ONCE):
            yield _RecordBatch(self._lines, offsets[max(0, behind - _RECORDS_AT_ONCE) : behind])


class _RecordBatch(Batch):
    def __init__(self, lines: Lines, offsets: Sequence[int]) -> None:
        self.size = len(offsets)
        self._lines = lines
        self._offsets = offsets

    def hits(self, first: int, behind: int) -> list[Hit]:
        return [self._hit(offset) for offset in self._offsets[first:behind]]

    def _hit(self, start: int) -> Hit:
        number = self._lines.number_at(start)
        end = self._lines.start_of(number + 1)
        line = _line_at(self._lines.text.read(start, min(end, start + LONGEST_LINE)), 0)
        return Hit(line=number, start=start, end=start + len(line), text=shown(visible(line), 0))


def shown(line: bytes, hit: int) -> str:
    """What is shown of a line, where most of it is not: the part around the hit that begins at this byte."""
    before = line[max(0, hit - 4 * SHOWN) : hit].decode("utf-8", "ignore")
    rest = line[hit : hit + 4 * SHOWN].decode("utf-8", "ignore")
    room = max(SHOWN_BEFORE, SHOWN - len(rest))
    before = before[-room:]
    return before + rest[: SHOWN - len(before)]


def _line_at(text: bytes, start: int) -> bytes:
    """The line that begins there, without its end."""
    end = text.find(b"\n", start)
    return text[start:] if end < 0 else text[start:end]
