"""Jobs that Debian's unmodified `lava-worker` runs in a real guest, for a whole lab."""

from __future__ import annotations

import json
import re

import pytest

from tests.lab import SUPERVISOR
from tests.lava_worker import guest
from tests.lava_worker.conftest import Begun
from tests.lava_worker.ring import NOWHERE, Ring, shell
from tests.statements.visitors import log, rows, times_of

pytestmark = [pytest.mark.lava_worker, pytest.mark.timeout(240)]

COUNTED = 60


def counting() -> dict[str, object]:
    """Prints numbered lines, for about ten seconds."""
    return shell(f"set +x; for i in $(seq {COUNTED}); do echo counted $i; sleep 0.15; done", name="counting")


def counted(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^counted (\d+)$", text, re.MULTILINE)]


def test_a_job_that_is_canceled_in_mid_boot_ends_as_canceled_and_its_device_is_free(
    ring: Ring, begun: Begun
) -> None:
    assert ring.has_printed(begun.hanging, "Linux version")
    status, _ = ring.lab.request("POST", f"/api/v0.2/jobs/{begun.hanging}/cancel/")
    assert status == 200

    assert ring.ended(begun.hanging)["health"] == "Canceled"
    assert "free" in times_of(ring.lab, begun.hanging)


def test_two_jobs_run_at_once(ring: Ring, begun: Begun) -> None:
    whole, hanging = (ring.ended(number) for number in (begun.whole, begun.hanging))

    assert whole["start_time"] < hanging["end_time"]
    assert hanging["start_time"] < whole["end_time"]
    assert whole["actual_device"] != hanging["actual_device"]


def test_a_job_that_cannot_be_run_ends_as_incomplete_and_says_why(ring: Ring, begun: Begun) -> None:
    ended = ring.ended(begun.broken)

    assert (ended["health"], ended["state"]) == ("Incomplete", "Finished")
    last = ring.results(begun.broken)[-1]
    assert (last["name"], last["result"]) == ("job", "fail")
    assert NOWHERE in log(ring.lab, begun.broken)


def test_a_job_boots_tests_and_ends_as_complete(ring: Ring, begun: Begun) -> None:
    assert ring.ended(begun.whole)["health"] == "Complete"
    text = log(ring.lab, begun.whole)
    assert guest.BOOTED in text
    assert "äöü ✓ and" in text


def test_its_results_have_sets_measurements_references_and_lines(ring: Ring, begun: Begun) -> None:
    ring.ended(begun.whole)
    found = {result["name"]: result for result in ring.results(begun.whole)}

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


def test_a_line_number_of_a_result_is_that_of_its_line_in_the_log(ring: Ring, begun: Begun) -> None:
    ring.ended(begun.whole)
    (wrong,) = [result for result in ring.results(begun.whole) if result["name"] == "wrong"]
    _, text = ring.lab.get(f"/api/v0.2/jobs/{begun.whole}/logs/", token="")
    lines = text.decode().splitlines()

    assert "Received signal: <STARTTC> wrong" in lines[wrong["start_log_line"]]
    assert "Received signal: <ENDTC> wrong" in lines[wrong["end_log_line"]]


def test_what_its_test_says_is_an_event(ring: Ring, begun: Begun) -> None:
    ring.ended(begun.whole)

    said = rows(
        ring.lab, f"SELECT data FROM events_event WHERE type = 'custom.flashed' AND job_id = {begun.whole}"
    )
    assert [json.loads(row["data"])["message"] for row in said] == ["flashed: 3 boards"]


def test_the_actions_that_it_ran_are_steps_and_its_description_is_kept(ring: Ring, begun: Begun) -> None:
    ring.ended(begun.whole)
    (stored,) = rows(ring.lab, f"SELECT id, pipeline FROM jobs_attempt WHERE job_id = {begun.whole}")
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
