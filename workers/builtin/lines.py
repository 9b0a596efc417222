"""Lines out of the bytes that a terminal gives. Pure."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Final

LONGEST_LINE: Final = 1_000_000  # characters; what is longer is cut into several lines
_LONGEST_HEAD: Final = (
    16_384  # characters of a line sent in pieces that are remembered: enough for any signal
)


@dataclass(frozen=True, slots=True)
class Line:
    """`text` is what is new; `whole` is the line from its beginning, as far as it is remembered."""

    text: str
    whole: str


class LineCutter:
    """A line ends at a newline only: a bare carriage return (a progress bar) is part of it.

    Carriage returns right before the newline are dropped; broken UTF-8 becomes U+FFFD.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = ""  # of the line that has not ended, not given to anybody yet
        self._head = ""  # of that line, given as a piece
        self._given = 0  # characters of that line, given as pieces

    def feed(self, data: bytes, *, final: bool = False) -> list[Line]:
        """The lines that have ended with this."""
        *ended, rest = self._decoder.decode(data, final).split("\n")
        lines: list[Line] = []
        for text in ended:
            text = self._cut((self._waiting + text).rstrip("\r"), lines)
            self._waiting = ""
            lines.append(self._end_line(text))
        self._waiting = self._cut(self._waiting + rest, lines)
        return lines

    @property
    def has_piece(self) -> bool:
        """Whether there is a beginning of a line that nobody has seen yet."""
        return bool(self._waiting.rstrip("\r"))

    @property
    def is_open(self) -> bool:
        """Whether a line has begun that has not ended."""
        return bool(self._waiting) or self._given > 0

    def take_piece(self) -> str:
        """What waits of a line that has not ended; more of it will follow."""
        text = self._waiting.rstrip("\r")
        self._waiting = self._waiting[len(text) :]
        self._given += len(text)
        self._head = (self._head + text)[:_LONGEST_HEAD]
        return text

    def finish(self) -> list[Line]:
        """End the line that is open, if there is one."""
        lines = self.feed(b"", final=True)
        if self.is_open:
            lines.append(self._end_line(self._waiting.rstrip("\r")))
            self._waiting = ""
        self._decoder.reset()
        return lines

    def _cut(self, text: str, lines: list[Line]) -> str:
        """What is left of a text after the lines that are as long as a line may be."""
        while self._given + len(text) > LONGEST_LINE:
            room = LONGEST_LINE - self._given
            lines.append(self._end_line(text[:room]))
            text = text[room:]
        return text

    def _end_line(self, text: str) -> Line:
        line = Line(text, self._head + text if self._head else text)
        self._head, self._given = "", 0
        return line
