from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.messages import BadMessage, JobFiles, JobRef, LogPost, Orders, StateChange

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_orders_look_like_lavas() -> None:
    orders = Orders(start=(JobRef(id=13, token="b"),), cancel=(JobRef(id=12, token="a"),))

    assert orders.to_json() == {
        "cancel": [{"id": 12, "token": "a"}],
        "running": [],
        "start": [{"id": 13, "token": "b"}],
    }


def test_orders_make_the_round_trip() -> None:
    orders = Orders(start=(JobRef(id=1, token="x"),), running=(JobRef(id=2, token="y"),))

    assert Orders.from_json(orders.to_json()) == orders


def test_a_missing_list_of_orders_is_an_empty_one() -> None:
    assert Orders.from_json({}) == Orders()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "orders: expected an object, got list"),
        (None, "orders: expected an object, got NoneType"),
        ({"start": {}}, "orders.start: expected a list, got dict"),
        ({"start": [1]}, "orders.start[0]: expected an object, got int"),
        (
            {"start": [{"id": 1, "token": ""}, {"token": "x"}]},
            "orders.start[1].id: expected a whole number, got None",
        ),
        ({"cancel": [{"id": True, "token": "x"}]}, "orders.cancel[0].id: expected a whole number, got True"),
        ({"running": [{"id": 1}]}, "orders.running[0].token: expected a text, got NoneType"),
    ],
)
def test_odd_orders_are_refused_with_the_place(value: Any, message: str) -> None:
    with pytest.raises(BadMessage) as raised:
        Orders.from_json(value)

    assert str(raised.value) == message


def test_job_files_use_lavas_keys() -> None:
    files = JobFiles(definition="a", device="b", dispatcher="c", env="d", env_dut="e")

    assert files.to_json() == {
        "definition": "a",
        "device": "b",
        "dispatcher": "c",
        "env": "d",
        "env-dut": "e",
    }
    assert JobFiles.from_json(files.to_json()) == files


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": None}, "job.device: expected a text, got NoneType"),
        ({"env-dut": {}}, "job.env-dut: expected a text, got dict"),
    ],
)
def test_odd_job_files_are_refused_with_the_place(change: dict[str, Any], message: str) -> None:
    value = JobFiles(definition="", device="").to_json() | change

    with pytest.raises(BadMessage, match=message):
        JobFiles.from_json(value)


@pytest.mark.parametrize(
    "text", ["a: [1,\n}", "a: 2026-99-99", "!!python/object:os.system {}", "a: !!int x", "? {}\n: 1"]
)
def test_what_lava_s_worker_could_not_load_is_no_job_file(text: str) -> None:
    with pytest.raises(BadMessage, match="not YAML that a worker can load"):
        JobFiles(definition="", device="", env_dut=text).check()


@given(index=st.integers(0, 10**9), lines=TEXT.filter(bool))
@example(index=0, lines='- {"msg": "100% a+b=c&d;\\u00e9"}\n- x\r\n\0é\U0001f600')
def test_a_log_post_makes_the_round_trip(index: int, lines: str) -> None:
    post = LogPost(index=index, lines=lines)

    assert LogPost.from_form(post.to_form()) == post


@given(index=st.integers(0, 10**9), lines=TEXT.filter(bool))
def test_a_log_post_is_read_as_other_clients_write_it(index: int, lines: str) -> None:
    body = urlencode({"lines": lines, "index": index}).encode()

    assert LogPost.from_form(body) == LogPost(index=index, lines=lines)


@given(st.text("%=ab0123cfF \t+\n\r_.~z", max_size=12))
def test_odd_escapes_are_read_as_the_standard_library_reads_them(text: str) -> None:
    post = LogPost.from_form(b"index=1&lines=x" + text.encode())

    assert post.lines == "x" + unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "replace")


def test_broken_characters_in_a_log_post_are_replaced() -> None:
    assert LogPost.from_form(b"index=1&lines=a%FFb\xfe").lines == "a�b�"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Missing 'lines'"),
        (b"index=1", "Missing 'lines'"),
        (b"index=1&lines=", "Missing 'lines'"),
        (b"lines=x", "Missing 'index'"),
        (b"lines=x&index=", "Missing 'index'"),
        (b"lines=x&index=-1", "Invalid 'index'"),
        (b"lines=x&index=1.5", "Invalid 'index'"),
        (b"lines=x&index=1_0", "Invalid 'index'"),
        (b"lines=x&index=+1", "Invalid 'index'"),
        (b"lines=x&index=" + b"9" * 5000, "Invalid 'index'"),
        (b"\xff&%%%=&&==", "Missing 'lines'"),
    ],
)
def test_an_odd_log_post_is_refused_in_lavas_words(body: bytes, message: str) -> None:
    with pytest.raises(BadMessage) as raised:
        LogPost.from_form(body)

    assert str(raised.value) == message


@given(st.binary(max_size=200))
def test_no_body_of_a_log_post_raises_anything_else(body: bytes) -> None:
    try:
        LogPost.from_form(b"index=1&" + body)
    except BadMessage:
        return


def test_a_running_job_is_reported_with_its_state_alone() -> None:
    assert StateChange(state="RUNNING").to_form() == b"state=RUNNING"
    assert StateChange.from_form(b"state=RUNNING") == StateChange(state="RUNNING")


@given(errors=TEXT, description=TEXT)
def test_a_finished_job_makes_the_round_trip(errors: str, description: str) -> None:
    change = StateChange(
        state="FINISHED", result="fail", error_type="Job", errors=errors, description=description
    )

    assert StateChange.from_form(change.to_form()) == change


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Invalid state ''"),
        (b"state=BOGUS", "Invalid state 'Bogus'"),
        (b"state=" + quote_plus("Größe").encode(), "Invalid state 'Größe'"),
        (b"state=CANCELING", "Invalid state 'Canceling': expected RUNNING or FINISHED"),
        (b"state=FINISHED", "Invalid result ''"),
        (b"state=FINISHED&result=maybe", "Invalid result 'maybe'"),
        (b"state=\xff", "Invalid form"),
    ],
)
def test_an_odd_state_change_is_refused_in_lavas_words(body: bytes, message: str) -> None:
    with pytest.raises(BadMessage) as raised:
        StateChange.from_form(body)

    assert str(raised.value).startswith(message)
