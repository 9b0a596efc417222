"""How soon a job begins, ends and gives its device back, with the built-in worker. Run: python -m benchmarks.turnaround

One job after the other in a whole lab of its own, which has nothing else to do.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from time import time

from benchmarks.throwaway import percentile
from tests.lab import Lab
from tests.statements.visitors import has_ended, has_printed, log, submit, times_of

JOBS = 30


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        lab = Lab(Path(name))
        lab.start()
        try:
            measure(lab)
        finally:
            lab.stop()


def measure(lab: Lab) -> None:
    assert has_ended(lab, 1)
    runs = [run(lab) for _ in range(JOBS)]
    for what in runs[0]:
        show(what, [figures[what] for figures in runs])
    show("cancel to finished", [cancel(lab) for _ in range(JOBS)])


def run(lab: Lab) -> dict[str, float]:
    """Milliseconds of one short job."""
    submitted = time()
    number = submit(lab, "short", "echo over at $(date +%s.%N)")
    assert has_ended(lab, number)
    times = times_of(lab, number)
    over = re.search(r"^over at ([\d.]+)$", log(lab, number), re.MULTILINE)
    assert over is not None
    return {
        "submit to running": 1000 * (times["job.started"] - submitted),
        "scheduled to started": 1000 * (times["job.started"] - times["job.scheduled"]),
        "end of run to device free": 1000 * (times["free"] - float(over[1])),
    }


def cancel(lab: Lab) -> float:
    """Milliseconds until a job that would sleep has ended."""
    number = submit(lab, "endless", "echo begun", "sleep 1000")
    assert has_printed(lab, number, "begun")
    asked = time()
    status, _ = lab.request("POST", f"/api/v0.2/jobs/{number}/cancel/")
    assert status == 200
    assert has_ended(lab, number)
    return 1000 * (times_of(lab, number)["job.canceled"] - asked)


def show(what: str, values: list[float]) -> None:
    middle, most = percentile(values, 50), percentile(values, 95)
    print(f"{what:<26} p50 {middle:5.0f} ms   p95 {most:5.0f} ms   ({len(values)} jobs)")


if __name__ == "__main__":
    main()
