"""How soon a job begins, ends and gives its device back, and how soon a line is seen, with Debian's lava-worker.

Run: python -m benchmarks.lava_worker [--jobs N] (after `make test-lava-worker`, which installs what it needs; as root).
The guest runs in QEMU beside the lab, so a machine that is busy shows in every figure.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import websocket
import yaml

from benchmarks.throwaway import percentile
from tests.lava_worker.ring import Ring, running, shell
from tests.statements.visitors import times_of

IN_A_ROW = 4  # jobs for one device, which wait for each other
LINES = 40
PAUSE = 0.25  # seconds between two of the guest's lines
LAVA = {  # what LAVA 2023.01 took, and what is wanted here; milliseconds
    "scheduled to started": "target 1000; LAVA up to 20000",
    "end of run to device free": "target 2000; LAVA up to 20000",
    "cancel to finished": "target 3000; LAVA 20000",
    "submitted to running": "target 500; LAVA 200 to 19000",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5, help="of each kind")
    jobs = parser.parse_args().jobs
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for interval in (1, 5):
        with tempfile.TemporaryDirectory() as name, running(Path(name), log_interval=interval) as ring:
            if interval == 1:
                measure_turnaround(ring, jobs)
                measure_row(ring)
            show(f"guest to socket, interval {interval} s", line_delays(ring), "")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def measure_turnaround(ring: Ring, jobs: int) -> None:
    runs = [turnaround(ring) for _ in range(jobs)]
    for what in runs[0]:
        show(what, [figures[what] for figures in runs], LAVA[what])
    show("cancel to finished", [cancel(ring) for _ in range(jobs)], LAVA["cancel to finished"])


def turnaround(ring: Ring) -> dict[str, float]:
    """Milliseconds of one job that the dispatcher only looks at."""
    submitted = time.time()
    number = ring.submit_broken("short")
    ring.ended(number)
    times = times_of(ring.lab, number)
    return {
        "submitted to running": 1000 * (times["job.started"] - submitted),
        "scheduled to started": 1000 * (times["job.started"] - times["job.scheduled"]),
        "end of run to device free": 1000 * (times["free"] - unix(records(ring, number)[-1]["dt"])),
    }


def cancel(ring: Ring) -> float:
    """Milliseconds until a job has ended whose guest boots."""
    number = ring.submit("canceled", shell("sleep 1000"))
    assert ring.has_printed(number, "Linux version")
    asked = time.time()
    ring.lab.request("POST", f"/api/v0.2/jobs/{number}/cancel/")
    ring.ended(number)
    return 1000 * (times_of(ring.lab, number)["job.canceled"] - asked)


def measure_row(ring: Ring) -> None:
    numbers = [
        ring.submit("in a row", shell("true"), lava_lite={"device": "qemu01"}) for _ in range(IN_A_ROW)
    ]
    for number in numbers:
        ring.ended(number)
    first, last = times_of(ring.lab, numbers[0]), times_of(ring.lab, numbers[-1])
    each = (last["free"] - first["job.scheduled"]) / IN_A_ROW
    print(
        f"{IN_A_ROW} jobs in a row: {each:.1f} s each, of which the runs took {mean_run(ring, numbers):.1f} s"
    )


def mean_run(ring: Ring, numbers: Sequence[int]) -> float:
    spans = [records(ring, number) for number in numbers]
    return sum(unix(found[-1]["dt"]) - unix(found[0]["dt"]) for found in spans) / len(spans)


def line_delays(ring: Ring) -> list[float]:
    """Milliseconds from when the dispatcher has read a line of the guest until a page has it."""
    number = ring.submit(
        "lines", shell(f"set +x; for i in $(seq {LINES}); do echo counted $i; sleep {PAUSE}; done")
    )
    seen: dict[str, float] = {}
    client = websocket.create_connection(
        f"{ring.lab.url.replace('http', 'ws')}/ws/job/{number}/log", timeout=120
    )
    finished = False
    while not finished:
        frame = json.loads(client.recv())
        now = time.time()
        seen |= {
            line: now
            for line in re.findall(r"^counted \d+$", frame["content"], re.MULTILINE)
            if line not in seen
        }
        finished = frame["is_finished"]
    client.close()
    written = {
        str(each["msg"]): unix(each["dt"]) for each in records(ring, number) if each["lvl"] == "target"
    }
    return [1000 * (at - written[line]) for line, at in seen.items()]


def records(ring: Ring, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.load(
        ring.lab.get(f"/api/v0.2/jobs/{number}/logs/")[1], yaml.CSafeLoader
    )
    return found


def unix(text: str) -> float:
    return datetime.fromisoformat(str(text)).replace(tzinfo=UTC).timestamp()


def show(what: str, values: Sequence[float], beside: str) -> None:
    middle, most = percentile(values, 50), percentile(values, 95)
    print(f"{what:<30} p50 {middle:6.0f} ms   p95 {most:6.0f} ms   ({len(values)})   {beside}", flush=True)


if __name__ == "__main__":
    main()
