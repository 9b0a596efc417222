from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lava_lite.client import shapes
from lava_lite.client.errors import Usage


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (None, ""),
        (0, "0 s"),
        (0.9, "0 s"),
        (-5, "0 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (86400 * 400 + 5, "400 d"),
    ],
)
def test_a_duration_is_its_two_largest_units(seconds: float | None, says: str) -> None:
    assert shapes.duration(seconds) == says


@pytest.mark.parametrize(
    ("value", "says"), [(None, ""), (True, "yes"), (["a", "b"], "a,b"), (0, "0"), ("4.50", "4.50")]
)
def test_a_value_for_a_program_is_as_the_api_has_it(value: Any, says: str) -> None:
    assert shapes.plain(value) == says


def test_a_time_is_shown_as_its_age() -> None:
    time = datetime.now(UTC) - timedelta(hours=2, minutes=5, seconds=30)

    assert shapes.age(time.isoformat()) == "2 h 5 min"
    assert shapes.ago(time.isoformat()).endswith("(2 h 5 min ago)")
    assert shapes.age(None) == ""


def test_a_time_to_come_is_shown_as_one() -> None:
    time = datetime.now(UTC) + timedelta(days=3, minutes=1)

    assert shapes.ago(time.isoformat()).endswith("(in 3 d)")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5 min", 300), ("2h", 7200), ("1w", 604800)])
def test_an_age_is_a_time_for_the_api(text: str, seconds: int) -> None:
    time = datetime.fromisoformat(shapes.point_in_time(text))

    assert abs((datetime.now(UTC) - time).total_seconds() - seconds) < 60


def test_a_time_stays_as_it_was_written() -> None:
    assert shapes.point_in_time("2026-01-31") == "2026-01-31"


@pytest.mark.parametrize("text", ["yesterday", "", "5", "-1h", "2026-13-01"])
def test_what_is_no_time_is_told_with_what_would_be(text: str) -> None:
    with pytest.raises(Usage, match="expected one like"):
        shapes.point_in_time(text)


def test_the_words_of_others_move_nothing_on_a_terminal() -> None:
    assert shapes.clean("a\x1b[2J\r\nb\u202ec\x9b1m") == "a [2J  b c 1m"


def test_a_wide_character_takes_two_places() -> None:
    assert shapes.cells("日本") == 4
    assert shapes.cells("e\u0301") == 1
    assert shapes.cut("日本語", 4) == "日…"


def test_a_row_is_aligned_and_cut_at_the_end_of_the_line() -> None:
    rows = [["12", "pass", "日本 and more"], ["1", "running", "x"]]
    widths = shapes.columns_of_text(rows)

    lines = ["".join(shapes.fit(row, widths, 18)).rstrip() for row in rows]

    assert lines == ["12  pass     日本…", "1   running  x"]
