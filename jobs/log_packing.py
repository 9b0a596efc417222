"""Packing the logs of jobs that have ended, some time after the end, as the settings `LOG_…` say.

What is packed is seen on the disk alone, so a pass does what is left, whatever became of the one before it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from jobs import logs
from jobs.logs import disk, packing
from jobs.models import Attempt

log = logging.getLogger(__name__)

LEAST = 16 * 1024  # bytes; a shorter text takes about as many blocks of the disk when it is packed
LOOKED_UP = 500  # logs at once
SHARE = 0.25  # of the time that a pass which nobody waits for works
LONGEST_PAUSE = 5.0  # seconds; more passed between two looks only if the whole machine stood still


class Pace:
    """Tells whether to stop, and before that waits so long that there is work in SHARE of the time only.

    What counts is the time that a piece of work took, not that of a processor: on a busy machine, and on one whose disk
    is slow, there are longer pauses.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._since = time.monotonic()

    def __call__(self) -> bool:
        worked = time.monotonic() - self._since
        stops = self._stop.wait(min(worked * (1 / SHARE - 1), LONGEST_PAUSE))
        self._since = time.monotonic()
        return stops


def pack_all(stop: threading.Event | None = None) -> int:
    """Pack all logs that are due; how many that were.

    With `stop`, which ends it early, in the middle of a log too, it leaves most of the time to others; without, somebody
    waits for it.
    """
    stops = packing.never if stop is None else Pace(stop)
    number = 0
    for directory in due():
        if stops():
            break
        size = logs.size(directory)
        try:
            if packing.pack(directory, keep=settings.LOG_SOFT_LIMIT, stops=stops):
                number += 1
                log.info("Packed the log in %s, of %s bytes", directory, size, extra={"action": "pack_log"})
        except OSError as error:
            log.warning("The log in %s cannot be packed: %s", directory, error)
    return number


def due() -> Iterator[Path]:
    """The directories of attempts that have ended long enough ago, and whose text is not packed. Those submitted first come first."""
    if not settings.LOG_PACK_AFTER:
        return
    plain = _plain()
    while several := dict(islice(plain, LOOKED_UP)):
        for job, number in _over({job for job, _ in several}):
            if (job, number) in several:
                yield several[job, number]


def _plain() -> Iterator[tuple[tuple[int, int], Path]]:
    """The texts that are not packed, by job and attempt."""
    for stored in disk.stored(settings.LOGS):
        for number, directory in stored.attempts:
            if packing.plain_size(directory) >= LEAST:
                yield (stored.job_id, number), directory


def _over(jobs: set[int]) -> Iterator[tuple[int, int]]:
    """The attempts of these jobs of which nothing is to come."""
    before = timezone.now() - timedelta(seconds=settings.LOG_PACK_AFTER)
    over = Attempt.objects.filter(job__in=jobs, ended__lt=before, unconfirmed_since__isnull=True)
    yield from over.order_by("job", "number").values_list("job", "number")
