"""What a worker does to a log."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from jobs import log_live, logs
from jobs.logs import Record
from jobs.models import Job

NOON = datetime(2026, 3, 1, 12)
LINES_A_SECOND = 1_000  # of a busy job
PIECES_A_SECOND = 20


def write(job: Job, *lines: str, partial: bool = False, rings: bool = True) -> None:
    """`rings`: whether those who look at it are told."""
    records = [Record(time=NOON, level="target", message=line, partial=partial) for line in lines]
    directory = job.log_directory()
    logs.append(directory, logs.next_index(directory), records)
    if rings:
        log_live.ring()


def write_busily(directory: Path, seconds: int) -> None:
    """A new log: so many lines a second, or as fast as the machine allows."""
    began = time.monotonic()
    size = LINES_A_SECOND // PIECES_A_SECOND
    for piece in range(seconds * PIECES_A_SECOND):
        now = datetime.now(UTC).replace(tzinfo=None)
        numbers = range(piece * size, (piece + 1) * size)
        records = [Record(time=now, level="target", message=f"line {number}") for number in numbers]
        logs.append(directory, numbers.start, records)
        log_live.ring()
        time.sleep(max(0.0, began + (piece + 1) / PIECES_A_SECOND - time.monotonic()))


def whole(job: Job, attempt: int | None = None) -> str:
    return (job.log_directory(attempt) / "output.log").read_text()
