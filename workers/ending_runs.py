"""Runs that have written the last record of their log, and whose worker has not told their end yet.

LAVA's worker looks whether a run of its has ended only when it asks the server what to do, every 20 seconds, and the
device is in use until it has told. So it is called until it has: the run is over a moment after its last record.

The calls are made once for all sockets of a process: by a doorbell, rung when a last record is stored, and without it
by looking now and then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from django.conf import settings
from django.db.models import F

from core import doorbell
from core.doorbell import Doorbell
from events.live import ask, event_of
from jobs.logs import Record
from jobs.models import TestCase
from jobs.states import State

log = logging.getLogger(__name__)

BELL = "endings"
SUITE, CASE = "lava", "job"  # of the result that is the last record of every log of LAVA's dispatcher
POLL_SECONDS = 5.0  # with the bell broken
# At the bell, the run still waits for the answer to its last record; then its program has to end.
UNWINDING_SECONDS = 0.25
PAUSES = (
    0.1,
    0.1,
    0.2,
    0.3,
    0.3,
    0.5,
    1.0,
    2.0,
)  # seconds between the calls; then as often as without the bell


def note(records: Iterable[Record]) -> None:
    """Have the worker called if its run has just written its last record."""
    if any(map(_is_last, records)):
        doorbell.ring(settings.RUN, BELL)


def _is_last(record: Record) -> bool:
    if record.level != "results" or not isinstance(record.message, dict):
        return False
    return (record.message.get("definition"), record.message.get("case")) == (SUITE, CASE)


def workers_to_call() -> frozenset[str]:
    """Those with a run that is about to end, or has ended and was not told."""
    ends = TestCase.objects.filter(
        suite__name=SUITE,
        name=CASE,
        attempt__job__state__in=(State.RUNNING, State.CANCELING),
        attempt__number=F("attempt__job__attempt"),
    )
    return frozenset(ends.values_list("attempt__worker_name", flat=True))


class Watch:
    """Looks for these workers while somebody of this process wants to know."""

    def __init__(self) -> None:
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None
        self._workers: frozenset[str] = frozenset()
        self._call: asyncio.Event

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        self._listeners += 1
        if self._task is None:
            self._call = asyncio.Event()
            self._task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._task.cancel()
                self._task = None

    async def next(self) -> frozenset[str]:
        """The workers to call, when there are some the next time."""
        await self._call.wait()
        return self._workers

    async def _look(self) -> None:
        pauses = iter(PAUSES)
        with Doorbell(settings.RUN, BELL) as bell, event_of(bell) as rung:
            while True:
                rung.clear()
                workers = await _ask()
                if workers:
                    self._tell(workers)
                pause = next(pauses, POLL_SECONDS) if workers else POLL_SECONDS
                with suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), pause)
                if rung.is_set():
                    await asyncio.sleep(UNWINDING_SECONDS)
                if rung.is_set() or not workers:
                    pauses = iter(PAUSES)

    def _tell(self, workers: frozenset[str]) -> None:
        self._workers = workers
        self._call.set()
        self._call = asyncio.Event()


async def _ask() -> frozenset[str]:
    try:
        return await ask(workers_to_call)
    except Exception:
        log.warning("The runs that end could not be asked for; it is tried again", exc_info=True)
        return frozenset()


watch = Watch()
