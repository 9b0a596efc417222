"""The time and the level of each line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import logs
from jobs.logs import Record, line_stamps
from tests.jobs.logs.support import BEGIN, record, records

MS = int(BEGIN.replace(tzinfo=UTC).timestamp() * 1000)


def stamps_of(entries: Sequence[Record | int]) -> tuple[list[int], str]:
    """Reckoned character by character: each is of a record, and a line is of the record of its first character."""
    owners: list[tuple[str, Record]] = []
    last: Record | None = None
    pending: Record | None = None
    for entry in entries:
        if isinstance(entry, int):
            text = "1 record missing" if entry == 1 else f"{entry} records missing"
            time = last.time if last else next(each.time for each in entries if isinstance(each, Record))
            entry = Record(time=time, level="warning", message=text)
            continues = False
        else:
            last = entry
            continues = (
                pending is not None
                and (pending.level, pending.namespace) == (entry.level, entry.namespace)
                and isinstance(entry.message, str)
            )
        if pending is not None and not continues:
            owners.append(("\n", entry))
        text = entry.message if isinstance(entry.message, str) else "{}"
        owners += [(character, entry) for character in text]
        pending = entry if entry.partial else None
        if not entry.partial:
            owners.append(("\n", entry))
    begins = [
        owner
        for (_, owner), before in zip(owners, [("\n", None), *owners], strict=False)
        if before[0] == "\n"
    ]
    times = [MS + int((each.time - BEGIN) / timedelta(milliseconds=1)) for each in begins]
    return times, "".join(line_stamps.LETTERS[each.level] for each in begins)


many_lines = st.text(st.sampled_from("ab\n"), max_size=5)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.lists(
        st.one_of(
            st.builds(
                record,
                many_lines,
                st.sampled_from(["target", "debug"]),
                second=st.integers(0, 9),
                partial=st.booleans(),
            ),
            records(),
        ),
        max_size=12,
    ),
    holes=st.dictionaries(st.integers(0, 11), st.integers(1, 3)),
    window=st.tuples(st.integers(0, 30), st.integers(1, 30)),
)
def test_each_line_has_the_time_and_the_level_of_its_first_record(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[Record],
    holes: dict[int, int],
    window: tuple[int, int],
) -> None:
    directory = tmp_path_factory.mktemp("log")
    index = 0
    written: list[Record | int] = []
    for number, entry in enumerate(entries):
        if number in holes:
            index += holes[number]
            written.append(holes[number])
        logs.append(directory, index, [entry])
        written.append(entry)
        index += 1
    times, levels = stamps_of(written)

    whole = line_stamps.by_number(directory, 1, 10_000)
    assert (list(whole.times), whole.levels, whole.total) == (times, levels, len(times))

    first, count = window
    part = line_stamps.by_number(directory, first + 1, count)
    assert (list(part.times), part.levels) == (times[first : first + count], levels[first : first + count])


def test_as_many_records_as_lines_are_not_always_the_same(tmp_path: Path) -> None:
    """Two lines in one record, and one line in two of them."""
    logs.append(
        tmp_path,
        0,
        [
            record("a\nb", "debug", second=1),
            record("lo", "target", second=2, partial=True),
            record("gin", "target", second=3),
        ],
    )

    part = line_stamps.by_number(tmp_path, 1, 10)

    assert (part.times, part.levels) == ([MS + 1000, MS + 1000, MS + 2000], "ddt")


def test_lines_are_found_by_their_bytes_and_widened_to_whole_ones(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, [record("one"), record("two", "debug"), record("three")])

    part = line_stamps.by_bytes(tmp_path, 5, 9)

    assert (part.first, part.start, part.end, part.total, part.levels) == (2, 4, 14, 3, "dt")


def test_lines_of_many_blocks_of_the_index_have_their_times(tmp_path: Path) -> None:
    entries = [record(f"line {number}", second=number) for number in range(5000)]
    logs.append(tmp_path, 0, entries)
    logs.append(tmp_path, 5000, [record("two\nlines", "error", second=5000)])

    part = line_stamps.by_number(tmp_path, 1001, 10_000)

    assert part.times == [MS + 1000 * number for number in [*range(1000, 5001), 5000]]
    assert part.levels == "t" * 4000 + "ee"


def test_no_answer_has_more_lines_or_more_bytes_than_the_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_stamps, "MOST_LINES", 4)
    logs.append(tmp_path, 0, [record("x" * 9) for _ in range(6)])

    assert line_stamps.by_bytes(tmp_path, 0).end == 40
    assert line_stamps.by_bytes(tmp_path, 0, max_bytes=25).end == 20
    assert line_stamps.by_bytes(tmp_path, 20, max_bytes=5).end == 30


@pytest.mark.parametrize("start", [6, 7, 10**15])
def test_behind_the_end_are_no_lines(tmp_path: Path, start: int) -> None:
    logs.append(tmp_path, 0, [record("hello")])

    part = line_stamps.by_bytes(tmp_path, start)

    assert (part.first, part.start, part.end, part.times, part.levels) == (2, 6, 6, [], "")
