from __future__ import annotations

import pytest

from devices import dictionary
from workers.builtin.executors import EXECUTORS
from workers.builtin.executors.terminal import EndMark


def test_every_executor_that_a_dictionary_may_name_is_there() -> None:
    assert set(EXECUTORS) == set(dictionary.EXECUTORS)


@pytest.mark.parametrize("cut", range(1, 60))
def test_the_end_of_a_script_is_found_however_its_output_is_cut(cut: int) -> None:
    mark = EndMark()
    text = b"<end of line>" + mark.after(3) + b"later"

    first, early = mark.take(text[:cut])
    second, late = mark.take(text[cut:])

    assert first + second == b"<end of line>later"
    assert [code for code in (early, late) if code is not None] == [3]


def test_what_was_held_back_for_a_mark_is_not_lost() -> None:
    mark = EndMark()

    output, code = mark.take(b"text" + mark.beginning[:9])

    assert (output, code) == (b"text", None)
    assert mark.give_up() == mark.beginning[:9]
