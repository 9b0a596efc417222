"""Groups of jobs at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lava_lite.client import follow
from lava_lite.client.follow import Follower
from tests.lava_lite.client.conftest import FakeServer, LavaLite, Reply, job, members, problem, tail
from tests.lava_lite.client.test_follow import RUNNING, Clock, Source, Viewer, piece

JOBS = "/api/v1/jobs/"
ADDRESSES = "14.0\thttp://lab/job/14/\n14.1\thttp://lab/job/15/\n"


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    path = tmp_path / "boot.yaml"
    path.write_bytes(b"job_name: Boot them\n")
    return path


def test_the_numbers_and_addresses_of_all_jobs_of_a_group_are_told(
    lava_lite: LavaLite, fake: FakeServer, definition: Path
) -> None:
    first, _ = members("server", "client", state="Submitted", outcome=None)
    fake.on("POST", JOBS, Reply(body=first, status=201))

    done = lava_lite("job", "submit", str(definition))

    assert (done.code, done.out, done.err) == (0, ADDRESSES, "")


def test_a_group_that_is_run_again_is_told_as_a_new_one(lava_lite: LavaLite, fake: FakeServer) -> None:
    first, _ = members("server", "client")
    fake.on("POST", f"{JOBS}12.1/resubmit/", Reply(body=first, status=201))

    assert lava_lite("job", "resubmit", "12.1").out == ADDRESSES


def test_the_lines_of_all_jobs_are_shown_with_their_numbers(
    lava_lite: LavaLite, fake: FakeServer, definition: Path
) -> None:
    first, second = members("server", "client")
    fake.on("POST", JOBS, Reply(body=first, status=201))
    fake.on("GET", f"{JOBS}14/", first)
    fake.on("GET", f"{JOBS}15/", {**second, "outcome": "fail", "reason": "no answer"})
    fake.on("GET", "/job/14/log-tail?start=0", tail("up\nwai", 6))
    fake.on("GET", "/job/14/log-tail?start=6&attempt=1", tail("ting\ndone", 15, is_finished=True))
    fake.on("GET", "/job/15/log-tail?start=0", tail("hello\n", 6, is_finished=True))

    done = lava_lite("job", "run", str(definition))

    assert done.out == "14.0 | up\n14.1 | hello\n14.0 | waiting\n14.0 | done\n"
    assert done.code == 1
    assert done.err.splitlines() == [
        "Job 14.0: http://lab/job/14/",
        "Job 14.1: http://lab/job/15/",
        "Job 14.0: pass",
        "Job 14.1: fail: no answer",
    ]


def test_a_group_that_is_run_is_a_list_in_json(
    lava_lite: LavaLite, fake: FakeServer, definition: Path
) -> None:
    first, second = members("server", "client")
    fake.on("POST", JOBS, Reply(body=first, status=201))
    fake.on("GET", f"{JOBS}14/", first)
    fake.on("GET", f"{JOBS}15/", second)

    assert lava_lite("job", "run", "--json", str(definition)).json == [first, second]


def test_whoever_follows_a_group_no_longer_is_told_that_it_goes_on(
    lava_lite: LavaLite, fake: FakeServer, definition: Path
) -> None:
    first, second = members("server", "client", state="Running", outcome=None)
    fake.on("POST", JOBS, Reply(body=first, status=201))
    for each in (first, second):
        fake.on("GET", f"{JOBS}{each['id']}/", each)
        for query in ("start=0", "start=0&attempt=1"):
            fake.on("GET", f"/job/{each['id']}/log-tail?{query}", tail("", 0))

    done = lava_lite("job", "run", "--timeout", "0.3", str(definition))

    assert done.code == 124
    assert "Jobs 14.0, 14.1 go on. Cancel them with: lava-lite job cancel 14.0" in done.err


@pytest.mark.parametrize("verb", ["cancel", "pin", "hurry"])
def test_a_job_is_named_by_its_number_in_the_group(lava_lite: LavaLite, fake: FakeServer, verb: str) -> None:
    _, second = members("server", "client", pinned=True, not_before=None)
    fake.on("POST", f"{JOBS}14.1/{verb}/", second)

    done = lava_lite("job", verb, "14.1")

    assert done.code == 0
    assert done.out.startswith("14.1\t")


def test_a_job_is_shown_with_its_role_and_group(lava_lite: LavaLite, fake: FakeServer) -> None:
    first, _ = members("server", "client")
    fake.on("GET", f"{JOBS}14.0/", first)

    lines = lava_lite("job", "show", "14.0").out.splitlines()

    assert {"job\t14.0", "role\tserver, essential", "group\t14.0 server, 14.1 client"} <= set(lines)


def test_the_log_of_one_job_of_a_group_is_printed_to_the_byte(lava_lite: LavaLite, fake: FakeServer) -> None:
    _, second = members("server", "client")
    fake.on("GET", f"{JOBS}14.1/", second)
    fake.on("GET", "/job/15/log-tail?start=0", tail("one", 3, is_finished=True))
    fake.on("GET", "/job/15/log-tail?start=3&attempt=1", tail("", 3, is_finished=True))

    assert lava_lite("job", "log", "14.1").out == "one"


def test_the_definition_of_the_whole_group_is_asked_for(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{JOBS}14.1/definition/?whole=true", Reply(body=b"job_name: both\n"))

    assert lava_lite("job", "definition", "--whole", "14.1").out == "job_name: both\n"


def test_a_list_has_the_numbers_and_can_be_that_of_a_group(lava_lite: LavaLite, fake: FakeServer) -> None:
    first, second = members("server", "client")
    fake.on("GET", f"{JOBS}?group=14&limit=50", {"items": [second, first], "next": None})

    lines = lava_lite("job", "list", "--group", "14").out.splitlines()

    assert [line.partition("\t")[0] for line in lines] == ["14.1", "14.0"]


def test_a_group_that_is_hidden_is_told_in_one_line(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", f"{JOBS}14.1/cancel/", problem(404, "There is nothing here", "There is no job 14.1"))

    done = lava_lite("job", "cancel", "14.1")

    assert (done.code, done.err) == (5, "lava-lite: There is nothing here: There is no job 14.1\n")


# Several at once, with a clock and servers made of plain values.


def test_each_log_is_asked_in_its_turn_and_none_after_its_end() -> None:
    clock, viewer = Clock(), Viewer()
    short = Source(pieces=[piece("a", 1, end=True)], jobs=[job(14)])
    long = Source(pieces=[piece("", 0), piece("b", 1), piece("", 1, end=True)], jobs=[RUNNING, job(15)])

    ended = follow.follow([Follower(each, viewer, clock.timer()) for each in (short, long)], clock.timer())

    assert [row["id"] for row in ended] == [14, 15]
    assert viewer.text == b"ab"
    assert (len(short.asked), len(long.asked)) == (1, 3)


def test_nothing_new_of_any_is_waited_for_together() -> None:
    clock, viewer = Clock(), Viewer()
    sources = [Source(pieces=[piece("", 0), piece("", 0, end=True)], jobs=[RUNNING, job(12)]) for _ in "ab"]

    follow.follow([Follower(each, viewer, clock.timer()) for each in sources], clock.timer())

    assert clock.slept == [0.25]
