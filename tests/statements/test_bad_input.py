"""Whatever is wrong with what somebody sends: they are told what, where and what would be right; nothing changes."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import Lab
from tests.statements.visitors import JSON, Person, definition, has_ended, rows

pytestmark = pytest.mark.lab

GOOD = definition("good", "true")
SUBMIT = "/api/v0.2/jobs/"


FAULTS = [
    pytest.param("actions: [", ["not valid YAML: ", "line 2"], id="malformed YAML"),
    pytest.param(
        GOOD.replace("device_type: local\n", ""),
        ["device_type: ", "is required", "for example `device_type: local`", "line 1"],
        id="no device type",
    ),
    pytest.param(
        GOOD.replace("device_type: local", "device_type: loca1"),
        ["device_type: ", "there is no device type 'loca1' here", "there is local", "line 2"],
        id="unknown device type",
    ),
    pytest.param(
        f"{GOOD}jobname: wrong\n",
        ["jobname: ", "unknown key", 'did you mean "job_name"?', "line "],
        id="unknown top-level key",
    ),
    pytest.param(
        definition("wrong", actions=[{"deploy": {"to": "tmpfs", "images": {}}}]),
        ["actions[0].deploy: ", "runs commands on this machine", "nothing to deploy", "line "],
        id="deploy on a local device",
    ),
    pytest.param(
        definition("wrong", actions=[{"boot": {"method": "qemu"}}]),
        ["actions[0].boot: ", "runs commands on this machine", "nothing to boot", "line "],
        id="boot on a local device",
    ),
]


@pytest.fixture(autouse=True)
def nothing_changes(lab: Lab) -> Iterator[None]:
    """As often as it is looked: no job, no event and no result more or less."""
    assert has_ended(lab, 1)
    before = state_of(lab)
    yield
    assert state_of(lab) == before


def state_of(lab: Lab) -> list[dict[str, Any]]:
    # The built-in worker asks for work meanwhile, which notes when it was seen and nothing else; and that the queue is
    # empty again is told within a second.
    return rows(
        lab,
        "SELECT (SELECT count(*) FROM jobs_job) AS jobs, (SELECT count(*) FROM jobs_testcase) AS results,"
        " (SELECT count(*) FROM events_event WHERE type <> 'queue.summary') AS events",
    )


@pytest.mark.parametrize(("text", "words"), FAULTS)
def test_a_wrong_definition_is_explained_to_programs_in_lava_s_shape(
    lab: Lab, text: str, words: list[str]
) -> None:
    status, answer = lab.request("POST", SUBMIT, json.dumps({"definition": text}).encode(), JSON)

    told = json.loads(answer)
    assert (status, list(told)) == (400, ["message"])
    assert [word for word in words if word not in told["message"]] == []


@pytest.mark.parametrize(("text", "words"), FAULTS)
def test_a_wrong_definition_is_explained_to_people_on_a_page_that_keeps_it(
    lab: Lab, administrator: Person, text: str, words: list[str]
) -> None:
    status, page = administrator.send("/submit/", "/submit/", definition=text)

    shown = html.unescape(page).replace("</code>: ", ": ").lower()
    assert status == 400
    assert [word for word in words if word.lower() not in shown] == []
    assert text.strip() in html.unescape(page)


def test_a_wrong_token_is_refused_for_writing_and_for_reading(lab: Lab) -> None:
    body = json.dumps({"definition": GOOD}).encode()

    written = lab.request("POST", SUBMIT, body, JSON, token="wrong")
    read = lab.get(f"{SUBMIT}1/", token="wrong")
    tail = lab.get("/job/1/log-tail", token="wrong")

    # LAVA answers 403 or 401 by the version of its framework; its clients read `detail`.
    assert [status for status, _ in (written, read)] in ([401, 401], [403, 403])
    assert [json.loads(answer) for _, answer in (written, read)] == [{"detail": "Invalid token."}] * 2
    assert tail[0] == 401
    assert json.loads(tail[1]) == {"error": "This token is unknown, expired or revoked."}


@pytest.mark.parametrize("start", ["x", "-1", "1.5", ""])
def test_a_wrong_start_is_told_what_would_be_right(lab: Lab, start: str) -> None:
    status, answer = lab.get(f"/job/1/log-tail?start={start}")

    assert status == 400
    assert json.loads(answer) == {"error": f"start: expected a whole number, 0 or more, got {start!r}"}


def test_an_unknown_job_is_not_found_by_programs_and_people(lab: Lab) -> None:
    rest = lab.get(f"{SUBMIT}4711/")
    canceled = lab.request("POST", f"{SUBMIT}4711/cancel/")
    tail = lab.get("/job/4711/log-tail")
    page = lab.get("/job/4711/")

    assert [status for status, _ in (rest, canceled, tail, page)] == [404] * 4
    assert list(json.loads(rest[1])) == list(json.loads(canceled[1])) == ["detail"]
    assert json.loads(tail[1]) == {"error": "There is no job 4711, or it is hidden from you."}
    assert b"<h1>" in page[1]


def test_a_body_that_is_too_large_is_refused_with_the_limit(lab: Lab) -> None:
    by_program = lab.request("POST", SUBMIT, b" " * 11 * 1024 * 1024, JSON)
    by_person = lab.request("POST", "/submit/", b" " * 11 * 1024 * 1024, "application/x-www-form-urlencoded")
    text = f"{GOOD}# {'x' * 1_000_000}\n"
    definition_alone = lab.request("POST", SUBMIT, json.dumps({"definition": text}).encode(), JSON)

    assert [status for status, _ in (by_program, by_person, definition_alone)] == [413, 413, 400]
    assert "10485760 bytes are the most" in json.loads(by_program[1])["detail"]
    assert b"10485760 bytes are the most" in by_person[1]
    assert "1000000" in json.loads(definition_alone[1])["message"].replace(",", "")


def test_the_body_of_an_action_is_open_to_keys_that_only_a_worker_knows(lab: Lab) -> None:
    text = GOOD.replace("- test:\n", "- test:\n    a_key_of_tomorrow: {anything: [goes]}\n")
    assert text != GOOD
    body = json.dumps({"definition": text}).encode()

    status, answer = lab.request("POST", f"{SUBMIT}validate/", body, JSON)

    assert (status, json.loads(answer)) == (200, {"message": "Job valid."})
