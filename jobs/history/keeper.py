"""Keeps the history of the queue, and sums the queue up for those who listen: a loop of the engine."""

from __future__ import annotations

import threading

from django.conf import settings

from core.daemon import Daemon
from core.doorbell import Doorbell
from events import numbering
from jobs.history import queue, summary

POLL_SECONDS = 5.0


class Keeper:
    """Looks at what has happened since it looked last, and at nothing if nothing has."""

    def __init__(self) -> None:
        self._seen: int | None = None  # all events up to it were there at the last look

    def look(self) -> bool:
        """Whether there was something to look at."""
        newest = numbering.last_number()
        if newest == self._seen:
            return False
        queue.run_once()
        if summary.run_once():
            self._seen = newest
        return True


def run(stop: threading.Event) -> None:
    """Look whenever something happens, but once a second at most, until `stop` is set."""
    with Doorbell(settings.RUN, "engine") as bell:
        rest = summary.PAUSE.total_seconds()
        Daemon("history", bell, poll=POLL_SECONDS, rest=rest, stop=stop).run(Keeper().look)
