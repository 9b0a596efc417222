"""What was promised, and what came of it. Plain values in, findings out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.listeners import Heard

SHOWN = 10  # of each kind of fault
DIGITS = 24  # of an id, at least


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table of events."""

    sequence: int
    id: str
    type: str

    def is_told_as(self, id: str) -> bool:
        return len(id) >= DIGITS and self.id.startswith(id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one listener fared, or the lab itself."""

    name: str
    promise: str
    expected: int
    found: int
    connections: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def row(self) -> str:
        verdict = "holds" if not self.faults else "FAULT: " + "; ".join(self.faults)
        return f"{self.name:8} {self.promise:26} {self.expected:8,} {self.found:8,} {self.connections:12,}  {verdict}"


HEADING = f"{'who':8} {'promise':26} {'expected':>8} {'found':>8} {'connections':>12}"

Promise = Callable[[Sequence[Entry], Sequence[Heard]], list[str]]


def exactly_once(expected: Sequence[Entry], heard: Sequence[Heard]) -> list[str]:
    """Each of them, in order, and nothing else."""
    numbers = [event.sequence for event in heard]
    return [*at_least_once(expected, heard), *_fault("heard twice", repeated(numbers))]


def at_least_once(expected: Sequence[Entry], heard: Sequence[Heard]) -> list[str]:
    """Each of them, every time with its own id and at first in order, and nothing else."""
    numbers = list(dict.fromkeys(event.sequence for event in heard))
    missing = {entry.sequence for entry in expected} - set(numbers)
    return [
        *_fault("never heard", sorted(missing)),
        *of_the_table(expected, heard),
        *_fault("out of order", [later for earlier, later in pairwise(numbers) if later < earlier]),
    ]


def of_the_table(expected: Sequence[Entry], heard: Sequence[Heard]) -> list[str]:
    """Nothing but what is there, each with its own id."""
    table = {entry.sequence: entry for entry in expected}
    foreign = {event.sequence for event in heard} - table.keys()
    wrong = [
        event.sequence
        for event in heard
        if event.sequence in table and not table[event.sequence].is_told_as(event.id)
    ]
    return [*_fault("heard and not there", sorted(foreign)), *_fault("with another id", wrong)]


def gapless(numbers: Sequence[int]) -> list[str]:
    """1, 2, 3 …"""
    holes = set(range(1, max(numbers, default=0) + 1)) - set(numbers)
    return [*_fault("missing", sorted(holes)), *_fault("there twice", repeated(numbers))]


def whole_log(text: str, lines: int) -> list[str]:
    """That a job which prints so many numbered lines has each of them once and in order."""
    found = [int(number) for number in re.findall(r"^line (\d+)$", text, re.MULTILINE)]
    if found == list(range(1, lines + 1)):
        return []
    return gapless(found) or [f"{len(found)} lines of {lines}, or not in order"]


def repeated(numbers: Iterable[int]) -> list[int]:
    return sorted(number for number, times in Counter(numbers).items() if times > 1)


def _fault(words: str, numbers: Sequence[int]) -> list[str]:
    if not numbers:
        return []
    shown = ", ".join(map(str, numbers[:SHOWN]))
    return [f"{len(numbers)} {words}: {shown}{' …' if len(numbers) > SHOWN else ''}"]
