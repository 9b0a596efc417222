from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import logs
from jobs.logs import format, lava_yaml
from tests.jobs.logs import support
from tests.jobs.logs.support import lines, record


def stream(directory: Path, start: int = 0, end: int | None = None, *, finished: bool = False) -> bytes:
    return b"".join(lava_yaml.stream(directory, start, end, finished=finished))


def messages(
    directory: Path, start: int = 0, end: int | None = None, *, finished: bool = False
) -> list[object]:
    return [
        each.message for each in logs.parse_lines(stream(directory, start, end, finished=finished).decode())
    ]


def by_libyaml(fields: dict[str, object]) -> bytes:
    """As LAVA's dispatcher writes a record."""
    return b"- " + yaml.dump(
        fields,
        Dumper=yaml.CSafeDumper,
        default_style='"',
        default_flow_style=True,
        width=10**6,
        encoding="utf-8",
    )


@pytest.mark.parametrize("batch", [1, 7, 100, 1000])
@pytest.mark.parametrize("name", support.golden_logs())
def test_a_real_log_comes_back_byte_by_byte(tmp_path: Path, name: str, batch: int) -> None:
    golden = support.golden_logs()[name]
    records = logs.parse_lines(golden.decode())

    for first in range(0, len(records), batch):
        logs.append(tmp_path, first, records[first : first + batch])

    assert stream(tmp_path) == golden


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.sampled_from([None, "é", "a"]),
)
def test_every_text_is_written_as_libyaml_writes_it(message: str, namespace: str | None) -> None:
    with TemporaryDirectory() as directory:
        logs.append(Path(directory), 0, [record(message, namespace=namespace)])
        written = stream(Path(directory))

    expected: dict[str, object] = {"dt": "2026-11-22T03:16:06", "lvl": "target", "msg": message}
    assert written == by_libyaml(expected | ({"ns": namespace} if namespace else {}))


@pytest.mark.parametrize(
    "message",
    [
        {"case": "a", "measurement": 12.5, "starttc": 571, "extra": {"b": None, "a": True}},
        {"é": ["\x1b", [], {}], "zero": -0.0, "big": 1e300},
        [1, "two", float("inf")],
        12,
        None,
        {"k" * 200: "a long key"},
        "x" * 100_000 + " y " * 1000,
    ],
)
def test_structures_are_written_as_libyaml_writes_them(tmp_path: Path, message: object) -> None:
    logs.append(tmp_path, 0, [record(message, "results")])

    assert stream(tmp_path) == by_libyaml({"dt": "2026-11-22T03:16:06", "lvl": "results", "msg": message})


def test_no_log_has_no_records(tmp_path: Path) -> None:
    assert stream(tmp_path) == b""


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 2, range(2)),
        (3, None, range(3, 5)),
        (2, 4, range(2, 4)),
        (5, None, range(0)),
        (4, 2, range(0)),
        (0, 99, range(5)),
    ],
)
def test_a_slice_has_the_records_of_these_numbers(
    tmp_path: Path, start: int, end: int | None, expected: range
) -> None:
    logs.append(tmp_path, 0, lines(5))

    assert messages(tmp_path, start, end) == [f"line {number}" for number in expected]


def test_a_slice_deep_in_a_long_log_is_found(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, lines(10_000))

    assert messages(tmp_path, 7_160, 7_180) == [f"line {number}" for number in range(7_160, 7_180)]


def test_a_line_without_an_end_is_shown_when_the_log_is_finished(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, [record("a"), record("log", partial=True), record("in: ", partial=True)])

    assert messages(tmp_path) == ["a"]
    assert messages(tmp_path, finished=True) == ["a", "login: "]


def test_a_line_in_pieces_has_the_time_of_the_first(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, [record("log", second=1, partial=True), record("in", second=9)])

    assert stream(tmp_path) == by_libyaml({"dt": "2026-11-22T03:16:07", "lvl": "target", "msg": "login"})


def test_a_line_in_more_pieces_than_a_block_has_is_one_record(tmp_path: Path) -> None:
    dots = [record(".", partial=True) for _ in range(3 * format.BLOCK)]
    logs.append(tmp_path, 0, [record("a"), *dots, record("ok"), record("b")])

    assert messages(tmp_path, 1) == ["." * len(dots) + "ok", "b"]
    assert logs.record_count(tmp_path) == 3


def test_a_newline_before_a_record_that_broke_a_line_is_not_its_text(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, [record("login: ", partial=True), record("\nx", "info"), record("y\n", "info")])

    assert messages(tmp_path) == ["login: ", "\nx", "y\n"]


def test_the_view_ends_where_the_text_was_cut_by_other_hands(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, lines(5))
    (tmp_path / "output.log").write_text("line 0\nline 1\nli")

    assert messages(tmp_path) == ["line 0", "line 1"]


def test_json_that_was_changed_by_other_hands_is_shown_as_text(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, [record({"a": 1}, "results")])
    (tmp_path / "output.log").write_text('{"a"+1}\n')

    assert messages(tmp_path) == ['{"a"+1}']


def test_records_that_arrive_meanwhile_do_not_disturb_a_view(tmp_path: Path) -> None:
    logs.append(tmp_path, 0, lines(3))
    view = lava_yaml.stream(tmp_path)
    first = next(view)

    logs.append(tmp_path, 3, lines(3, first=3))

    assert logs.parse_lines((first + b"".join(view)).decode()) == lines(3)


@settings(deadline=None)
@given(st.lists(support.records(), max_size=40), st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_any_slice_of_any_log_is_that_slice_of_the_whole(
    sent: list[logs.Record], start: int, end: int, finished: bool
) -> None:
    with TemporaryDirectory() as name, mock.patch.object(format, "BLOCK", 4):
        logs.append(Path(name), 0, sent)
        whole = list(lava_yaml.stream(Path(name), finished=finished))
        part = list(lava_yaml.stream(Path(name), start, end, finished=finished))

    assert part == whole[start:end]
