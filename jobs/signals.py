"""What a test says to the lab itself, as its log has it. Pure.

A test prints a signal, `<LAVA_SIGNAL_WAITFORPERSON 5f3a 600 Press%20reset>`, and its worker, LAVA's dispatcher as well
as the built-in one, writes `Received signal: <WAITFORPERSON> 5f3a 600 Press%20reset` into the log, as `debug`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from jobs.logs import Appended
from jobs.logs.records import storable

_SIGNAL: Final = re.compile(r"Received signal: <([A-Z]{1,32})> ?([^\n]*)")
_LEVEL: Final = "debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    name: str
    words: tuple[str, ...]  # what a helper wrote as %XX is itself again


def received(appended: Appended, names: Collection[str]) -> Iterator[Signal]:
    """The signals of these names in a batch of records, also those that the log had before."""
    starts = tuple(f"Received signal: <{name}>" for name in names)
    for placed in appended.placed(_LEVEL, starts=starts):
        message = placed.record.message
        if isinstance(message, str) and (found := _SIGNAL.fullmatch(message)):
            yield Signal(name=found[1], words=tuple(storable(unquote(word)) for word in found[2].split()))
