"""What a search looks for in pieces of a text, and the text as a person sees it: without escape sequences.

Patterns are RE2's, which take a time that is linear in the text, whatever they are. A hit never goes beyond its line.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

LONGEST_QUERY = 1000  # characters

_TELLING = 20  # characters of a query, which are as good as any number of them to tell texts without it

Span = tuple[int, int]  # offsets in bytes, the second not included

# CSI with its final byte, OSC up to its end, and the short ones: none of them has a newline in it.
ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-Z\\^-~])?")


class BadPattern(ValueError):
    """A text to search for that cannot be searched for; the words say where it is wrong."""


class Matcher(ABC):
    """Looks for one thing, in texts without escape sequences."""

    @abstractmethod
    def find(self, text: bytes, start: int) -> Span | None:
        """The first hit from `start` on."""

    def may_be_in(self, text: bytes) -> bool:
        """Whether a text with escape sequences may have a hit. False spares taking them out, which costs most."""
        return True

    def prepared(self, text: bytes) -> bytes:
        """The text in which `find` looks; as long as the text that it is made from."""
        return text

    def spans(self, text: bytes) -> list[Span]:
        """The first hit of each line that has one."""
        text = self.prepared(text)
        found: list[Span] = []
        start = 0
        while (span := self.find(text, start)) is not None:
            found.append(span)
            start = text.find(b"\n", span[0]) + 1
            if not start:
                break
        return found


class Words(Matcher):
    """A text as it is, in whatever case of ASCII letters unless that is to match."""

    def __init__(self, words: str, *, matches_case: bool) -> None:
        self._words = words.encode() if matches_case else words.lower().encode()
        self._matches_case = matches_case
        self._telling = words[:_TELLING]

    def may_be_in(self, text: bytes) -> bool:
        return self._interrupted.search(text) is not None

    @cached_property
    def _interrupted(self) -> Any:
        """A pattern of the words with any escape sequences between their characters."""
        escapes = f"(?:{ESCAPE.pattern.decode()})*"
        pattern = escapes.join(map(re.escape, self._telling))
        return _compiled(pattern, matches_case=self._matches_case)

    def prepared(self, text: bytes) -> bytes:
        return text if self._matches_case else text.lower()

    def find(self, text: bytes, start: int) -> Span | None:
        at = text.find(self._words, start)
        return None if at < 0 else (at, at + len(self._words))


class Pattern(Matcher):
    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern

    def find(self, text: bytes, start: int) -> Span | None:
        if start >= len(text):
            return None
        match = self._pattern.search(text, start)
        return None if match is None else match.span()


def matcher(query: str, *, is_regex: bool, matches_case: bool) -> Matcher:
    """BadPattern says what is wrong with the query, and where."""
    if not query or len(query) > LONGEST_QUERY:
        raise BadPattern(f"q: expected 1 to {LONGEST_QUERY} characters, got {len(query)}")
    if "\n" in query:
        raise BadPattern("q: expected a text without line ends: what is searched is one line at a time")
    if is_regex:
        _compiled(
            query, matches_case=matches_case
        )  # alone, so that what is said of it is about what was written
        # ^ and $ are those of a line.
        return Pattern(_compiled(f"(?m){query}", matches_case=matches_case))
    if matches_case or query.isascii():
        return Words(query, matches_case=matches_case)
    return Pattern(_compiled(query, matches_case=False, is_literal=True))


def visible(text: bytes) -> bytes:
    """Without escape sequences and without the carriage returns before newlines. Lines stay lines."""
    if b"\x1b" in text:
        text = ESCAPE.sub(b"", text)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    return text


def raw_span(line: bytes, span: Span) -> Span:
    """Where a span of the visible line is in the line as it is kept."""
    start, end = span
    if start == end:
        start = end = _raw_offset(line, start)
    else:
        start, end = _raw_offset(line, start), _raw_offset(line, end - 1) + 1
    return start, end


def _raw_offset(line: bytes, offset: int) -> int:
    """Of the byte that is the one at `offset` once the escape sequences are gone."""
    for escape in ESCAPE.finditer(line):
        if escape.start() > offset:
            break
        offset += len(escape[0])
    return offset


def _compiled(pattern: str, *, matches_case: bool, is_literal: bool = False) -> Any:
    # Most processes never search: they do not pay for the library.
    import re2

    re2.purge()  # or it would remember many patterns, each with megabytes of what it learned from texts
    options = re2.Options()
    options.case_sensitive = matches_case
    options.literal = is_literal
    options.log_errors = False
    options.never_capture = True
    options.never_nl = True
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        raise BadPattern(_explained(pattern, str(error.args[0], "utf-8", "replace"))) from None


def _explained(pattern: str, error: str) -> str:
    fault, _, part = error.partition(": ")
    place = pattern.find(part) if part else len(pattern) - 1
    return (
        f"q: {fault} at character {place + 1}, in {part or pattern[place:]!r}; "
        "the syntax is RE2's, which has no back-references and looks neither ahead nor behind"
    )
