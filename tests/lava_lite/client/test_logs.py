"""`lava-lite log search`, and the parts of a log by line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lava_lite.client.conftest import FakeServer, LavaLite, Reply

JOBS = "/api/v1/jobs/"
HIT = {"line": 880, "start": 9000, "end": 9005, "text": "Kernel panic"}
JOB = {"id": 12, "number": "12", "state": "Finished", "attempt": 1, "outcome": "fail"}


def found(*hits: dict[str, Any], **more: Any) -> Reply:
    body = {"hits": hits, "first": 1, "total": len(hits), "more": False, "total_is_more": False}
    return Reply(body=body | more)


def place(start: int, end: int) -> Reply:
    return Reply(body={"first": 1, "start": start, "end": end})


def tail(content: str, new_size: int) -> Reply:
    body = {"content": content, "new_size": new_size, "is_finished": False}
    return Reply(body=body, headers={"Log-Attempt": "1"})


@pytest.fixture(autouse=True)
def _job(fake: FakeServer) -> None:
    fake.on("GET", f"{JOBS}12/", Reply(body=JOB))


def test_a_search_prints_the_lines_with_their_numbers(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", "/job/12/log-search?q=panic&limit=50", found(HIT))

    done = lava_lite("log", "search", "12", "panic")

    assert (done.code, done.out, done.err) == (0, "880\tKernel panic\n", "")


def test_a_search_by_an_expression_in_an_attempt_says_when_there_is_more(
    lava_lite: LavaLite, fake: FakeServer
) -> None:
    path = "/job/12/log-search?q=pa.ic&regex=1&case=1&limit=1&attempt=2"
    fake.on("GET", path, found(HIT, more=True, total=100000, total_is_more=True))

    done = lava_lite("log", "search", "12", "-E", "--case", "--limit", "1", "--attempt", "2", "pa.ic")

    assert (done.code, done.err) == (0, "1 of 100000 or more lines; --limit shows more.\n")


def test_a_search_without_a_hit_fails_as_grep_does(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", "/job/12/log-search?q=panic&limit=50", found())

    assert (lava_lite("log", "search", "12", "panic").code) == 1
    assert json.loads(lava_lite("log", "search", "12", "panic", "--json").out) == []


def test_a_pattern_that_makes_no_sense_is_told(lava_lite: LavaLite, fake: FakeServer) -> None:
    error = "q: expected a regular expression, got '('"
    fake.on("GET", "/job/12/log-search?q=%28&regex=1&limit=50", Reply(body={"error": error}, status=400))

    done = lava_lite("log", "search", "12", "-E", "(")

    assert (done.code, done.err) == (2, f"lava-lite: {error}\n")


def test_lines_of_a_log_are_printed_to_the_byte(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", "/job/12/log-lines?line=3&count=1", place(20, 30))
    fake.on("GET", "/job/12/log-lines?line=5&count=1", place(40, 47))
    fake.on("GET", "/job/12/log-tail?start=20&end=47", tail("three\nfour\n", 31))
    fake.on("GET", "/job/12/log-tail?start=31&attempt=1&end=47", tail("\x1b[0mfive\n", 47))

    done = lava_lite("job", "log", "12", "--from-line", "3", "--to-line", "5")

    assert (done.code, done.out) == (0, "three\nfour\n\x1b[0mfive\n")


def test_nothing_is_printed_of_lines_in_the_wrong_order(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", "/job/12/log-lines?line=5&count=1", place(40, 47))
    fake.on("GET", "/job/12/log-lines?line=3&count=1", place(20, 30))

    assert lava_lite("job", "log", "12", "--from-line", "5", "--to-line", "3").out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from-line", "0"], "lines are counted from 1"),
        (["--from-line", "2", "--start", "5"], "expected either --start or --from-line"),
        (["--to-line", "2", "--follow"], "expected either --follow or --to-line"),
    ],
)
def test_what_cannot_be_meant_is_told(words: list[str], said: str, lava_lite: LavaLite) -> None:
    done = lava_lite("job", "log", "12", *words)

    assert done.code == 2
    assert said in done.err
