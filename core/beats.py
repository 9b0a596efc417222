"""Beats: how a loop tells other processes that it goes on, without a database and without being asked.

Each loop has a small file in the lab's run directory, in which it notes when it ended its last good pass. Whoever
reads it needs nothing of the loop: one that hangs, fails again and again, or is dead is simply silent for too long.
Times are those of the machine's steady clock, which all its processes share and nobody sets.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds between two notes of a loop that has many passes

_PREFIX, _SUFFIX = "beat.", ".json"
_LONGEST_NAME = 200  # characters of a file's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a loop noted last."""

    loop: str
    at: float  # the end of its last good pass, or its start
    poll: float  # the longest time in seconds that it rests between two passes
    trouble: str = ""  # why the passes since then failed

    def silent_for(self) -> float:
        """Seconds. A beat of an earlier boot of this machine may seem to come from the future: it is long ago."""
        past = time.monotonic() - self.at
        return past if past >= 0 else float("inf")


class Pulse:
    """The beats of one loop: for the thread that runs it."""

    def __init__(self, directory: Path, loop: str, *, poll: float) -> None:
        self._path = directory / file_name(loop)
        self._loop = loop
        self._poll = poll
        self._at = time.monotonic()
        self._noted = float("-inf")
        self._trouble = ""

    def beat(self) -> None:
        """It goes on: a pass ended well, or a long one came a step further."""
        self._at = time.monotonic()
        self._note("")

    def fail(self, trouble: str) -> None:
        self._note(trouble)

    def _note(self, trouble: str) -> None:
        now = time.monotonic()
        if trouble == self._trouble and now - self._noted < EVERY:
            return
        self._noted, self._trouble = now, trouble
        beat = Beat(loop=self._loop, at=self._at, poll=self._poll, trouble=trouble)
        beside = self._path.with_suffix(f".{os.getpid()}")
        try:
            beside.write_text(json.dumps(asdict(beat)))
            beside.replace(self._path)
        except OSError as error:
            # A full disk must not end a loop; that it seems silent then is near enough to the truth.
            log.debug("The %s could not note that it goes on: %s", self._loop, error)


def read(directory: Path) -> dict[str, Beat]:
    """The last beat of each loop that ever ran with this run directory, by its name."""
    return {beat.loop: beat for beat in _beats(directory)}


def file_name(loop: str) -> str:
    return f"{_PREFIX}{quote(loop, safe='')[:_LONGEST_NAME]}{_SUFFIX}"


def _beats(directory: Path) -> Iterator[Beat]:
    for path in directory.glob(f"{_PREFIX}*{_SUFFIX}"):
        try:
            yield Beat(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            log.warning("The beat in %s cannot be read: %s", path, error)
