"""Searching the whole of a log, and what others of the process feel of it. Run: python -m benchmarks.log_search [megabytes]

CPU is that of one search in this process, which a busy machine does not change much; the times in a process of its own
are those that a reader waits for, without the request around it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from benchmarks import throwaway
from benchmarks.throwaway import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

BATCH = 12_500  # lines
ROUNDS = 5
REQUESTS = 2_000
FOREIGN = "beside a foreign process"
BEGIN = datetime(2026, 3, 1)
PLAIN = "[{:12.6f}] usb 1-1: new high-speed USB device number 4 using xhci, port {:07d}"
COLOURED = "\x1b[32m[{:12.6f}]\x1b[0m usb 1-1: new \x1b[1mhigh-speed\x1b[0m USB device, port {:07d}"

SEARCHES: dict[str, tuple[dict[str, Any], str]] = {
    "words that are not there": ({"text": "kernel panic"}, "200 ms"),
    "the same, case matches": ({"text": "kernel panic", "matches_case": True}, "200 ms"),
    "a pattern": ({"text": r"(\w+)-(\w+) never|panic\b", "is_regex": True}, "1,000 ms"),
    "a bad pattern elsewhere": ({"text": r"(.*,)*(.*,)*(.*,)*$x", "is_regex": True}, "1,000 ms"),
    "the next error": ({"levels": ["error", "exception"], "after": 600_000, "limit": 1}, "200 ms"),
}


def main() -> None:
    large = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with throwaway.lab():
        from django.test import Client

        from jobs.states import State
        from tests import build

        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        jobs = [build.job(state=State.RUNNING, device=f"qemu{number}") for number in range(2)]
        for job, line in zip(jobs, (PLAIN, COLOURED), strict=True):
            size = fill(job.log_directory(), large, line)
            print(f"\na log of {size / 1e6:.0f} MB: {line.format(1.5, 1)!r}")
            measure_searches(job.log_directory())
        measure_others(Client(), f"/job/{jobs[0].pk}/log-tail?start=0&end=4096", jobs[0].log_directory())


def fill(directory: Path, megabytes: int, line: str) -> int:
    """Write a log of this size, one line of 10,000 an error; its size in bytes."""
    from jobs import logs
    from jobs.logs import Record

    first = 0
    while logs.size(directory) < megabytes * 1_000_000:
        batch = [
            Record(
                time=BEGIN + timedelta(milliseconds=number),
                level="target" if number % 10_000 else "error",
                message=line.format(number / 1000, number),
            )
            for number in range(first, first + BATCH)
        ]
        logs.append(directory, first, batch)
        first += BATCH
    return logs.size(directory)


def measure_searches(directory: Path) -> None:
    from jobs.logs.search import Query, search
    from jobs.logs.searchers import Searchers

    searchers = Searchers(1)
    first = timed(lambda: searched(searchers, directory, Query(text="the very first")))
    print(f"the first search, which begins a process and counts the lines: {first * 1000:.0f} ms")
    for name, (fields, target) in SEARCHES.items():
        query = Query(**fields)
        taken = median(timed(lambda q=query: searched(searchers, directory, q)) for _ in range(ROUNDS))
        cpu = process_time()
        search(directory, query, seconds=60)
        cpu = process_time() - cpu
        print(f"{name}: {taken * 1000:.0f} ms, CPU {cpu * 1000:.0f} ms (target: {target})")
    searchers.close()


def measure_others(client: Client, address: str, directory: Path) -> None:
    """Requests of this process while nothing, or one search after another, is under way.

    The foreign process computes without a pause and has nothing to do with the server: what requests feel of it, they
    feel of any work that the machine does beside them at the same priority.
    """
    from jobs.logs.search import Query, search
    from jobs.logs.searchers import Searchers

    query = Query(text="kernel panic")
    searchers = Searchers(1)
    ways: dict[str, Callable[[], object] | None] = {
        "alone": None,
        "beside searches": lambda: searched(searchers, directory, query),
        "if a thread searched": lambda: search(directory, query, seconds=60),
    }
    print("\nother requests (log-tail of 4 KiB) of the same process:")
    client.get(address)
    taken: dict[str, list[float]] = {name: [] for name in [*ways, FOREIGN]}
    for _ in range(ROUNDS):  # in turns, since the machine may have other things to do
        for name, work in ways.items():
            with again_and_again(work):
                taken[name] += requests(client, address)
        with foreign_process():
            taken[FOREIGN] += requests(client, address)
    for name, times in taken.items():
        print(f"{name}: p50 {median(times):.1f} ms, p99 {percentile(times, 99):.1f} ms")
    p99 = {name: percentile(times, 99) for name, times in taken.items()}
    print(
        f"p99 beside searches, to that beside a foreign process: {p99['beside searches'] / p99[FOREIGN]:.2f}"
    )
    searchers.close()


def requests(client: Client, address: str) -> list[float]:
    """Milliseconds of each."""
    return [timed(lambda: client.get(address)) * 1000 for _ in range(REQUESTS // ROUNDS)]


@contextmanager
def foreign_process() -> Iterator[None]:
    from jobs.logs.search_process import NICENESS

    command = [sys.executable, "-c", f"import os; os.nice({NICENESS})\nwhile True: pass"]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def again_and_again(work: Callable[[], object] | None) -> Iterator[None]:
    """In a thread beside this one."""
    is_over = threading.Event()

    def run() -> None:
        while work is not None and not is_over.is_set():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def searched(searchers: Any, directory: Path, query: Any) -> bytes:
    """As the view searches."""
    search = searchers.begin(directory, query)
    try:
        while (answer := search.answer(0.05)) is None:
            pass
        return bytes(answer)
    finally:
        search.end()


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = perf_counter()
    work()
    return perf_counter() - began


if __name__ == "__main__":
    main()
