"""What a job's log on disk costs: appending, reading, following, LAVA's YAML. Run: python -m benchmarks.log_store"""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from jobs import logs
from jobs.logs import Masker, Record, format, lava_yaml

RECORDS = 1_000_000
BATCH = 1_000
MIB = 1 << 20
GIB = 1 << 30


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log"
        measure_memory(Path(name) / "memory")  # first: only a new peak can be seen
        measure_append(log)
        measure_parse()
        measure_masking(Path(name) / "masked")
        measure_single_posts(Path(name) / "single")
        measure_read(log)
        measure_yaml(log)
        measure_tail(Path(name))


def measure_append(log: Path) -> None:
    batches = [console_lines(first) for first in range(0, RECORDS, BATCH)]
    seconds = timed(lambda: [logs.append(log, place * BATCH, batch) for place, batch in enumerate(batches)])
    per_record = (log / "output.idx").stat().st_size / RECORDS
    print(
        f"append, batches of {BATCH}: {RECORDS / seconds:,.0f} records/s ({per_record:.2f} bytes of index each)"
    )


def measure_parse() -> None:
    text = "\n".join(f"- {record.to_wire()}" for record in console_lines(0))
    seconds = timed(lambda: [logs.parse_lines(text) for _ in range(100)])
    print(f"parse a post of {BATCH}: {100 * BATCH / seconds:,.0f} records/s")


def measure_masking(log: Path) -> None:
    masker = Masker(["a-secret-of-the-job", "f" * 64])
    batches = [console_lines(first) for first in range(0, 100 * BATCH, BATCH)]
    seconds = timed(
        lambda: [logs.append(log, place * BATCH, batch, masker=masker) for place, batch in enumerate(batches)]
    )
    print(f"append with two secrets to mask: {100 * BATCH / seconds:,.0f} records/s")


def measure_single_posts(log: Path) -> None:
    records = console_lines(0)
    seconds = timed(lambda: [logs.append(log, index, [record]) for index, record in enumerate(records)])
    print(f"append of one record: {seconds / BATCH * 1e6:.0f} µs")


def measure_read(log: Path) -> None:
    size = logs.size(log)
    seconds = timed(lambda: [logs.read(log, start) for start in range(0, size, logs.LIMIT)])
    print(f"read in pieces of 1 MiB: {size / 1e6 / seconds:,.0f} MB/s")


def measure_yaml(log: Path) -> None:
    count = 100_000
    seconds = timed(lambda: [len(line) for line in lava_yaml.stream(log, RECORDS - count)])
    print(f"LAVA's YAML: {count / seconds:,.0f} records/s")
    seconds = timed(lambda: next(iter(lava_yaml.stream(log, RECORDS - 1))))
    print(f"LAVA's YAML, the last one of {RECORDS:,} records: {seconds * 1e3:.2f} ms")


def measure_tail(directory: Path) -> None:
    """The last 100 bytes of a small and of a big log, in turns so that both meet the same machine."""
    sizes = (MIB, GIB)
    for size in sizes:
        write_sparse(directory / str(size), size)
    best = dict.fromkeys(sizes, float("inf"))
    for _ in range(20):
        for size in sizes:
            best[size] = min(best[size], timed(lambda: poll(directory / str(size), size - 100)) / 500)  # noqa: B023
    print(f"tail of 1 MiB: {best[MIB] * 1e6:.1f} µs, of 1 GiB: {best[GIB] * 1e6:.1f} µs, ", end="")
    print(f"ratio {best[GIB] / best[MIB]:.2f}")


def measure_memory(log: Path) -> None:
    write_sparse(log, GIB)
    before = peak_memory()
    logs.read(log, 0)
    logs.last_part(log)
    print(f"memory to open 1 GiB: {(peak_memory() - before) / MIB:.1f} MiB")


def console_lines(first: int) -> list[Record]:
    begin = datetime(2026, 11, 22, 3, 16, 6)
    return [
        Record(
            time=begin + timedelta(milliseconds=number),
            level="target",
            message=f"[{number:12.6f}] usb 1-1: new high-speed USB device number 5 using xhci_hcd",
        )
        for number in range(first, first + BATCH)
    ]


def write_sparse(log: Path, size: int) -> None:
    """A log of `size` bytes in one record, which takes no room on the disk."""
    log.mkdir()
    entry = format.entry_word(size, format.LEVEL_CODES["target"], 0)
    (log / "output.idx").write_bytes(format.header() + format.pack([entry, 0]))
    (log / "output.log").touch()
    os.truncate(log / "output.log", size)


def poll(log: Path, start: int) -> None:
    for _ in range(500):
        logs.read(log, start)


def timed(work: Callable[[], object]) -> float:
    before = perf_counter()
    work()
    return perf_counter() - before


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
