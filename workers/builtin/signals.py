"""LAVA's signals: what a test says to the lab by printing it. Pure.

`<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=boot RESULT=pass>` may stand anywhere in a line. Our own helpers write a
character that would break it as %XX, as in addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

MARKER: Final = "<LAVA_SIGNAL_"
RESULTS: Final = frozenset({"pass", "fail", "skip", "unknown"})

_SECONDS_DIGITS: Final = 9  # some thirty years

_SIGNAL: Final = re.compile(r"<LAVA_SIGNAL_([A-Z]+)(?: ([^<>\n]*))?>")
_FIELD: Final = re.compile(r"([A-Z_]+)=(\S*)")


DEFER: Final = "DEFER"  # ours: run the job again later


@dataclass(frozen=True, slots=True)
class Deferral:
    seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class Signal:
    name: str  # STARTTC, ENDTC, TESTCASE, …
    text: str  # as it was printed

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(unquote(word) for word in self.text.split())

    @property
    def fields(self) -> Mapping[str, str]:
        return {name: unquote(value) for name, value in _FIELD.findall(self.text)}

    @property
    def deferral(self) -> Deferral | None:
        """What `<LAVA_SIGNAL_DEFER 600 a reason>` asks for; None for any other, and for one that makes no sense."""
        if self.name != DEFER or not (words := self.words):
            return None
        seconds, *reason = words
        if not (seconds.isascii() and seconds.isdecimal() and 0 < len(seconds) <= _SECONDS_DIGITS):
            return None
        return Deferral(int(seconds), " ".join(reason))


def find(line: str) -> Iterator[Signal]:
    if MARKER not in line:
        return
    for match in _SIGNAL.finditer(line):
        yield Signal(match[1], (match[2] or "").strip())


def measurement(text: str) -> float | None:
    """None if it is no finite number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
