"""Requests for the end of a log, at 1 MB and at 1 GB of it. Run: python -m benchmarks.log_tail [megabytes]

The requests are made in this process: the view with all of its middleware, without a web server before it. A poll that
finds nothing new is measured at Django's WSGI handler, by the time that the processor worked for it.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from benchmarks import throwaway

if TYPE_CHECKING:
    from django.test import Client

LINE = 1000  # bytes
BATCH = 1000  # lines
ROUNDS = 15
REQUESTS = 100  # a round
READ = 4096  # bytes before the end
TARGET_EMPTY = 2_500  # polls a second of a processor


def main() -> None:
    large = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with throwaway.lab():
        from django.test import Client

        from jobs.states import State
        from tests import build

        client = Client()
        rates: dict[int, list[float]] = {1: [], large: []}
        logs = {}
        for number, megabytes in enumerate(rates):
            job = build.job(state=State.RUNNING, device=f"qemu{number}")
            size = fill(job.log_directory(), megabytes)
            logs[megabytes] = f"/job/{job.pk}/log-tail?start={size - READ}"
            measure(client, logs[megabytes])
        for _ in range(ROUNDS):  # side by side, since the machine may have other things to do
            for megabytes, address in logs.items():
                rates[megabytes].append(measure(client, address))
        for megabytes, measured in rates.items():
            print(f"log-tail of {megabytes:,} MB: {median(measured):,.0f} requests/s")
        print(f"ratio: {median(rates[1]) / median(rates[large]):.2f}")
        empty = empty_polls(f"/job/{job.pk}/log-tail", size)
        print(
            f"a poll that finds nothing new: {empty:,.0f} a second of a processor (target: {TARGET_EMPTY:,})"
        )


def fill(directory: Path, megabytes: int) -> int:
    """Write a log of this size; its size in bytes."""
    from jobs import logs
    from jobs.logs import Record

    now = datetime.now(UTC).replace(tzinfo=None)
    batch = [Record(time=now, level="target", message="x" * (LINE - 1))] * BATCH
    for number in range(megabytes):
        logs.append(directory, number * BATCH, batch)
    return logs.size(directory)


def measure(client: Client, address: str) -> float:
    """Requests per second."""
    began = perf_counter()
    for _ in range(REQUESTS):
        answer = client.get(address)
        assert len(answer.json()["content"]) == READ
    return REQUESTS / (perf_counter() - began)


def empty_polls(path: str, size: int) -> float:
    """So many a second of a processor, in the quickest of some rounds: the others had less of a core for themselves."""
    from django.core.wsgi import get_wsgi_application
    from django.test import RequestFactory

    handler = get_wsgi_application()
    environ = RequestFactory().get(path, {"start": size}).environ

    def ask() -> None:
        answer = handler(environ.copy(), lambda *_: len)
        assert b'"content": ""' in b"".join(answer)
        answer.close()

    ask()
    rates = []
    for _ in range(ROUNDS):
        began = process_time()
        for _ in range(REQUESTS):
            ask()
        rates.append(REQUESTS / (process_time() - began))
    return max(rates)


if __name__ == "__main__":
    main()
