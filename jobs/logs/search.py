"""Searching the whole text of a log. What is found are lines: of each that has a hit, the first hit.

A search that takes longer than it may, or that finds more than anybody counts, says what it has by then. It begins with
what is listed: the lines behind the one that somebody looks at, or those before it, nearest first.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.logs import index
from jobs.logs import lines as log_lines
from jobs.logs.lines import Lines
from jobs.logs.search_levels import Levels
from jobs.logs.search_patterns import matcher
from jobs.logs.search_sources import Batch, Hit, RecordSource, Source, TextSource

MOST_HITS = 1000  # of one answer
MOST_COUNTED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    text: str = ""  # nothing: the first line of every record of `levels`
    is_regex: bool = False
    matches_case: bool = False
    levels: Sequence[str] = ()  # none: all of them
    after: int | None = None  # the line behind which is listed
    before: int | None = None  # the line before which is listed
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    hits: Sequence[Hit]  # in the order of the log
    first: int | None  # which of all hits the first of these is, counted from 1; None where that is not known
    total: int  # lines with a hit in the whole log
    more: bool  # there are, or may be, more in the direction that was asked for
    total_is_more: bool  # not all could be counted


def search(directory: Path, query: Query, *, seconds: float) -> Found:
    """BadPattern says what is wrong with the text of the query."""
    deadline = time.monotonic() + seconds

    def found(lines: Lines) -> Found:
        with index.opened(directory) as opened_index:
            return _search(_source(query, lines, opened_index), query, lines, deadline)

    return log_lines.ask(directory, found)


def _source(query: Query, lines: Lines, opened_index: index.Index) -> Source:
    levels = Levels(query.levels)
    if not query.text:
        return RecordSource(lines, lambda: levels.records(opened_index))
    found = matcher(query.text, is_regex=query.is_regex, matches_case=query.matches_case)
    return TextSource(lines, found, list(levels.spans(opened_index)) if query.levels else None)


def _search(source: Source, query: Query, lines: Lines, deadline: float) -> Found:
    count = _Count(deadline)
    hits: list[Hit] = []
    if query.before is None:
        pivot = lines.start_of((query.after or 0) + 1)
        for batch in count.through(source.forwards(pivot, lines.size)):
            hits += batch.hits(0, query.limit - len(hits))
        others = source.forwards(0, pivot)
    else:
        pivot = lines.start_of(query.before)
        for batch in count.through(source.backwards(0, pivot)):
            hits = batch.hits(max(0, batch.size - query.limit + len(hits)), batch.size) + hits
        others = source.forwards(pivot, lines.size)
    listed, may_be_more = count.total, count.is_cut
    for _ in count.through(others):
        pass
    before = count.total - listed if query.before is None else listed - len(hits)
    return Found(
        hits=hits,
        first=before + 1 if hits and not count.is_cut else None,
        total=count.total,
        more=may_be_more or listed > len(hits),
        total_is_more=count.is_cut,
    )


class _Count:
    """How many hits there were, as far as there was time to count them."""

    def __init__(self, deadline: float) -> None:
        self.total = 0
        self.is_cut = False
        self._deadline = deadline

    def through(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The first one in any case, so that a short log is searched whole on the busiest machine."""
        for number, batch in enumerate(batches):
            self.is_cut = self.is_cut or (number > 0 and self._is_enough())
            if self.is_cut:
                return
            self.total += batch.size
            yield batch

    def _is_enough(self) -> bool:
        return self.total > MOST_COUNTED or time.monotonic() > self._deadline
