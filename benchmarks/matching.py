"""How long one decision of the scheduler takes, without its database.

Run it as `python -m benchmarks.matching`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from jobs.matching import AtWork, Group, Idle, Waiting, match

CASES = (
    # jobs, how many of them begin together, devices, a tag that all jobs want, the most seconds it may take
    (5_000, 1, 200, None, 0.3),
    (1_000, 1, 200, "nobody-has-this", 0.3),
    (100_000, 1, 1_000, None, 3.0),
    (5_000, 2, 200, None, 0.3),
    (5_000, 8, 200, None, 0.3),
    (5_000, 32, 200, None, 0.3),
    (100_000, 2, 1_000, None, 3.0),
)
REPEATS = 5
TAGS = ("usb", "hdmi", "relay", "serial")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def queue(size: int, together: int, tag: str | None) -> list[Waiting]:
    """Groups, if it is more than one that begin together, have all waited for long, which is the dearer case."""
    tags = frozenset({tag}) if tag else frozenset[str]()
    groups = [Group(id=number, size=together, is_impatient=True) for number in range(size // together + 1)]
    return [
        Waiting(
            id=number,
            device_type="board",
            tags=tags or frozenset(TAGS[: number % 3]),
            priority=number // together * 7 % 101,
            submitted=BEGIN + timedelta(seconds=number // together * 13 % size),
            group=groups[number // together] if together > 1 else None,
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
    room: dict[str | None, int | None] = {f"worker-{number}": None for number in range(8)}
    at_work = AtWork(devices=idle, limits=room)
    seconds, pairs = [], 0
    for _ in range(repeats):
        started = time.perf_counter()
        pairs = len(match(waiting, idle, room, at_work))
        seconds.append(time.perf_counter() - started)
    return min(seconds), pairs


def main() -> None:
    for jobs, together, devices, tag, limit in CASES:
        seconds, pairs = best_of(REPEATS, queue(jobs, together, tag), shelf(devices))
        wanted = f" in groups of {together}" if together > 1 else ""
        wanted += f" that want the tag {tag}" if tag else ""
        size = f"{jobs:>7,} jobs{wanted} x {devices:>5,} devices"
        print(f"{size}: {seconds:.4f} s, {pairs} pairs (limit {limit} s)")


if __name__ == "__main__":
    main()
