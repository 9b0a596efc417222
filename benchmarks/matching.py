"""How long one decision of the scheduler takes, without its database.

Run it as `python -m benchmarks.matching`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from jobs.matching import Idle, Waiting, match

CASES = (
    # jobs, devices, a tag that all jobs want, the most seconds it may take
    (5_000, 200, None, 0.3),
    (1_000, 200, "nobody-has-this", 0.3),
    (100_000, 1_000, None, 3.0),
)
REPEATS = 5
TAGS = ("usb", "hdmi", "relay", "serial")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def queue(size: int, tag: str | None) -> list[Waiting]:
    tags = frozenset({tag}) if tag else frozenset[str]()
    return [
        Waiting(
            id=number,
            device_type="board",
            tags=tags or frozenset(TAGS[: number % 3]),
            priority=number * 7 % 101,
            submitted=BEGIN + timedelta(seconds=number * 13 % size),
        )
        for number in range(size)
    ]


def shelf(size: int) -> list[Idle]:
    return [
        Idle(
            name=f"board-{number:04}",
            device_type="board",
            tags=frozenset(TAGS[: number % 5]),
            worker=f"worker-{number % 8}",
            last_used=BEGIN + timedelta(seconds=number * 17 % size),
        )
        for number in range(size)
    ]


def best_of(repeats: int, waiting: list[Waiting], idle: list[Idle]) -> tuple[float, int]:
    room: dict[str, int | None] = {f"worker-{number}": None for number in range(8)}
    seconds, pairs = [], 0
    for _ in range(repeats):
        started = time.perf_counter()
        pairs = len(match(waiting, idle, room))
        seconds.append(time.perf_counter() - started)
    return min(seconds), pairs


def main() -> None:
    for jobs, devices, tag, limit in CASES:
        seconds, pairs = best_of(REPEATS, queue(jobs, tag), shelf(devices))
        wanted = f" that want the tag {tag}" if tag else ""
        size = f"{jobs:>7,} jobs{wanted} x {devices:>5,} devices"
        print(f"{size}: {seconds:.4f} s, {pairs} pairs (limit {limit} s)")


if __name__ == "__main__":
    main()
