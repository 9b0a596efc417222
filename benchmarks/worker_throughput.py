"""Figures of the built-in worker: from a job's terminal to the server's door, over HTTP on this machine.

    python -m benchmarks.worker_throughput

The server is the stub of the tests, which parses every record, in the same process as the worker: its share is in
the figures. The ratio to the raw terminal shows how much of the time is ours.
"""

from __future__ import annotations

import os
import pty
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

from tests.workers.builtin.conftest import definition
from tests.workers.builtin.lab_server import LabServer, ServedJob
from workers.builtin.config import WorkerConfig
from workers.builtin.worker import Worker

LINES = 200_000
TICKS = 200


@contextmanager
def lab_with_worker() -> Iterator[LabServer]:
    lab = LabServer()
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as directory:
        config = WorkerConfig(url=lab.url, name="w1", directory=Path(directory), token="worker-token")
        worker = threading.Thread(target=Worker(config).run, args=(stop,))
        worker.start()
        lab.wait_until(lambda: lab.sockets)
        yield lab
        stop.set()
        worker.join()
    lab.go_down()


def run(lab: LabServer, step: str) -> tuple[ServedJob, float, float]:
    """The job, and the monotonic and wall time of its submission."""
    began, wall = time.monotonic(), time.time()
    job = lab.add_job(definition(step, job_timeout=600, action_timeout=600))
    lab.wait_for_end(job, 600)
    return job, began, wall


def raw_terminal_rate() -> float:
    """Lines per second that a terminal gives to a reader that does nothing with them."""
    master, slave = pty.openpty()
    began = time.monotonic()
    with subprocess.Popen(["seq", "-f", "line %.0f of noise", str(LINES)], stdout=slave):
        os.close(slave)
        try:
            while os.read(master, 65536):
                pass
        except OSError:
            pass
    os.close(master)
    return LINES / (time.monotonic() - began)


def throughput(lab: LabServer) -> None:
    job, _, _ = run(lab, f"seq -f 'line %.0f of noise' {LINES}")
    assert len(job.printed) == LINES
    spooled = [record.time for record in job.records if record.level == "target"]
    runner = LINES / (spooled[-1] - spooled[0]).total_seconds()
    through = LINES / (job.arrivals[-1] - job.arrivals[0])
    print(f"terminal alone          {raw_terminal_rate():10,.0f} lines/s")
    print(f"runner to spool         {runner:10,.0f} lines/s")
    print(f"runner to HTTP server   {through:10,.0f} lines/s in {job.log_posts} posts")


def first_line(lab: LabServer) -> None:
    for _ in range(5):
        job, began, _ = run(lab, "echo hello")
        first = next(
            at
            for at, record in zip(job.arrivals, job.records, strict=True)
            if record.level == "target" and record.message == "hello"
        )
        print(f"submission to first record {1000 * (job.arrivals[0] - began):5.0f} ms, to first output "
              f"{1000 * (first - began):5.0f} ms")  # fmt: skip


def latency(lab: LabServer) -> None:
    """Each line carries the time at which it was printed."""
    job, began, wall = run(lab, f"for i in $(seq {TICKS}); do echo tick $(date +%s.%N); sleep 0.03; done")
    delays = [
        1000 * (wall + (at - began) - float(record.message.split()[1]))
        for at, record in zip(job.arrivals, job.records, strict=True)
        if record.level == "target" and record.message.startswith("tick ")
    ]
    cuts = quantiles(delays, n=100)
    print(f"line to server          p50 {cuts[49]:5.1f} ms   p99 {cuts[98]:5.1f} ms   ({len(delays)} lines)")


def main() -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores")
    with lab_with_worker() as lab:
        first_line(lab)
        latency(lab)
        throughput(lab)


if __name__ == "__main__":
    main()
