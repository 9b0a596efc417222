"""What a whole lab costs that has nothing to do, and how soon it is there. Run: python -m benchmarks.idle"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep

from tests.lab import Lab, eventually

STARTS = 5
IDLE_AFTER = 30.0  # seconds
CPU_OVER = 20.0  # seconds
FIRST_OUTPUT = b"Hello! This job runs on"
TICKS = 100  # of CPU time in a second


def main() -> None:
    pages, lines, again = [], [], []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as name:
            lab = Lab(Path(name))
            page, line = measure_start(lab)
            pages.append(page)
            lines.append(line)
            lab.stop()
            again.append(measure_page(lab))
            lab.stop()
    print(f"first start to first page:     {shown(pages)}")
    print(f"first start to first log line: {shown(lines)}")
    print(f"second start to first page:    {shown(again)}")
    with tempfile.TemporaryDirectory() as name:
        lab = Lab(Path(name))
        lab.start()
        sleep(IDLE_AFTER)
        measure_idle(lab)
        lab.stop()


def measure_start(lab: Lab) -> tuple[float, float]:
    """Seconds to the first page and to the first line that job 1 printed."""
    began = perf_counter()
    lab.start()
    until(lambda: lab.get("/")[0] == 200)
    page = perf_counter() - began
    until(lambda: FIRST_OUTPUT in lab.get("/job/1/log-tail?start=0")[1])
    return page, perf_counter() - began


def measure_page(lab: Lab) -> float:
    began = perf_counter()
    lab.start()
    until(lambda: lab.get("/")[0] == 200)
    return perf_counter() - began


def measure_idle(lab: Lab) -> None:
    pids = lab.pids()
    memory = {role: memory_of(pid) for role, pid in pids.items()}
    before = {role: cpu_of(pid) for role, pid in pids.items()}
    sleep(CPU_OVER)
    for role, pid in pids.items():
        busy = (cpu_of(pid) - before[role]) / CPU_OVER
        print(f"{role:<11} {memory[role]:6.1f} MB PSS, {busy:5.1%} of a core")
    print(f"idle after {IDLE_AFTER:.0f} s: {len(pids)} processes, {sum(memory.values()):.1f} MB PSS")


def memory_of(pid: int) -> float:
    """Proportional set size in MB: shared pages are divided among those who share them."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def cpu_of(pid: int) -> float:
    """Seconds of CPU so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def until(condition: Callable[[], object]) -> None:
    assert eventually(condition, 60.0)


def shown(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"median {ordered[len(ordered) // 2]:.2f} s, worst {ordered[-1]:.2f} s of {len(ordered)}"


if __name__ == "__main__":
    main()
