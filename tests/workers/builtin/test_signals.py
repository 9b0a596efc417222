from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.builtin.signals import Deferral, Signal, find, measurement


def test_signals_are_found_anywhere_in_a_line() -> None:
    line = "no newline<LAVA_SIGNAL_ENDTC a b><LAVA_SIGNAL_TESTSET STOP>rest<LAVA_SIGNAL_X>"

    assert list(find(line)) == [Signal("ENDTC", "a b"), Signal("TESTSET", "STOP"), Signal("X", "")]


@pytest.mark.parametrize(
    "line", ["", "<LAVA_SIGNAL_ENDTC a", "LAVA_SIGNAL_ENDTC a>", "<LAVA_SIGNAL_endtc a>", "<lava>"]
)
def test_other_lines_hold_none(line: str) -> None:
    assert list(find(line)) == []


def test_escaped_characters_are_given_back_in_words_and_fields() -> None:
    signal = Signal("TESTCASE", "TEST_CASE_ID=two%20words RESULT=pass")

    assert signal.fields == {"TEST_CASE_ID": "two words", "RESULT": "pass"}
    assert Signal("STARTTC", "a%3Eb c").words == ("a>b", "c")


def test_a_deferral_is_seconds_and_a_reason() -> None:
    (signal,) = find("<LAVA_SIGNAL_DEFER 600 the%20server is down>")

    assert signal.deferral == Deferral(600, "the server is down")


@pytest.mark.parametrize(
    "line",
    [
        "<LAVA_SIGNAL_DEFER>",
        "<LAVA_SIGNAL_DEFER soon>",
        "<LAVA_SIGNAL_DEFER -5 x>",
        "<LAVA_SIGNAL_DEFER 1234567890 x>",
        "<LAVA_SIGNAL_TESTCASE 600 x>",
    ],
)
def test_other_signals_are_no_deferral(line: str) -> None:
    (signal,) = find(line)

    assert signal.deferral is None


@given(st.text())
def test_no_line_is_an_error(text: str) -> None:
    for signal in find(f"<LAVA_SIGNAL_TESTCASE {text}>"):
        assert isinstance(signal.fields, dict)


@pytest.mark.parametrize(
    ("text", "value"),
    [("12.5", 12.5), ("-1e3", -1000.0), ("", None), ("nan", None), ("inf", None), ("1,5", None)],
)
def test_a_measurement_is_a_finite_number(text: str, value: float | None) -> None:
    assert measurement(text) == value
