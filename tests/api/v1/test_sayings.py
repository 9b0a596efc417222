"""Saying something of one's own for a job."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from events.models import Event
from jobs.models import Job, Sayings
from jobs.sayings import MOST_PER_ATTEMPT, MOST_PER_SECOND
from tests import build
from tests.api.conftest import Login


@pytest.fixture
def job(alice: User) -> Job:
    return build.job(submitter=alice)


def address(job: Job) -> str:
    return f"/api/v1/jobs/{job.pk}/events"


def said() -> list[Event]:
    return list(Event.objects.filter(type__startswith="custom."))


def test_what_is_said_for_a_job_is_an_event_of_it(job: Job, alice: User, login: Login) -> None:
    answer = login(alice).post(
        address(job), {"name": "reviewed", "message": " looks good ", "data": {"by": ["bob"]}}
    )

    (event,) = said()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": str(event.uid),
        "type": "custom.reviewed",
        "time": answer.json()["time"],
        "job_sequence": 2,
        "attempt": 1,
    }
    assert (event.data["message"], event.data["data"]) == (" looks good ", {"by": ["bob"]})


def test_a_name_is_enough(job: Job, alice: User, login: Login) -> None:
    assert login(alice).post(address(job), {"name": "reviewed"}).status_code == 201

    (event,) = said()
    assert event.data["message"] == ""
    assert "data" not in event.data


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        ({}, "name", "This field is required."),
        ({"name": "not a name"}, "name", "'not a name' is no name of an event"),
        ({"name": "n" * 58}, "name", "no more than 57 characters"),
        ({"name": "x", "message": "x" * 4097}, "message", "has 4,097 bytes; an event holds at most 4,096"),
        ({"name": "x", "message": 7}, "message", "Not a valid string."),
        ({"name": "x", "data": [1]}, "data", "Expected a dictionary"),
        ({"name": "x", "data": {"x": "x" * 4097}}, "data", "an event holds at most 4,096"),
        ({"name": "x", "data": {"x": "\0"}}, "data", "holds a NUL or half a character"),
        ({"name": "x", "colour": "red"}, "colour", "expected one of name, message, data"),
    ],
    ids=str,
)
def test_what_cannot_be_told_is_refused_with_the_reason(
    body: dict[str, Any], field: str, text: str, job: Job, alice: User, login: Login
) -> None:
    answer = login(alice).post(address(job), body)

    assert answer.status_code == 400
    assert text in answer.json()["errors"][field][0]
    assert said() == []


def test_only_who_may_change_the_job_may_speak_for_it(
    job: Job, mallory: User, login: Login, anyone: APIClient
) -> None:
    body = {"name": "reviewed"}

    assert login(mallory).post(address(job), body).status_code == 403
    assert anyone.post(address(job), body).status_code == 401
    assert said() == []


def test_a_job_that_is_hidden_is_not_there(alice: User, mallory: User, login: Login) -> None:
    hidden = build.job(submitter=alice, visibility="personal")

    assert login(mallory).post(address(hidden), {"name": "reviewed"}).status_code == 404


def test_who_speaks_too_fast_is_told_when_to_go_on(
    job: Job, alice: User, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = login(alice)
    monkeypatch.setattr("jobs.sayings.timezone.now", lambda: job.submit_time)
    for _ in range(MOST_PER_SECOND):
        client.post(address(job), {"name": "reviewed"})

    answer = client.post(address(job), {"name": "reviewed"})

    assert (answer.status_code, answer["Retry-After"]) == (429, "1")
    assert "20 a second is the limit" in answer.json()["detail"]
    assert len(said()) == MOST_PER_SECOND


def test_a_job_that_has_said_everything_is_not_asked_to_try_again(
    job: Job, alice: User, login: Login
) -> None:
    Sayings.objects.create(job=job, attempt=1, told=MOST_PER_ATTEMPT)

    answer = login(alice).post(address(job), {"name": "reviewed"})

    assert answer.status_code == 429
    assert not answer.has_header("Retry-After")
