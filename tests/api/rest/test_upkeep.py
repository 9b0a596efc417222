"""What is changed of a job by hand, and many jobs at once."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from accounts.models import Scope, Token
from jobs.models import Job
from jobs.states import Health, State
from tests import build
from tests.api.conftest import Login

JOBS = "/api/v0.2/jobs/"


def test_an_administrator_changes_a_priority_and_says_why_a_job_failed(
    admin: User, alice: User, login: Login
) -> None:
    job = build.job(submitter=alice)

    answer = login(admin).patch(f"{JOBS}{job.pk}/", {"priority": 90, "failure_comment": "no power"})

    assert answer.status_code == 200
    assert (answer.json()["priority"], answer.json()["failure_comment"]) == (90, "no power")
    assert LogEntry.objects.get().get_change_message() == "Changed failure_comment, priority"


@pytest.mark.parametrize("fixed", ["state", "health", "definition", "submitter", "nosuch"])
def test_what_is_history_is_not_changed(admin: User, alice: User, login: Login, fixed: str) -> None:
    job = build.job(submitter=alice)

    answer = login(admin).patch(f"{JOBS}{job.pk}/", {fixed: "x", "priority": 90})

    assert answer.status_code == 400
    assert answer.json() == {fixed: ["only priority and failure_comment can be changed"]}
    job.refresh_from_db()
    assert job.priority == 50


@pytest.mark.parametrize("body", [{"priority": "high"}, {"priority": 101}, {"priority": -1}, [1], "x"])
def test_a_change_that_cannot_be_is_refused(admin: User, alice: User, login: Login, body: object) -> None:
    job = build.job(submitter=alice)

    assert login(admin).patch(f"{JOBS}{job.pk}/", body).status_code == 400


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_only_an_administrator_changes_or_deletes_a_job(alice: User, login: Login, method: str) -> None:
    job = build.job(submitter=alice)

    answer = getattr(login(alice), method)(f"{JOBS}{job.pk}/", {"priority": 90})

    assert answer.status_code == 403
    assert answer.json() == {"detail": "You do not have permission to perform this action."}


def test_a_job_is_not_replaced(admin: User, alice: User, login: Login) -> None:
    job = build.job(submitter=alice)

    answer = login(admin).put(f"{JOBS}{job.pk}/", {})

    assert (answer.status_code, answer.json()) == (405, {"detail": 'Method "PUT" not allowed.'})


@pytest.mark.django_db(transaction=True)
def test_a_deleted_job_is_gone_with_its_logs(admin: User, alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    job.log_directory().mkdir(parents=True)

    answer = login(admin).delete(f"{JOBS}{job.pk}/")

    assert answer.status_code == 204
    assert not Job.objects.exists()
    assert not job.log_directory().parent.exists()
    assert LogEntry.objects.get().object_id == str(job.pk)


def test_a_waiting_job_is_canceled_before_it_is_deleted(admin: User, alice: User, login: Login) -> None:
    job = build.job(submitter=alice)

    assert login(admin).delete(f"{JOBS}{job.pk}/").status_code == 204
    assert build.events_of(job)[-1] == "job.deleted"


def test_a_running_job_is_not_deleted(admin: User, alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    answer = login(admin).delete(f"{JOBS}{job.pk}/")

    assert answer.status_code == 409
    assert "Cancel it and wait for its end" in answer.json()["message"]


# Many at once.


def test_many_jobs_are_canceled_and_the_others_named(alice: User, mallory: User, login: Login) -> None:
    mine, finished = build.job(submitter=alice), build.job(submitter=alice, state=State.FINISHED)
    hers = build.job(submitter=mallory)
    hidden = build.job(submitter=mallory, visibility="personal")
    wanted = [hidden.pk, finished.pk, mine.pk, hers.pk, 999, mine.pk]

    answer = login(alice).post(f"{JOBS}batch_cancel/", {"job_ids": wanted})

    assert answer.status_code == 200
    assert answer.json()["job_ids"] == [finished.pk, mine.pk]
    assert answer.json()["invalid_job_ids"] == [hidden.pk, hers.pk, 999]
    mine.refresh_from_db()
    hers.refresh_from_db()
    assert (mine.health, hers.state) == (Health.CANCELED, State.SUBMITTED)


@pytest.mark.parametrize("wanted", [None, "1", ["x"], [-1], [{}], list(range(1_001)), [10**30]])
def test_a_list_of_ids_that_is_none_is_refused(alice: User, login: Login, wanted: object) -> None:
    answer = login(alice).post(f"{JOBS}batch_cancel/", {"job_ids": wanted})

    assert answer.status_code == 400
    assert list(answer.json()) == ["job_ids"]


def test_a_stranger_cancels_nothing_in_a_batch(anyone: APIClient, alice: User) -> None:
    job = build.job(submitter=alice)

    assert anyone.post(f"{JOBS}batch_cancel/", {"job_ids": [job.pk]}).status_code == 403


def test_a_token_for_reading_cancels_nothing_in_a_batch(anyone: APIClient, alice: User) -> None:
    job = build.job(submitter=alice)
    secret = Token.objects.issue(alice, scope=Scope.READ)

    answer = anyone.post(f"{JOBS}batch_cancel/", {"job_ids": [job.pk]}, HTTP_AUTHORIZATION=f"Token {secret}")

    assert answer.status_code == 403


# What is asked about a definition.


def test_the_definition_is_read_as_it_was_submitted(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, name="grün")

    answer = anyone.get(f"{JOBS}{job.pk}/definition/")

    assert answer["Content-Type"].startswith("application/yaml")
    assert answer.content.decode() == job.definition


def test_the_metadata_of_a_definition_are_told_one_by_one(alice: User, anyone: APIClient) -> None:
    metadata = {"branch": "main", "build": 7, "tags": ["a"], 1: True}
    job = build.job(submitter=alice, metadata=metadata)

    answer = anyone.get(f"{JOBS}{job.pk}/metadata/")

    told = [{"branch": "main"}, {"build": "7"}, {"tags": '["a"]'}, {"1": "true"}]
    assert answer.json() == {"metadata": told}


def test_a_job_without_metadata_has_none(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice)

    assert anyone.get(f"{JOBS}{job.pk}/metadata").json() == {"metadata": []}


@pytest.mark.parametrize("path", ["definition", "metadata", "yaml", "csv", "junit", "tap13"])
def test_what_belongs_to_a_hidden_job_is_hidden(alice: User, mallory: User, login: Login, path: str) -> None:
    job = build.job(submitter=alice, state=State.FINISHED, visibility="personal")

    assert login(mallory).get(f"{JOBS}{job.pk}/{path}/").status_code == 404
    assert login(alice).get(f"{JOBS}{job.pk}/{path}/").status_code == 200


def test_validating_takes_lavas_word_for_strictness(anyone: APIClient) -> None:
    build.device()

    for strict in (True, "false", "1"):
        answer = anyone.post(f"{JOBS}validate/", {"definition": build.definition(), "strict": strict})
        assert (answer.status_code, answer.json()) == (200, {"message": "Job valid."})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run: {steps: [lava-test-case a --shell true]}", "Test definition valid."),
        ("run: {steps: [1]}", "Test definition invalid: run.steps[0]: expected a command as text"),
        ("- x", "Test definition invalid: expected a mapping"),
        ("a: b: c", "Test definition invalid: not valid YAML"),
    ],
)
def test_a_test_definition_is_validated_alone(anyone: APIClient, text: str, message: str) -> None:
    answer = anyone.post(f"{JOBS}validate_testdef/", {"definition": text})

    assert answer.status_code == 200
    assert answer.json()["message"].startswith(message)
