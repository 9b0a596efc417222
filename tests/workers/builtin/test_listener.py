from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.builtin.listener import is_for


def frame(topic: str = "org.lavasoftware.testjob", **event: object) -> str:
    return json.dumps([topic, "uuid", "time", "lavaserver", json.dumps(event)])


@pytest.mark.parametrize("state", ["Scheduled", "Canceling"])
def test_an_order_for_this_worker_wakes_it(state: str) -> None:
    assert is_for("w1", frame(worker="w1", state=state))


@pytest.mark.parametrize(
    "text",
    [
        frame(worker="w2", state="Scheduled"),
        frame(worker="w1", state="Running"),
        frame("org.lavasoftware.device", worker="w1", state="Scheduled"),
        frame(state="Scheduled"),
        "",
        "null",
        "[]",
        "[1, 2, 3, 4, 5]",
        '["x.testjob", "", "", "", {}]',
        '["x.testjob", "", "", "", "[]"]',
        "[" * 100_000,
    ],
)
def test_other_frames_do_not(text: str) -> None:
    assert not is_for("w1", text)


@given(
    st.text() | st.binary() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)
)
def test_no_frame_is_an_error(text: str | bytes) -> None:
    assert not is_for("w1", text)
