"""`lava-lite events`: what happens, through every cut, and waiting for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lava_lite.client import follow, stream
from tests.lava_lite.client.conftest import FakeServer, LavaLite, Reply, job, problem

EVENTS = "/api/v1/events/"
JOB = "/api/v1/jobs/12/"
UUID = str(job(12)["uuid"])
FILTER = f"filter=job.%23+job%3D{UUID}"
NO_MORE = problem(401, "Who asks is not known", "This token is unknown, expired or revoked.")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(follow, "FIRST_RETRY", 0.01)


def event(sequence: int, type: str = "job.started", **data: Any) -> dict[str, Any]:
    return {
        "type": f"lava_lite.{type}",
        "time": "2026-11-22T06:10:40.154866+00:00",
        "sequence": f"{sequence:019}",
        "subject": "12",
        "data": {"state": "Running", "previous_state": "Scheduled", "job": 12, "device": "qemu01"} | data,
    }


def streamed(*messages: dict[str, Any], place: int = 0) -> Reply:
    """A stream that is cut after these; `place` is told first."""
    text = f"retry: 2000\n: ping\nid: {place}\n\n"
    for each in messages:
        kind = each.get("type", "lava_lite.reset").removeprefix("lava_lite.")
        number = f"id: {int(each['sequence'])}\n" if "sequence" in each else ""
        text += f"{number}event: {kind}\ndata: {json.dumps(each)}\n\n"
    return Reply(body=text.encode(), headers={"Content-Type": "text/event-stream"})


def test_each_event_is_a_line_and_a_cut_loses_none(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", EVENTS, streamed(event(7), event(8), place=6))
    fake.on("GET", f"{EVENTS}?since=8", streamed(event(9, "job.completed", state="Finished"), place=8))
    fake.on("GET", f"{EVENTS}?since=9", NO_MORE)

    done = lava_lite("events", "tail")

    assert [line.split("\t")[1:4] for line in done.out.splitlines()] == [
        ["7", "job.started", "12"],
        ["8", "job.started", "12"],
        ["9", "job.completed", "12"],
    ]
    assert done.out.splitlines()[0].endswith("\tScheduled → Running, on qemu01")
    assert done.code == 5
    assert {asked.headers["accept"] for asked in fake.asked} == {"text/event-stream"}


def test_a_cut_before_the_first_event_loses_none_either(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", EVENTS, streamed(place=6))
    fake.on("GET", f"{EVENTS}?since=6", NO_MORE)

    assert lava_lite("events", "tail").code == 5


def test_a_message_that_was_cut_in_two_is_not_told_twice(lava_lite: LavaLite, fake: FakeServer) -> None:
    half = streamed(event(7)).bytes.rstrip(b"\n") + b"\n"
    fake.on("GET", f"{EVENTS}?since=6", Reply(body=half), streamed(event(7)))
    fake.on("GET", f"{EVENTS}?since=0", streamed(event(7)))
    fake.on("GET", f"{EVENTS}?since=7", NO_MORE)

    done = lava_lite("events", "tail", "--since", "6")

    assert len(done.out.splitlines()) == 1


def test_with_json_each_line_is_the_event(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", f"{EVENTS}?since=6&filter=job.%23+state%3Drunning", streamed(event(7), place=6))
    fake.on("GET", f"{EVENTS}?since=7&filter=job.%23+state%3Drunning", NO_MORE)

    done = lava_lite("events", "tail", "--since", "6", "--filter", "job.# state=running", "--json")

    assert json.loads(done.out) == event(7)


GONE = {"oldest_sequence": 40, "last_sequence": 50}


@pytest.mark.parametrize(
    ("since", "said", "onward"),
    [
        (6, problem(410, "Events cannot be told from there on", **GONE), 39),
        (6, streamed(GONE, place=6), 39),
        (900, problem(410, "Events cannot be told from there on", **GONE), 50),
    ],
    ids=["at first", "in mid-stream", "of another lab"],
)
def test_what_is_gone_is_said_and_it_goes_on_with_what_is_left(
    since: int, said: Reply, onward: int, lava_lite: LavaLite, fake: FakeServer
) -> None:
    fake.on("GET", f"{EVENTS}?since={since}", said)
    fake.on("GET", f"{EVENTS}?since={onward}", NO_MORE)

    done = lava_lite("events", "tail", "--since", str(since))

    assert f"The events after {since} are not all there any more: it goes on after {onward}." in done.err
    assert done.code == 5


def test_a_server_that_is_away_is_waited_for(
    lava_lite: LavaLite, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.on("GET", EVENTS, problem(503, "The database is busy"), streamed(event(7)))
    fake.on("GET", f"{EVENTS}?since=7", problem(502, "Bad gateway"))
    monkeypatch.setattr(stream, "PATIENCE", 0.05)

    done = lava_lite("events", "tail")

    assert (len(done.out.splitlines()), done.code) == (1, 6)
    assert "Trying again" in done.err


def test_a_filter_that_makes_no_sense_is_told(lava_lite: LavaLite, fake: FakeServer) -> None:
    errors = {"filter": ["there is no mood to choose by"]}
    fake.on("GET", f"{EVENTS}?filter=mood%3Dgood", problem(400, "A parameter is wrong", errors=errors))

    done = lava_lite("events", "tail", "--filter", "mood=good")

    assert done.code == 2
    assert "there is no mood" in done.err


# Waiting


@pytest.fixture
def last(fake: FakeServer) -> None:
    fake.on("GET", f"{EVENTS}?limit=1", {"events": [], "last_sequence": 6})


@pytest.mark.usefixtures("last")
def test_a_state_that_is_there_already_ends_the_waiting_at_once(
    lava_lite: LavaLite, fake: FakeServer
) -> None:
    fake.on("GET", JOB, job(12))

    done = lava_lite("events", "wait", "job", "12")

    assert (done.code, done.out) == (0, "12\tFinished\n")
    assert not any("since" in path for path in fake.paths("GET"))


@pytest.mark.usefixtures("last")
def test_a_state_that_was_there_for_a_moment_only_is_not_missed(
    lava_lite: LavaLite, fake: FakeServer
) -> None:
    fake.on("GET", JOB, job(12, state="Scheduled"), job(12))
    fake.on("GET", f"{EVENTS}?since=6&{FILTER}", streamed(event(7), event(8, state="Finished"), place=6))

    done = lava_lite("events", "wait", "job", "12", "--state", "running")

    assert (done.code, done.out) == (0, "12\tRunning\n")


@pytest.mark.usefixtures("last")
@pytest.mark.parametrize("ended", ["before", "meanwhile"])
def test_a_job_that_ends_without_it_has_an_exit_code_of_its_own(
    ended: str, lava_lite: LavaLite, fake: FakeServer
) -> None:
    fake.on("GET", JOB, job(12, state="Submitted" if ended == "meanwhile" else "Finished"), job(12))
    fake.on("GET", f"{EVENTS}?since=6&{FILTER}", streamed(event(8, state="Finished"), place=6))

    done = lava_lite("events", "wait", "job", "12", "--state", "Running,Canceling")

    assert (done.code, done.out) == (7, "12\tFinished\n")


@pytest.mark.usefixtures("last")
def test_waiting_has_an_end(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", JOB, job(12, state="Submitted"))
    fake.on("GET", f"{EVENTS}?since=6&{FILTER}", streamed(place=6))

    done = lava_lite("events", "wait", "job", "12", "--timeout", "0.2")

    assert (done.code, done.out) == (124, "")
    assert "0.2 s are over. Job 12 goes on." in done.err


@pytest.mark.usefixtures("last")
def test_a_job_that_is_not_there_cannot_be_waited_for(lava_lite: LavaLite, fake: FakeServer) -> None:
    assert lava_lite("events", "wait", "job", "12").code == 5


def test_a_state_that_does_not_exist_is_refused(lava_lite: LavaLite) -> None:
    done = lava_lite("events", "wait", "job", "12", "--state", "Done")

    assert done.code == 2
    assert "expected some of Submitted" in done.err
