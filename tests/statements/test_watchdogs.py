"""A worker that is stopped in the middle of a job, and comes back: the queue goes on, and no board ever has two jobs."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.lab import Lab, eventually
from tests.statements.visitors import JSON, TO_END, has_ended, has_printed, job, processes_of, rows, submit

TO_PING = 40.0  # seconds; a worker asks every 20 s

pytestmark = pytest.mark.lab

BOARD = "local-01"
NO_GRACE = "1"  # second


@pytest.fixture
def impatient_lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab with one board, which waits but a second for a worker that fell silent."""
    lab = Lab(tmp_path, LOST_JOB_GRACE=NO_GRACE)
    lab.start()
    try:
        others = {"devices": ["local-02", "local-03"], "health": "Maintenance", "reason": "one board"}
        assert lab.request("POST", "/api/v1/devices/health/", json.dumps(others).encode(), JSON)[0] == 200
        yield lab
    finally:
        lab.stop()


@contextmanager
def stopped_worker(lab: Lab) -> Iterator[None]:
    """The worker's process does nothing; its runners and what they have started go on."""
    worker = lab.pids()["worker"]
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def make_silent(lab: Lab) -> None:
    """As if the last word of the worker were minutes old."""
    with closing(sqlite3.connect(lab.data / "lava_lite.sqlite3", timeout=20)) as connection, connection:
        connection.execute("UPDATE devices_worker SET last_ping = '2026-01-01 00:00:00'")


def events_of(lab: Lab, number: int) -> list[str]:
    """What was told of the job itself, and not of its steps."""
    found = rows(lab, f"SELECT type FROM events_event WHERE job_id = {number} ORDER BY id")
    types = [event["type"] for event in found if event["type"] != "job.progress"]
    return [type.removeprefix("job.") for type in types if type.startswith("job.")]


def closed_since(lab: Lab) -> str | None:
    found: str | None = json.loads(lab.get(f"/api/v1/devices/{BOARD}/")[1])["closed_since"]
    return found


def test_a_worker_that_comes_back_too_late_never_has_two_jobs_on_a_board(
    impatient_lab: Lab, tmp_path: Path
) -> None:
    lab, beats, begun = impatient_lab, tmp_path / "beats", tmp_path / "begun"
    first = submit(lab, "beating", "echo begun", f"while :; do date +%s.%N >> {beats}; sleep 0.05; done")
    assert has_printed(lab, first, "begun")

    with stopped_worker(lab):
        make_silent(lab)
        assert has_ended(lab, first)
        second = submit(lab, "next", f"date +%s.%N > {begun}")
        still_beats = beats.stat().st_size
        assert eventually(lambda: beats.stat().st_size > still_beats)
        assert closed_since(lab) is not None
        assert job(lab, second)["state"] == "Submitted"

    assert has_ended(lab, second, TO_END)
    ended = job(lab, first)
    assert (ended["health"], job(lab, second)["health"]) == ("Incomplete", "Complete")
    assert "fell silent, and has not come back for 1 s (LOST_JOB_GRACE)" in ended["failure_comment"]
    assert events_of(lab, first) == ["submitted", "scheduled", "started", "lost", "failed"]
    assert float(beats.read_text().split()[-1]) < float(begun.read_text())
    assert closed_since(lab) is None
    assert eventually(lambda: not processes_of(lab)), processes_of(lab)


def test_a_worker_that_comes_back_in_time_ends_its_job_as_if_nothing_had_happened(lab: Lab) -> None:
    number = submit(lab, "waiting", "echo begun", "while [ ! -e go ]; do sleep 0.05; done")
    assert has_printed(lab, number, "begun")

    with stopped_worker(lab):
        make_silent(lab)
        assert eventually(lambda: "lost" in events_of(lab, number))
    assert eventually(lambda: "found" in events_of(lab, number), TO_PING)
    (home,) = lab.data.glob(f"worker/**/{number}*/home")
    (home / "go").touch()

    assert has_ended(lab, number)
    assert job(lab, number)["health"] == "Complete"
    assert events_of(lab, number) == ["submitted", "scheduled", "started", "lost", "found", "completed"]
