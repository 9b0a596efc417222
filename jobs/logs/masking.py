"""Taking a job's secrets out of its log before a byte of it is written. Pure values.

A secret is masked wherever all of it stands in one line of text; of a secret with several lines, each line is masked
for itself, as they may come in any number of records. What is shorter than SHORTEST is no secret: it would be found
everywhere.

A line may come in pieces, and a piece may end in the middle of a secret. What viewers see must not wait for the next
piece, which may be minutes away (a prompt), and what they have seen cannot be taken back. So an end that may be the
beginning of a secret is shown while it is shorter than SHORTEST, which tells nothing, and is masked from there on. The
price is a piece that ends with what only looks like a secret: it loses those characters. How much of which secret the
open line ends with, the `Pending`, is kept from one piece to the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jobs.logs.records import Record

MASK = "[masked]"
SHORTEST = 4  # characters

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pending:
    """How an open line ends: with the first `length` characters of a secret, whose last one is masked or is not."""

    secret: int  # its place in the order of the masker
    length: int  # characters
    masked: bool


class Masker:
    """Knows the secrets of one job. Two that are made of the same secrets do the same, in every process."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        lines = {line.strip() for secret in secrets for line in secret.splitlines()}
        # The longest first: the pattern takes the first that fits.
        self._secrets = sorted(
            (line for line in lines if len(line) >= SHORTEST), key=lambda line: (-len(line), line)
        )
        # Looks ahead, so that secrets are found that overlap.
        self._pattern = re.compile(f"(?=({'|'.join(map(re.escape, self._secrets))}))")

    def mask(self, text: str) -> str:
        """The text without secrets, if no more of it comes."""
        return self.piece(text, None, is_open=False)[0] if self._is_in(text) else text

    def record(self, record: Record) -> Record:
        """A whole record."""
        message = self._value(record.message)
        return record if message is record.message else replace(record, message=message)

    def piece(self, text: str, before: Pending | None, *, is_open: bool) -> tuple[str, Pending | None]:
        """What is to be written of the next piece of a line, and how the line ends then if it is still open."""
        known = self._known(before)
        line = known + text
        hidden = self._found(line)
        after = self._end_of(line) if is_open else None
        if after is not None and after.length >= SHORTEST:
            hidden.append((len(line) - after.length, len(line)))
        hidden = _merged(hidden)
        if after is not None:
            after = replace(after, masked=bool(hidden) and hidden[-1][1] == len(line))
        goes_on = before is not None and before.masked
        return _written(line, len(known), hidden, goes_on=goes_on), after

    def _is_in(self, text: str) -> bool:
        return any(secret in text for secret in self._secrets)

    def _value(self, value: Any) -> Any:
        """A part of a message; the very same object if there is no secret in it."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Mapping):
            masked = {self.mask(key): self._value(item) for key, item in value.items()}
            return masked if masked != value else value
        if isinstance(value, list):
            items = [self._value(item) for item in value]
            return items if items != value else value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return MASK if self._is_in(str(value)) else value
        return value

    def _known(self, pending: Pending | None) -> str:
        if pending is None or pending.secret >= len(self._secrets):
            return ""
        return self._secrets[pending.secret][: pending.length]

    def _found(self, line: str) -> list[Interval]:
        if not self._is_in(line):
            return []
        return [found.span(1) for found in self._pattern.finditer(line)]

    def _end_of(self, line: str) -> Pending | None:
        """The longest beginning of a secret that the line ends with."""
        ends = [Pending(secret=0, length=0, masked=False)]
        for number, secret in enumerate(self._secrets):
            at = line.find(secret[0], max(0, len(line) - len(secret) + 1))
            while at >= 0 and not secret.startswith(line[at:]):
                at = line.find(secret[0], at + 1)
            if at >= 0:
                ends.append(Pending(secret=number, length=len(line) - at, masked=False))
        longest = max(ends, key=lambda end: end.length)
        return longest if longest.length else None


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _written(line: str, written: int, hidden: Iterable[Interval], *, goes_on: bool) -> str:
    """What follows the first `written` characters; `goes_on`: they end with a mask, which is not repeated."""
    parts: list[str] = []
    at = written
    for start, end in hidden:
        if end <= written:
            continue
        parts.append(line[at:start])
        if start >= written or not goes_on:
            parts.append(MASK)
        at = end
    parts.append(line[at:])
    return "".join(parts)


NO_SECRETS = Masker()
