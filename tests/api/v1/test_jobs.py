from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import Scope, Token
from devices.models import Right
from jobs import lifecycle
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.api.conftest import Login

JOBS = "/api/v1/jobs/"


def ids(client: APIClient, query: str = "") -> list[int]:
    return [job["id"] for job in client.get(f"{JOBS}?{query}").json()["items"]]


def scoped(user: User, scope: Scope) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {Token.objects.issue(user, scope=scope)}")
    return client


# Submitting.


@pytest.mark.parametrize("form", ["yaml", "json", "multipart"])
def test_a_definition_is_submitted_in_each_form(alice: User, login: Login, form: str) -> None:
    build.device()
    text = build.definition("grün")
    client = login(alice)

    if form == "yaml":
        answer = client.generic("POST", JOBS, text.encode(), content_type="application/yaml")
    elif form == "json":
        answer = client.post(JOBS, {"definition": text}, format="json")
    else:
        file = SimpleUploadedFile("job.yaml", text.encode())
        answer = client.post(JOBS, {"definition": file}, format="multipart")

    job = Job.objects.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"http://testserver{JOBS}{job.pk}/"
    assert answer.json() == client.get(answer["Location"]).json()
    assert (job.submitter, job.definition) == (alice, text)


def test_every_fault_of_a_definition_has_its_path_and_line(alice: User, login: Login) -> None:
    build.device()
    text = build.definition(priority="urgent", timeouts={"job": {"minutes": "soon"}})

    answer = login(alice).post(JOBS, {"definition": text})

    problem = answer.json()
    assert answer.status_code == 400
    assert problem["type"].endswith("#problem-invalid-definition")
    assert {fault["path"] for fault in problem["faults"]} == {"timeouts.job.minutes", "priority"}
    assert all(fault["message"] and fault["line"] for fault in problem["faults"])
    assert not Job.objects.exists()


def test_a_field_that_is_not_known_is_refused_and_not_passed_over(alice: User, login: Login) -> None:
    answer = login(alice).post(JOBS, {"defintion": "job_name: x"})

    assert answer.status_code == 400
    assert answer.json()["errors"] == {"defintion": ["expected one of definition"]}


def test_a_reading_token_submits_and_cancels_nothing(alice: User) -> None:
    job = build.job(submitter=alice)
    client = scoped(alice, Scope.READ)

    answers = [
        client.post(JOBS, {"definition": build.definition()}),
        client.post(f"{JOBS}{job.pk}/cancel/"),
        client.post(f"{JOBS}{job.pk}/resubmit/"),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert "this takes one for submit" in answers[0].json()["detail"]
    assert Job.objects.get().state == State.SUBMITTED


def test_validating_needs_no_token_and_changes_nothing(anyone: APIClient) -> None:
    build.device()

    good = anyone.post(f"{JOBS}validate/", {"definition": build.definition()})
    bad = anyone.generic("POST", f"{JOBS}validate/", b"job_name: 1", content_type="application/yaml")

    assert good.json() == {"valid": True, "faults": [], "warnings": []}
    assert (bad.status_code, bad.json()["valid"]) == (200, False)
    assert {"path", "message", "line"} == set(bad.json()["faults"][0])
    assert not Job.objects.exists()


# Showing.


def test_a_job_is_found_by_its_number_and_by_its_uuid(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    by_number = anyone.get(f"{JOBS}{job.pk}").json()
    by_uuid = anyone.get(f"{JOBS}{job.uuid}/").json()

    assert by_number["id"] == by_uuid["id"] == job.pk
    assert UUID(by_number["uuid"]) == job.uuid
    assert by_number["url"] == f"http://testserver/job/{job.pk}/"
    assert by_number["log"] == f"http://testserver/job/{job.pk}/log-tail"
    assert (by_number["device"], by_number["worker"]) == ("qemu01", "worker01")
    assert (by_number["state"], by_number["outcome"], by_number["end_time"]) == ("Running", None, None)


@pytest.mark.parametrize("key", ["4711", "a2b6f1de-0c5e-4a6f-9d0e-5d1c3b0f7a11"])
def test_a_job_that_is_not_there_and_one_that_is_hidden_are_answered_alike(
    alice: User, mallory: User, login: Login, key: str
) -> None:
    hidden = build.job(submitter=alice, visibility="personal")
    client = login(mallory)

    missing, refused = client.get(f"{JOBS}{key}/"), client.get(f"{JOBS}{hidden.pk}/")

    assert (missing.status_code, refused.status_code) == (404, 404)
    assert missing.json()["detail"].replace(key, "N") == refused.json()["detail"].replace(str(hidden.pk), "N")


def test_a_single_job_says_why_it_waits(alice: User, anyone: APIClient) -> None:
    build.job(submitter=alice, state=State.RUNNING)
    waiting = build.job(submitter=alice)

    shown = anyone.get(f"{JOBS}{waiting.pk}/").json()

    assert "1 busy" in shown["reason"]
    assert shown["queue"] == {"place": 1, "of": 1, "cause": "busy", "expected_wait": None}
    assert anyone.get(JOBS).json()["items"][0]["reason"] == ""


def test_a_failed_job_says_why(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, state=State.FINISHED, ending=build.BROKEN)

    shown = anyone.get(f"{JOBS}{job.pk}/").json()

    assert (shown["outcome"], shown["error_type"]) == ("infrastructure", "Infrastructure")
    assert shown["reason"] == "the power switch is gone"
    assert shown["submit_time"].endswith("Z")


def test_results_are_counted_without_what_the_dispatcher_tells_of_itself(
    alice: User, anyone: APIClient
) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    build.case(job, name="boot", result="pass")
    build.case(job, name="network", result="fail")
    build.case(job, name="auto-login", result="fail", suite="lava")

    shown = anyone.get(f"{JOBS}{job.pk}/").json()

    assert shown["results"] == {"pass": 1, "fail": 1, "skip": 0, "unknown": 0}
    assert shown["outcome"] == "fail"


def test_the_definition_is_given_as_it_was_submitted(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, name="grün")

    answer = anyone.get(f"{JOBS}{job.pk}/definition/")

    assert answer["Content-Type"] == "application/yaml; charset=utf-8"
    assert answer.content.decode() == job.definition


# Results.


def test_results_come_in_the_order_of_the_log(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    build.case(
        job, name="boot", result="pass", measurement=Decimal("12.50"), units="seconds", log_start=3, log_end=9
    )
    build.case(job, name="network", result="fail", test_set="late")

    boot, network = anyone.get(f"{JOBS}{job.pk}/results/").json()["items"]

    assert (boot["name"], boot["suite"], boot["set"], boot["result"]) == ("boot", "0_smoke", "", "pass")
    assert (boot["measurement"], boot["unit"], boot["start_line"], boot["end_line"]) == (
        "12.5",
        "seconds",
        3,
        9,
    )
    assert (network["set"], network["measurement"]) == ("late", None)


def test_results_are_narrowed_by_result_and_suite(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    build.case(job, name="boot", result="pass")
    build.case(job, name="network", result="fail")
    build.case(job, name="login", result="fail", suite="lava")

    def names(query: str) -> list[str]:
        items = anyone.get(f"{JOBS}{job.pk}/results/?{query}").json()["items"]
        return [item["name"] for item in items]

    assert names("result=fail") == ["network", "login"]
    assert names("result=fail,pass&suite=0_smoke") == ["boot", "network"]
    assert anyone.get(f"{JOBS}{job.pk}/results/?attempt=2").status_code == 404


# Lists.


def test_the_newest_job_comes_first_and_pages_lead_to_all(alice: User, anyone: APIClient) -> None:
    jobs = [build.job(submitter=alice).pk for _ in range(5)]

    first = anyone.get(f"{JOBS}?limit=2").json()
    second = anyone.get(first["next"]).json()
    third = anyone.get(second["next"]).json()
    back = anyone.get(third["previous"]).json()

    assert [job["id"] for page in (first, second, third) for job in page["items"]] == jobs[::-1]
    assert (first["previous"], third["next"]) == (None, None)
    assert [job["id"] for job in back["items"]] == [job["id"] for job in second["items"]]


def test_a_search_looks_through_a_part_of_the_jobs_at_a_time_and_leads_on(
    alice: User, anyone: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.v1.paging.LOOKED_THROUGH", 3)
    rare = build.job(submitter=alice, name="rare").pk
    for _ in range(7):
        build.job(submitter=alice)

    address: str | None = f"{JOBS}?q=rare"
    pages = []
    while address:
        page = anyone.get(address).json()
        pages.append([job["id"] for job in page["items"]])
        address = page["next"]

    assert pages == [[], [], [rare]]
    assert len(anyone.get(f"{JOBS}?state=Submitted").json()["items"]) == 8


def test_a_list_is_followed_upwards_from_a_job(alice: User, anyone: APIClient) -> None:
    first, second, third = [build.job(submitter=alice).pk for _ in range(3)]

    assert ids(anyone, f"after={first}") == [third, second]
    assert ids(anyone, f"after={first}&limit=1") == [second]
    assert ids(anyone, f"after={first}&before={third}") == [second]


def test_jobs_are_narrowed_by_what_they_are(alice: User, bob: User, anyone: APIClient) -> None:
    passed = build.job(submitter=alice, state=State.FINISHED).pk
    failed_tests = build.job(submitter=alice, state=State.FINISHED)
    build.case(failed_tests, name="network", result="fail")
    incomplete = build.job(submitter=alice, state=State.FINISHED, ending=build.FAILED).pk
    broken = build.job(submitter=bob, state=State.FINISHED, ending=build.BROKEN).pk
    build.device("rpi01", device_type="rpi", tags=("usb",))
    tagged = build.job(
        submitter=bob, device="rpi01", device_type="rpi", tags=["usb"], name="Boot Linux", state=State.RUNNING
    ).pk
    waiting = build.job(submitter=alice).pk

    assert ids(anyone, "state=Running,Submitted") == [waiting, tagged]
    assert ids(anyone, "state=running&state=submitted") == [waiting, tagged]
    assert ids(anyone, "health=Incomplete") == [broken, incomplete]
    assert ids(anyone, "outcome=pass") == [passed]
    assert ids(anyone, "outcome=fail") == [incomplete, failed_tests.pk]
    assert ids(anyone, "outcome=infrastructure,pass") == [broken, passed]
    assert ids(anyone, "submitter=bob") == [tagged, broken]
    assert ids(anyone, "device=rpi01") == ids(anyone, "device_type=rpi") == ids(anyone, "tag=usb") == [tagged]
    assert ids(anyone, "q=boot+linux") == [tagged]
    assert ids(anyone, "since=2999-01-01") == []
    assert len(ids(anyone, "until=2999-01-01T00:00:00Z")) == 6


@pytest.mark.parametrize(
    ("query", "name", "words"),
    [
        ("state=Foo", "state", "none of Submitted"),
        ("outcome=bad", "outcome", "expected one of pass, fail"),
        ("since=yesterday", "since", "2026-11-22T03:28:46Z"),
        ("limit=0", "limit", "expected 1 to 200"),
        ("limit=201", "limit", "expected 1 to 200"),
        ("before=x", "before", "whole number"),
        ("stat=Running", "stat", "expected one of after, before"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_with_what_would_be_right(
    anyone: APIClient, query: str, name: str, words: str
) -> None:
    answer = anyone.get(f"{JOBS}?{query}")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert words in answer.json()["errors"][name][0]


def test_all_parameters_that_are_wrong_are_named_at_once(anyone: APIClient) -> None:
    answer = anyone.get(f"{JOBS}?state=Foo&limit=x&nosuch=1")

    assert set(answer.json()["errors"]) == {"state", "limit", "nosuch"}


@pytest.mark.parametrize("who", ["anonymous", "alice", "bob"])
def test_a_list_takes_the_same_number_of_queries_however_long_it_is(
    group: Group, alice: User, bob: User, anyone: APIClient, login: Login, who: str
) -> None:
    build.right(group, "qemu", Right.CHANGE)
    client = {"anonymous": anyone, "alice": login(alice), "bob": login(bob)}[who]
    build.job(submitter=alice)
    client.get(JOBS)  # notes the use of the token
    with CaptureQueriesContext(connection) as few:
        client.get(JOBS)
    for _ in range(5):
        build.job(submitter=alice, state=State.FINISHED)

    with CaptureQueriesContext(connection) as many:
        assert len(client.get(JOBS).json()["items"]) == 6

    assert len(many) == len(few) <= 7


# Verbs.


def test_the_submitter_cancels_with_a_reason(alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    answer = login(alice).post(f"{JOBS}{job.uuid}/cancel/", {"reason": "wrong kernel"})

    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["reason"]) == ("Canceling", "wrong kernel")
    assert answer.json()["may_cancel"] is False


def test_a_job_is_canceled_without_a_body(alice: User, login: Login) -> None:
    job = build.job(submitter=alice)

    answer = login(alice).post(f"{JOBS}{job.pk}/cancel")

    assert (answer.status_code, answer.json()["outcome"]) == (200, "canceled")


def test_a_finished_job_that_is_canceled_stays_as_it_is(alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    answer = login(alice).post(f"{JOBS}{job.pk}/cancel/")

    assert (answer.status_code, answer.json()["health"]) == (200, "Complete")


def test_a_stranger_cancels_nothing_and_reads_why(alice: User, mallory: User, login: Login) -> None:
    job = build.job(submitter=alice)
    client = login(mallory)

    answer = client.post(f"{JOBS}{job.pk}/cancel/")

    assert answer.status_code == 403
    assert answer.json()["detail"] == f"Job {job.pk} is alice's; you may not cancel it."
    assert client.get(f"{JOBS}{job.pk}/").json()["may_cancel"] is False


def test_who_looks_after_the_device_may_cancel(group: Group, bob: User, login: Login) -> None:
    build.right(group, "qemu", Right.CHANGE)
    job = build.job(submitter=build.user("carol"), state=State.RUNNING)
    client = login(bob)

    assert client.get(JOBS).json()["items"][0]["may_cancel"] is True
    assert client.post(f"{JOBS}{job.pk}/cancel/").status_code == 200


def test_a_job_is_run_again_as_one_of_mine(alice: User, mallory: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    answer = login(mallory).post(f"{JOBS}{job.pk}/resubmit/")

    assert answer.status_code == 201
    assert answer["Location"].endswith(f"{JOBS}{answer.json()['id']}/")
    assert (answer.json()["submitter"], answer.json()["resubmitted_from"]) == ("mallory", job.pk)


def test_running_again_takes_no_fields(alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    answer = login(alice).post(f"{JOBS}{job.pk}/resubmit/", {"priority": 100})

    assert answer.json()["errors"] == {"priority": ["this takes no fields"]}


# Steps.


def test_steps_come_in_the_order_in_which_they_began(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    build.log(
        job, "hello", "start: 1 deploy", "start: 1.1 load", "end: 1.1 load", "end: 1 deploy", "start: 2 boot"
    )

    deploy, load, boot = anyone.get(f"{JOBS}{job.pk}/steps/").json()["items"]

    assert (deploy["level"], deploy["name"], deploy["state"], deploy["duration"]) == (
        "1",
        "deploy",
        "pass",
        3.0,
    )
    assert (deploy["offset"], deploy["start_line"], deploy["end_line"]) == (6, 1, 4)
    assert load["parent"] == deploy["index"]
    assert (boot["state"], boot["end_time"], boot["end_line"]) == ("running", None, None)


def test_steps_are_narrowed_by_state_and_attempt(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    build.log(job, "start: 1 deploy", "end: 1 deploy", "start: 2 boot")

    assert [step["level"] for step in anyone.get(f"{JOBS}{job.pk}/steps/?state=running").json()["items"]] == [
        "2"
    ]
    assert anyone.get(f"{JOBS}{job.pk}/steps/?attempt=2").status_code == 404
    assert anyone.get(f"{JOBS}{job.pk}/steps/?state=asleep").status_code == 400


def test_a_job_names_the_step_in_which_it_went_wrong(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    build.log(job, "start: 1 deploy", "end: 1 deploy")
    build.log(job, {"definition": "lava", "case": "deploy", "level": "1", "result": "fail"})
    assert anyone.get(f"{JOBS}{job.pk}/").json()["culprit"] is None

    lifecycle.finish(job.pk, build.FAILED, worker="worker01")

    assert anyone.get(f"{JOBS}{job.pk}/").json()["culprit"]["name"] == "deploy"


# Questions to a person.


def test_a_job_that_waits_for_a_person_says_what_for_and_takes_the_answer(alice: User, login: Login) -> None:
    hers, job = login(alice), build.job(submitter=alice, state=State.RUNNING)
    build.question(job)
    assert [wait["text"] for wait in hers.get(f"{JOBS}{job.pk}/").json()["waits"]] == ["Press reset"]

    answer = hers.post(f"{JOBS}{job.pk}/answer/", {"answer": "failed", "comment": "no button"}, format="json")

    assert (answer.status_code, answer.json()["waits"]) == (200, [])
    (wait,) = hers.get(f"{JOBS}{job.pk}/waits/").json()["items"]
    assert (wait["answer"], wait["answered_by"], wait["comment"]) == ("failed", "alice", "no button")


def test_a_job_that_waits_for_nobody_takes_no_answer(alice: User, login: Login) -> None:
    hers, job = login(alice), build.job(submitter=alice, state=State.RUNNING)

    assert hers.post(f"{JOBS}{job.pk}/answer/", {"answer": "done"}, format="json").status_code == 409
    assert hers.post(f"{JOBS}{job.pk}/answer/", {"answer": "maybe"}, format="json").status_code == 400


def test_a_job_says_how_far_it_is(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    assert anyone.get(f"{JOBS}{job.pk}/").json()["progress"] is None

    build.log(job, "Received signal: <PROGRESS> 40 Flashing", level="debug")

    assert anyone.get(f"{JOBS}{job.pk}/").json()["progress"] == {
        "percent": 40,
        "text": "Flashing",
        "level": "",
        "name": "",
    }
