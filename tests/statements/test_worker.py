"""The built-in worker of a running lab: how soon it begins and ends, and what is left when something of it is killed."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import median
from xmlrpc.client import ServerProxy

import pytest

from tests.lab import SUPERVISOR, Lab, eventually
from tests.statements.visitors import (
    TO_END,
    Person,
    has_ended,
    has_printed,
    job,
    log,
    processes_of,
    rows,
    submit,
    times_of,
)

pytestmark = pytest.mark.lab

Way = Callable[[Lab, Person, int], None]

RUNS = 8
LINES = 60
PER_RESULT = 10
# A child that leaves its session, and lines and results that can be counted.
COUNTED = (
    "(setsid sleep 1000 &)",
    f"set +x; for i in $(seq {LINES}); do echo line $i; [ $((i % {PER_RESULT})) = 0 ] &&"
    " lava-test-case case-$i --result pass --measurement $i; sleep 0.02; done",
)


def by_page(lab: Lab, person: Person, number: int) -> None:
    assert person.send(f"/job/{number}/", f"/job/{number}/cancel/")[0] == 200


def by_rest(lab: Lab, person: Person, number: int) -> None:
    assert lab.request("POST", f"/api/v0.2/jobs/{number}/cancel/")[0] == 200


def by_xmlrpc(lab: Lab, person: Person, number: int) -> None:
    address = lab.url.replace("://", f"://admin:{lab.token}@")
    with ServerProxy(f"{address}/RPC2") as server:
        assert server.scheduler.jobs.cancel(number) is True


def by_admin_site(lab: Lab, person: Person, number: int) -> None:
    page = "/admin/jobs/job/"
    assert person.send(page, page, action="cancel", _selected_action=number, confirmed="yes")[0] == 200


@pytest.mark.parametrize("cancel", [by_page, by_rest, by_xmlrpc, by_admin_site])
def test_a_running_job_is_canceled_at_once_with_everything_that_it_started(
    lab: Lab, administrator: Person, cancel: Way
) -> None:
    number = submit(lab, "endless", "(setsid sleep 1000 &)", "echo begun", "sleep 1000")
    assert has_printed(lab, number, "begun")

    cancel(lab, administrator, number)

    # A worker that was not woken would ask after up to 20 seconds.
    assert has_ended(lab, number, 5.0)
    assert job(lab, number)["health"] == "Canceled"
    assert eventually(lambda: not processes_of(lab)), processes_of(lab)


def test_a_waiting_job_is_canceled_without_a_worker(lab: Lab) -> None:
    busy = [submit(lab, "busy", "echo begun", "sleep 1000") for _ in range(3)]
    assert all(has_printed(lab, number, "begun") for number in busy)
    number = submit(lab, "waiting", "true")

    by_rest(lab, Person(lab), number)

    ended = job(lab, number)
    assert (ended["state"], ended["health"], ended["actual_device"]) == ("Finished", "Canceled", None)
    for other in busy:
        by_rest(lab, Person(lab), other)
    assert all(has_ended(lab, other) for other in busy)


def test_a_job_starts_and_its_device_is_free_within_the_second(lab: Lab) -> None:
    began, freed = [], []
    for _ in range(RUNS):
        number = submit(lab, "short", "echo over at $(date +%s.%N)")
        assert has_ended(lab, number)
        times = times_of(lab, number)
        over = re.search(r"^over at ([\d.]+)$", log(lab, number), re.MULTILINE)
        assert over is not None
        began.append(times["job.started"] - times["job.scheduled"])
        freed.append(times["free"] - float(over[1]))

    assert median(began) < 1.0, began
    assert median(freed) < 2.0, freed


@pytest.mark.parametrize("victim", ["worker", "web", "engine", SUPERVISOR])
def test_killed_in_mid_job_it_comes_back_and_the_job_is_complete(lab: Lab, victim: str) -> None:
    number = submit(lab, "counted", *COUNTED)
    assert has_printed(lab, number, "line 20")

    lab.kill(victim)
    if victim == SUPERVISOR:
        lab.restart()

    assert has_ended(lab, number, TO_END), lab.errors.read_text()[-2000:]
    assert job(lab, number)["health"] == "Complete"
    assert lines_of(lab, number) == list(range(1, LINES + 1))
    assert results_of(lab, number) == list(range(PER_RESULT, LINES + 1, PER_RESULT))
    assert eventually(lambda: not processes_of(lab)), processes_of(lab)


def test_a_runner_killed_in_mid_job_ends_it_with_the_truth(lab: Lab) -> None:
    number = submit(lab, "counted", *COUNTED)
    assert has_printed(lab, number, "line 20")

    kill_runner(lab, number)

    assert has_ended(lab, number)
    ended = job(lab, number)
    lines = lines_of(lab, number)
    assert (ended["health"], ended["failure_comment"]) == (
        "Incomplete",
        "The runner of this job was killed; what the job did after that is not known.",
    )
    assert lines == list(range(1, len(lines) + 1))
    assert len(lines) >= 20
    signals = r"^<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=case-(\d+) "
    told = [int(case) for case in re.findall(signals, log(lab, number), re.MULTILINE)]
    # Between the line that tells of a result and the result itself there may have been the kill.
    assert results_of(lab, number) in (told, told[:-1])
    assert device_health(lab, ended["actual_device"]) == "Unknown"
    assert eventually(lambda: not processes_of(lab)), processes_of(lab)


def test_a_job_that_failed_through_the_labs_fault_is_tried_again_also_when_the_lab_is_killed_meanwhile(
    lab: Lab, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    retry = {"attempts": 2, "delay": {"seconds": 2}}
    steps = (f"if mkdir {began}; then echo first; sleep 60; fi", "echo second")
    number = submit(lab, "tried again", *steps, lava_lite={"retry": retry})
    assert has_printed(lab, number, "first")

    kill_runner(lab, number)
    assert eventually(lambda: attempts_of(lab, number) == [(1, "fail", "Infrastructure")])
    lab.kill("engine")

    assert has_ended(lab, number)
    assert job(lab, number)["health"] == "Complete"
    assert attempts_of(lab, number) == [(1, "fail", "Infrastructure"), (2, "pass", "")]
    assert "first\n" in log(lab, number, attempt=1)
    assert "second\n" not in log(lab, number, attempt=1)
    assert "second\n" in log(lab, number)
    assert "first\n" not in log(lab, number)
    assert eventually(lambda: not processes_of(lab)), processes_of(lab)


def test_a_job_whose_test_asks_to_be_put_off_runs_again_when_the_time_has_come(
    lab: Lab, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    step = f"if mkdir {began}; then lava-lite-defer 1 the server is down; fi"

    number = submit(lab, "put off", step, "lava-test-case up --result pass")

    assert has_ended(lab, number)
    assert job(lab, number)["health"] == "Complete"
    assert [attempt for attempt, _, _ in attempts_of(lab, number)] == [1, 2]
    assert "the%20server%20is%20down" in log(lab, number, attempt=1)
    query = f"SELECT json_extract(data, '$.not_before') AS at FROM events_event WHERE job_id = {number}"
    (again,) = rows(lab, f"{query} AND type = 'job.deferred'")
    assert times_of(lab, number)["job.scheduled"] >= datetime.fromisoformat(again["at"]).timestamp()


def attempts_of(lab: Lab, number: int) -> list[tuple[int, str | None, str]]:
    """Of those that have begun: number, result and error."""
    items = json.loads(lab.get(f"/api/v1/jobs/{number}/attempts/")[1])["items"]
    return [(item["number"], item["result"], item["error_type"]) for item in items]


def kill_runner(lab: Lab, number: int) -> None:
    running = [(pid, command.split()) for pid, command in processes_of(lab).items()]
    (runner,) = [
        pid
        for pid, words in running
        if "workers.builtin.runner" in words and any(word.endswith(f"/{number}") for word in words)
    ]
    os.kill(runner, signal.SIGKILL)


def lines_of(lab: Lab, number: int) -> list[int]:
    return [int(line) for line in re.findall(r"^line (\d+)$", log(lab, number), re.MULTILINE)]


def results_of(lab: Lab, number: int) -> list[int]:
    """The measurements of a job's cases, in the order in which they were stored."""
    cases = rows(
        lab,
        "SELECT c.measurement FROM jobs_testcase c JOIN jobs_attempt a ON a.id = c.attempt_id"
        f" WHERE a.job_id = {number} AND c.name LIKE 'case-%' ORDER BY c.id",
    )
    return [int(case["measurement"]) for case in cases]


def device_health(lab: Lab, name: str) -> str:
    health: str = json.loads(lab.get(f"/api/v0.2/devices/{name}/")[1])["health"]
    return health
