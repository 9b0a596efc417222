"""From a line that is written to each of a thousand who watch the log over a socket, and what each of them costs.

Run: python -m benchmarks.log_viewers [--viewers 1000] [--lines 100] [--pause 0.25]
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from benchmarks import crowd, throwaway
from benchmarks.processes import forked, processor, resident, serve, wait_until_it_answers
from benchmarks.throwaway import percentile

LIMIT_MS = {1_000: 150, 5_000: 1_000}  # of the last percentile, for so many viewers
MEMORY_LIMIT = 32  # KiB of each
IDLE_SECONDS = 5.0
WARM_UP = 5  # lines that are not counted
MARK = b"line "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two lines")
    given = parser.parse_args()
    crowd.allow_many_files()
    with throwaway.lab():
        measure(given.viewers, given.lines, given.pause)


def measure(viewers: int, lines: int, pause: float) -> None:
    from django.db import connections

    from jobs.states import State
    from tests import build

    job = build.job(state=State.RUNNING)
    connections.close_all()
    listener = socket.create_server(("127.0.0.1", 0), backlog=viewers)
    port = listener.getsockname()[1]
    with forked(lambda: serve(listener)) as server:
        listener.close()
        wait_until_it_answers(port)
        before = resident(server)
        request = crowd.HANDSHAKE.format(path=f"/ws/job/{job.pk}/log", port=port)
        with crowd.crowd(viewers, port, partial(crowd.Client, request, MARK), _numbers) as watching:
            memory = (resident(server) - before) / viewers / 1024
            idle = _share_of_processor(server, IDLE_SECONDS)
            began = processor(server)
            written = _write(job.log_directory(), lines + WARM_UP, pause)
            busy = (processor(server) - began) / (len(written) * pause)
            seen = watching.heard()
        threads = len(list(Path(f"/proc/{server}/task").iterdir()))
    mark = "" if memory <= MEMORY_LIMIT else "  OVER"
    print(f"{viewers:,} viewers: {memory:.1f} KiB each (limit {MEMORY_LIMIT} KiB){mark}, {threads} threads")
    print(f"processor: {idle:.1%} while nothing is written, {busy:.0%} with {1 / pause:.0f} lines a second")
    _report(written, seen, viewers)


def _share_of_processor(pid: int, seconds: float) -> float:
    began = processor(pid)
    time.sleep(seconds)
    return (processor(pid) - began) / seconds


def _write(directory: Path, count: int, pause: float) -> list[float]:
    """When each line was there."""
    from jobs import log_live, logs
    from jobs.logs import Record

    written = []
    for number in range(count):
        record = Record(time=datetime(2026, 3, 1, 12), level="target", message=f"line {number} of the log")
        logs.append(directory, number, [record])
        written.append(time.monotonic())
        log_live.ring()
        time.sleep(pause)
    time.sleep(1)
    return written


def _report(written: list[float], seen: crowd.Heard, viewers: int) -> None:
    counted = range(WARM_UP, len(written))
    each = [(when - written[number]) * 1000 for number in counted for when in seen.get(number, [])]
    limit = LIMIT_MS.get(viewers)
    p50, p99 = percentile(each, 50), percentile(each, 99)
    mark = f" (limit {limit} ms)" + ("" if p99 <= limit else "  OVER") if limit else ""
    print(f"line to each viewer: p50 {p50:.1f} ms, p99 {p99:.1f} ms{mark}")
    complete = all(len(seen.get(number, [])) == viewers for number in counted)
    print("every viewer saw every line once" if complete else "LINES ARE MISSING")


def _numbers(data: bytes) -> Iterator[int]:
    for part in data.split(MARK)[1:]:
        yield int(part.split(b" ", 1)[0])


if __name__ == "__main__":
    main()
