"""What packing a finished log costs and saves, beside `xz` as LAVA packs its YAML. Run: python -m benchmarks.log_packing

The log repeats those that LAVA wrote in tests/golden, with other digits each time.
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

from jobs import logs
from jobs.logs import Record, lava_yaml, packing, text

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
PIECE = 64 * 1024  # bytes of one read
READS = 500
BATCH = 5_000
TARGET_RATIO = 0.32
TARGET_READ = 1.0  # ms


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--megabytes", type=int, default=18, help="size of the text (default: 18)")
    size = options.parse_args().megabytes * 1_000_000
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log"
        write(log, size)
        size = logs.size(log)
        print(
            f"a text of {size / 1e6:.1f} MB; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )
        plain = read_times(log)
        lava = b"".join(lava_yaml.stream(log, finished=True))
        seconds = timed(lambda: packing.pack(log))
        report(log, size, seconds)
        print(f"random read of 64 KiB, plain: p50 {median(plain):.3f} ms, p99 {p99(plain):.3f} ms")
        packed = read_times(log)
        print(
            f"random read of 64 KiB, packed: p50 {median(packed):.3f} ms, p99 {p99(packed):.3f} ms"
            f" (target: p50 {TARGET_READ} ms)"
        )
        measure_whole(log, size)
        measure_xz(lava, size)


def report(log: Path, size: int, seconds: float) -> None:
    packed, index = ((log / name).stat().st_size for name in ("output.log.zst", "output.idx"))
    print(f"packing, with the comparison: {size / 1e6 / seconds:.0f} MB/s")
    print(f"packed text: {packed / size:.1%} of the text (target: {TARGET_RATIO:.0%})")
    print(f"text and index: {(packed + index) / (size + index):.1%} of what they were")


def measure_whole(log: Path, size: int) -> None:
    seconds = timed(lambda: sum(len(piece) for piece in text.stream(log, 0, size)))
    print(f"the whole text, packed: {size / 1e6 / seconds:.0f} MB/s")


def measure_xz(lava: bytes, size: int) -> None:
    seconds = timed(lambda: lzma.compress(lava))
    packed = lzma.compress(lava)
    print(
        f"xz of LAVA's YAML ({len(lava) / 1e6:.1f} MB): {len(lava) / 1e6 / seconds:.1f} MB/s, {len(packed) / size:.1%} of our text"
    )
    chance = random.Random(34)

    def read() -> None:
        lzma.LZMADecompressor().decompress(packed, max_length=chance.randrange(len(lava)) + PIECE)

    print(f"random read of 64 KiB of it: p50 {median(timed(read) * 1e3 for _ in range(9)):.0f} ms")


def read_times(log: Path) -> list[float]:
    """In milliseconds, each with the opening of its files."""
    size = logs.size(log)
    chance = random.Random(34)
    starts = [chance.randrange(size - PIECE) for _ in range(READS)]
    return [timed(lambda start=start: text.read(log, start, start + PIECE)) * 1e3 for start in starts]


def write(log: Path, size: int) -> None:
    records = endless()
    while logs.size(log) < size:
        logs.append(log, logs.next_index(log), list(islice(records, BATCH)))


def endless() -> Iterator[Record]:
    chance = random.Random(34)
    golden = [
        record
        for path in sorted(GOLDEN.glob("*.output.yaml.gz"))
        for record in logs.parse_lines(gzip.decompress(path.read_bytes()).decode())
    ]
    while True:
        for record in golden:
            message = record.message if not isinstance(record.message, str) else other(record.message, chance)
            yield Record(time=record.time, level=record.level, message=message, namespace=record.namespace)


def other(message: str, chance: random.Random) -> str:
    return "".join([chance.choice("0123456789") if letter.isdigit() else letter for letter in message])


def p99(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def timed(deed: Callable[[], object]) -> float:
    begun = perf_counter()
    deed()
    return perf_counter() - begun


if __name__ == "__main__":
    main()
