"""Records to write, and what a log must look like after them, reckoned in the plainest way."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from jobs.logs import Record

BEGIN = datetime(2026, 11, 22, 3, 16, 6)
GOLDEN = Path(__file__).parents[2] / "golden"
ALL_GOLDEN = Path(__file__).parents[4] / "shared" / "golden"


def golden_logs() -> dict[str, bytes]:
    """Logs that LAVA 2023.01 wrote: the copies in this repository, and more where the collection lies beside it."""
    logs = {
        path.name.removesuffix(".output.yaml.gz"): gzip.decompress(path.read_bytes())
        for path in sorted(GOLDEN.glob("*.output.yaml.gz"))
    }
    collection = sorted(ALL_GOLDEN.glob("*/job-output/output.yaml"))
    return logs | {path.parents[1].name: path.read_bytes() for path in collection}


def record(message: Any, level: str = "target", *, second: int = 0, **fields: Any) -> Record:
    return Record(time=BEGIN + timedelta(seconds=second), level=level, message=message, **fields)


def lines(count: int, first: int = 0) -> list[Record]:
    return [record(f"line {number}", second=number) for number in range(first, first + count)]


def joined(entries: Sequence[Record | int]) -> list[Record]:
    """What a reader counts as records; only the last one may be partial. A number is that many missing records."""
    whole: list[Record] = []
    for entry in entries:
        last = whole[-1] if whole else None
        if last is not None and last.partial:
            if isinstance(entry, Record) and _continues(last, entry):
                whole[-1] = replace(last, message=last.message + entry.message, partial=entry.partial)
                continue
            whole[-1] = replace(last, partial=False)
        whole.append(entry if isinstance(entry, Record) else _hole(entry))
    return whole


def text_of(entries: Sequence[Record | int]) -> str:
    return "".join([_text(entry) + ("" if entry.partial else "\n") for entry in joined(entries)])


def _continues(last: Record, entry: Record) -> bool:
    same_line = (last.level, last.namespace) == (entry.level, entry.namespace)
    return same_line and isinstance(entry.message, str)


def _hole(missing: int) -> Record:
    return record("1 record missing" if missing == 1 else f"{missing} records missing", "warning")


def _text(entry: Record) -> str:
    if isinstance(entry.message, str):
        return entry.message
    return json.dumps(entry.message, ensure_ascii=False, separators=(",", ":"))


storable_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any record that a worker may send; half of the lines come in pieces."""
    second = draw(st.integers(0, 3))
    if draw(st.integers(0, 5)) == 0:
        return record({"case": draw(storable_text), "result": "pass"}, "results", second=second)
    return record(
        draw(storable_text),
        draw(st.sampled_from(["target", "debug", "feedback"])),
        second=second,
        namespace=draw(st.sampled_from([None, None, "common", "böard"])),
        partial=draw(st.booleans()),
    )
