"""The audit finds what is wrong, wherever it is."""

from __future__ import annotations

import pytest

from tests.chaos import audit
from tests.chaos.audit import Entry
from tests.chaos.listeners import Heard

IDS = {number: f"{number:032x}" for number in range(1, 6)}
TABLE = [Entry(number, id, "job.started") for number, id in IDS.items()]


def hear(*numbers: int) -> list[Heard]:
    return [Heard(number, IDS.get(number, "f" * 32)) for number in numbers]


def test_whoever_heard_everything_once_and_in_order_has_no_faults() -> None:
    assert audit.exactly_once(TABLE, hear(1, 2, 3, 4, 5)) == []


@pytest.mark.parametrize(
    ("numbers", "fault"),
    [
        ((1, 2, 4, 5), "1 never heard: 3"),
        ((), "5 never heard: 1, 2, 3, 4, 5"),
        ((1, 2, 2, 3, 4, 5), "1 heard twice: 2"),
        ((1, 3, 2, 4, 5), "1 out of order: 2"),
        ((1, 2, 3, 4, 5, 6), "1 heard and not there: 6"),
    ],
)
def test_whatever_is_not_exactly_once_and_in_order_is_found(numbers: tuple[int, ...], fault: str) -> None:
    assert audit.exactly_once(TABLE, hear(*numbers)) == [fault]


def test_what_comes_again_is_no_fault_where_at_least_once_is_promised() -> None:
    assert audit.at_least_once(TABLE, hear(1, 2, 3, 2, 3, 4, 5)) == []


def test_another_id_is_a_fault_and_the_beginning_of_the_id_is_none() -> None:
    short = [Heard(event.sequence, event.id[: audit.DIGITS]) for event in hear(1, 2, 3, 4, 5)]
    wrong = [*hear(1, 2, 3, 4), Heard(5, IDS[4])]

    assert audit.exactly_once(TABLE, short) == []
    assert audit.at_least_once(TABLE, wrong) == ["1 with another id: 5"]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("line 1\nline 2\nline 3\n", []),
        ("line 1\nline 3\n", ["1 missing: 2"]),
        ("line 1\nline 2\nline 2\nline 3\n", ["1 there twice: 2"]),
        ("line 1\nline 2\n", ["2 lines of 3, or not in order"]),
        ("line 2\nline 1\nline 3\n", ["3 lines of 3, or not in order"]),
    ],
)
def test_a_log_that_is_not_whole_is_found(text: str, faults: list[str]) -> None:
    assert audit.whole_log(text, 3) == faults
