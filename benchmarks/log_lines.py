"""Lines of a log by their numbers, and their times. Run: python -m benchmarks.log_lines [megabytes]

The requests are made in this process: the view with all of its middleware, without a web server before it. CPU is that
of this process, which a busy machine does not change much.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from benchmarks import throwaway

if TYPE_CHECKING:
    from django.test import Client

LINE = 80  # bytes
BATCH = 12_500  # lines, a megabyte
ROUNDS = 7
JUMPS = 100
BEGIN = datetime(2026, 3, 1)


def main() -> None:
    large = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with throwaway.lab():
        from django.test import Client

        from jobs.states import State
        from tests import build

        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        client = Client()
        small_job = build.job(state=State.RUNNING, device="qemu1")
        large_job = build.job(state=State.RUNNING, device="qemu2")
        fill(small_job.log_directory(), 10)
        fill(large_job.log_directory(), large)
        measure_count(large_job.log_directory(), large)
        measure_jumps(client, f"/job/{large_job.pk}/log-lines", large)
        measure_times(client, f"/job/{small_job.pk}/log-lines")


def fill(directory: Path, megabytes: int) -> None:
    """Write a log of this size, each line a record."""
    from jobs import logs
    from jobs.logs import Record

    for number in range(megabytes):
        first = number * BATCH
        batch = [
            Record(time=BEGIN + timedelta(milliseconds=line), level="target", message=f"{line:079d}")
            for line in range(first, first + BATCH)
        ]
        logs.append(directory, first, batch)


def measure_count(directory: Path, megabytes: int) -> None:
    from jobs.logs import lines

    def count() -> None:
        (directory / lines.LINES_NAME).unlink(missing_ok=True)
        assert lines.ask(directory, lambda found: found.total) == megabytes * BATCH

    wall, cpu = timed(count)
    print(
        f"lines of {megabytes} MB counted for the first time: {megabytes / wall:,.0f} MB/s, "
        f"by CPU {megabytes / cpu:,.0f} MB/s (target: 500 MB/s)"
    )


def measure_jumps(client: Client, address: str, megabytes: int) -> None:
    """To lines anywhere, with 200 lines of text."""
    choose = random.Random(1)
    client.get(f"{address}?line=1&count=1")  # the first request of a process imports much
    taken = []
    for _ in range(JUMPS):
        line = choose.randrange(1, megabytes * BATCH - 200)
        began = perf_counter()
        found = client.get(f"{address}?line={line}&count=200&text=1").json()
        taken.append((perf_counter() - began) * 1000)
        assert found["content"].startswith(f"{line - 1:079d}\n")
    taken.sort()
    print(
        f"jump to a line of {megabytes} MB: p50 {taken[JUMPS // 2]:.1f} ms, "
        f"p99 {taken[JUMPS * 99 // 100]:.1f} ms (target: 500 ms)"
    )


def measure_times(client: Client, address: str) -> None:
    """Of all lines of 10 MB, in as many requests as that takes."""
    from jobs.logs.line_stamps import MOST_LINES

    bounds = range(0, 10 * BATCH * LINE, MOST_LINES * LINE)

    def fetch() -> None:
        for start in bounds:
            assert client.get(f"{address}?start={start}").status_code == 200

    wall, cpu = timed(fetch)
    print(
        f"times of all lines of 10 MB: {wall * 1000:.0f} ms, CPU {cpu * 1000:.0f} ms "
        "(target: about 50 ms), at 16 bytes a line"
    )


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds, and seconds of CPU: the median of each."""
    walls, cpus = [], []
    for _ in range(ROUNDS):
        wall, cpu = perf_counter(), process_time()
        work()
        walls.append(perf_counter() - wall)
        cpus.append(process_time() - cpu)
    return median(walls), median(cpus)


if __name__ == "__main__":
    main()
