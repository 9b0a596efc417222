"""Jobs that Debian's unmodified `lava-worker` runs in a real guest, for a whole lab."""

from __future__ import annotations

import json

import pytest

from tests.lab import SUPERVISOR
from tests.lava_worker import guest
from tests.lava_worker.ring import COUNTED, NOWHERE, Ring, counted, counting, shell
from tests.statements.visitors import log, rows, times_of

pytestmark = [pytest.mark.lava_worker, pytest.mark.timeout(240)]


def test_a_job_that_is_canceled_in_mid_boot_ends_at_once_and_the_one_beside_it_goes_on(ring: Ring) -> None:
    actions = [guest.deploy(ring.initramfs), guest.boot("never printed"), shell("true")]
    hanging, beside = ring.submit("hanging", actions=actions), ring.submit("beside", shell("true"))
    assert ring.has_printed(hanging, "Linux version")
    assert ring.has_printed(beside, "Linux version")

    status, _ = ring.lab.request("POST", f"/api/v0.2/jobs/{hanging}/cancel/")

    assert status == 200
    canceled, other = ring.ended(hanging), ring.ended(beside)
    assert (canceled["health"], other["health"]) == ("Canceled", "Complete")
    assert canceled["actual_device"] != other["actual_device"]
    assert other["start_time"] < canceled["end_time"]
    assert "free" in times_of(ring.lab, hanging)


def test_a_job_that_cannot_be_run_ends_as_incomplete_and_says_why(ring: Ring) -> None:
    number = ring.submit_broken("broken")

    assert ring.ended(number)["health"] == "Incomplete"
    last = ring.results(number)[-1]
    assert (last["name"], last["result"]) == ("job", "fail")
    assert NOWHERE in log(ring.lab, number)


def test_a_job_boots_tests_and_ends_as_complete(ring: Ring, whole: int) -> None:
    assert ring.ended(whole)["health"] == "Complete"
    text = log(ring.lab, whole)
    assert guest.BOOTED in text
    assert "äöü ✓ and" in text


def test_its_results_have_sets_measurements_references_and_lines(ring: Ring, whole: int) -> None:
    ring.ended(whole)
    found = {result["name"]: result for result in ring.results(whole)}

    assert {name: found[name]["result"] for name in ("measured", "wrong", "left-out", "in-set", "seen")} == {
        "measured": "pass",
        "wrong": "fail",
        "left-out": "skip",
        "in-set": "pass",
        "seen": "pass",
    }
    assert (float(found["measured"]["measurement"]), found["measured"]["unit"]) == (12.5, "ms")
    assert found["in-set"]["test_set"] is not None
    assert found["measured"]["test_set"] is None
    assert "http://example.invalid/x" in found["seen"]["metadata"]
    first, last = found["wrong"]["start_log_line"], found["wrong"]["end_log_line"]
    assert first < last


def test_a_line_number_of_a_result_is_that_of_its_line_in_the_log(ring: Ring, whole: int) -> None:
    ring.ended(whole)
    (wrong,) = [result for result in ring.results(whole) if result["name"] == "wrong"]
    _, text = ring.lab.get(f"/api/v0.2/jobs/{whole}/logs/", token="")
    lines = text.decode().splitlines()

    assert "Received signal: <STARTTC> wrong" in lines[wrong["start_log_line"]]
    assert "Received signal: <ENDTC> wrong" in lines[wrong["end_log_line"]]


def test_what_its_test_says_is_an_event(ring: Ring, whole: int) -> None:
    ring.ended(whole)

    said = rows(ring.lab, f"SELECT data FROM events_event WHERE type = 'custom.flashed' AND job_id = {whole}")
    assert [json.loads(row["data"])["message"] for row in said] == ["flashed: 3 boards"]


def test_the_actions_that_it_ran_are_steps_and_its_description_is_kept(ring: Ring, whole: int) -> None:
    ring.ended(whole)
    (stored,) = rows(ring.lab, f"SELECT id, pipeline FROM jobs_attempt WHERE job_id = {whole}")
    steps = rows(ring.lab, f"SELECT level, name, state FROM jobs_step WHERE attempt_id = {stored['id']}")

    top = {step["level"]: step["name"] for step in steps if "." not in step["level"]}
    assert top == {
        "0": "validate",
        "1": "deployimages",
        "2": "boot-image-retry",
        "3": "lava-test-retry",
        "4": "finalize",
    }
    assert {step["state"] for step in steps} == {"pass"}
    assert "deployimages" in stored["pipeline"]


def test_a_job_outlives_the_worker_that_was_killed_and_started_again(ring: Ring) -> None:
    number = ring.submit("outlives its worker", counting())
    assert ring.has_printed(number, "counted 5\n")

    ring.worker.kill()
    assert ring.has_printed(number, "counted 25\n")
    ring.worker.start()

    assert ring.ended(number)["health"] == "Complete"
    assert counted(log(ring.lab, number)) == list(range(1, COUNTED + 1))


def test_a_job_outlives_the_server_that_was_killed_and_started_again(ring: Ring) -> None:
    number = ring.submit("outlives its server", counting())
    assert ring.has_printed(number, "counted 5\n")

    ring.lab.kill(SUPERVISOR)
    ring.lab.stop()
    ring.lab.start()

    assert ring.ended(number)["health"] == "Complete"
    assert counted(log(ring.lab, number)) == list(range(1, COUNTED + 1))


def test_a_job_whose_run_is_killed_ends_as_incomplete_for_the_lab_s_reason(ring: Ring) -> None:
    number = ring.submit("run is killed", counting())
    assert ring.has_printed(number, "counted 1\n")

    ring.worker.kill_runs()

    ended = ring.ended(number)
    assert (ended["health"], ended["state"]) == ("Incomplete", "Finished")
