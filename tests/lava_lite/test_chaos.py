"""A lab whose processes are killed at random, and an audit of what is left of its jobs."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jobs.states import MOVES
from tests.lab import SUPERVISOR, Lab, eventually, stat

KILLS = 100  # of each of the two runs
LINES = 120
AT_WORK = 4  # jobs that are always wanted, for three devices
LONGEST_PAUSE = 0.9  # seconds between two kills
TO_COME_TO_REST = 90.0
OF_MOVES = {event for move in MOVES for event in move.events}
TARGETS = {"worker": 35, "runner": 20, "web": 20, "engine": 15, SUPERVISOR: 10}

# A child that leaves its session and outlives its parent, and lines and results that can be counted.
DEFINITION = f"""
job_name: counted
device_type: local
visibility: public
timeouts: {{job: {{minutes: 5}}, action: {{minutes: 4}}}}
actions:
- test:
    definitions:
    - from: inline
      name: counted
      path: inline/counted.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: counted}}
        run:
          steps:
          - (setsid sleep 1000 &)
          - |
            set +x
            for i in $(seq {LINES}); do
              echo "line $i"
              [ $((i % 10)) = 0 ] && lava-test-case "case-$i" --result pass --measurement "$i" --units lines
              sleep 0.02
            done
"""


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [20261122, 20110724])
def test_after_a_hundred_kills_every_job_has_ended_with_the_truth(lab: Lab, seed: int) -> None:
    chance = random.Random(seed)
    killed = dict.fromkeys(TARGETS, 0)

    for _ in range(KILLS):
        _keep_busy(lab)
        time.sleep(chance.uniform(0.0, LONGEST_PAUSE))
        killed[_kill_one(lab, chance)] += 1
    at_rest = eventually(lambda: not _unfinished(lab), TO_COME_TO_REST)

    assert at_rest, f"jobs {_unfinished(lab)} do not end after {killed}:\n{lab.errors.read_text()[-4000:]}"
    assert sum(killed.values()) == KILLS
    for job in _rows(lab, "SELECT * FROM jobs_job WHERE description = 'counted'"):
        _audit_job(lab, job)
    _audit_events(lab)
    assert not _rows(lab, "SELECT name FROM devices_device WHERE state != 0")
    assert eventually(lambda: not _left_behind(lab)), f"left behind: {_left_behind(lab)}"


def _keep_busy(lab: Lab) -> None:
    body = json.dumps({"definition": DEFINITION}).encode()
    for _ in range(AT_WORK - len(_unfinished(lab))):
        with suppress(OSError):  # the web role may have been killed just now
            lab.request("POST", "/api/v0.2/jobs/", body, "application/json")


def _kill_one(lab: Lab, chance: random.Random) -> str:
    """Kill a process of the lab, and return which kind it was."""
    while True:
        target = chance.choices(list(TARGETS), weights=list(TARGETS.values()))[0]
        if target == "runner":
            if not (runners := _runners(lab)):
                continue
            with suppress(ProcessLookupError):
                os.kill(chance.choice(runners), signal.SIGKILL)
                return target
            continue
        lab.kill(target)
        if target == SUPERVISOR:
            assert lab.process is not None
            assert lab.process.stdout is not None
            lab.process.stdout.close()
            lab.start()
        return target


def _audit_job(lab: Lab, job: dict[str, Any]) -> None:
    """Its log has every line once and in order, and every result that the log tells of once."""
    log = _log(lab, job)
    lines = [int(number) for number in re.findall(r"^line (\d+)$", log, re.MULTILINE)]
    told = re.findall(r"^<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=(case-\d+) ", log, re.MULTILINE)
    stored = _rows(
        lab,
        "SELECT c.name, c.measurement FROM jobs_testcase c JOIN jobs_attempt a ON a.id = c.attempt_id"
        f" WHERE a.job_id = {job['id']} AND c.name LIKE 'case-%' ORDER BY c.id",
    )

    assert lines == list(range(1, len(lines) + 1)), f"job {job['id']}: {log[-2000:]}"
    assert [case["name"] for case in stored] in (told, told[:-1]), f"job {job['id']}: {log[-2000:]}"
    assert len({case["name"] for case in stored}) == len(stored)
    assert all(case["name"] == f"case-{case['measurement']:g}" for case in stored)
    if job["health"] == 1:
        assert len(lines) == LINES, f"job {job['id']}: {log[-2000:]}"
        assert len(stored) == LINES // 10
    else:
        assert job["failure_comment"], f"job {job['id']} does not say why it failed"


def _audit_events(lab: Lab) -> None:
    """Numbered without a hole, per job too, and each job's story is whole."""
    events = _rows(lab, "SELECT sequence, type, job_id, job_sequence FROM events_event ORDER BY sequence")
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    stories: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        if event["job_id"] is not None:
            stories.setdefault(event["job_id"], []).append(event)
    for job_id, story in stories.items():
        types = [event["type"].removeprefix("job.") for event in story if event["type"] in OF_MOVES]
        assert [event["job_sequence"] for event in story] == list(range(1, len(story) + 1))
        assert types[:2] == ["submitted", "scheduled"], f"job {job_id}: {types}"
        assert types[2:] in (["started", "completed"], ["started", "failed"], ["start_failed"]), (
            f"job {job_id}: {types}"
        )


def _unfinished(lab: Lab) -> list[int]:
    return [row["id"] for row in _rows(lab, "SELECT id FROM jobs_job WHERE state != 5")]


def _rows(lab: Lab, query: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(lab.data / "lava_lite.sqlite3", timeout=20)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(query)]
    finally:
        connection.close()


def _log(lab: Lab, job: dict[str, Any]) -> str:
    status, text = lab.get(f"/job/{job['id']}/log")
    assert status == 200
    return text.decode()


def _runners(lab: Lab) -> list[int]:
    """Without what a runner has forked just now, which shows the runner's command until it is a shell."""
    found = [pid for pid, command in _processes_of(lab) if "workers.builtin.runner" in command]
    return [pid for pid in found if not any(int(parent) in found for parent in stat(pid)[1:2])]


def _left_behind(lab: Lab) -> list[str]:
    """What runs below the lab's data directory and is none of its roles."""
    roles = set(lab.pids().values())
    return [f"{pid} {command}" for pid, command in _processes_of(lab) if pid not in roles]


def _processes_of(lab: Lab) -> list[tuple[int, str]]:
    """The runners and the jobs' processes, by what they have the data directory in."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            works_in = os.readlink(directory / "cwd")
            if str(lab.data) in command or works_in.startswith(str(lab.data)):
                found.append((int(directory.name), command))
    return found
