"""What has happened, as JSON."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from events import numbering, publisher, retention
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.api.conftest import Login
from tests.api.v1.test_base import check
from tests.events import checking

EVENTS = "/api/v1/events"


@pytest.fixture
def job(alice: User) -> Job:
    made = build.job(submitter=alice, state=State.RUNNING, visibility="personal")
    publisher.run_once([])
    return made


def sequences(page: dict[str, Any]) -> list[int]:
    return [int(event["sequence"]) for event in page["events"]]


def test_events_are_cloud_events_in_pages(alice: User, job: Job, login: Login) -> None:
    first = login(alice).get(EVENTS, {"since": 0, "limit": 3}).json()
    second = login(alice).get(EVENTS, {"since": first["next_since"]}).json()

    assert sequences(first) + sequences(second) == list(range(1, numbering.last_number() + 1))
    assert [fault for event in first["events"] for fault in checking.faults_in_cloud_event(event)] == []
    assert second["next_since"] == second["last_sequence"] == numbering.last_number()
    assert second["oldest_sequence"] == 1


def test_the_newest_come_first_before_a_number(alice: User, job: Job, login: Login) -> None:
    last = numbering.last_number()
    page = login(alice).get(EVENTS, {"before": 10**17, "limit": 2}).json()

    assert sequences(page) == [last, last - 1]
    assert (page["next_before"], page["next_since"]) == (last - 1, None)
    end = login(alice).get(EVENTS, {"before": 2}).json()
    assert (sequences(end), end["next_before"]) == ([1], None)


def test_a_filter_chooses_from_what_one_may_see(alice: User, mallory: User, job: Job, login: Login) -> None:
    wanted = {"filter": f"job={job.pk}"}

    assert login(alice).get(EVENTS, wanted).json()["events"]
    assert login(mallory).get(EVENTS, wanted).json()["events"] == []


def test_a_snapshot_is_given_instead_of_events(alice: User, mallory: User, job: Job, login: Login) -> None:
    hers = login(alice).get(EVENTS, {"snapshot": "1"}).json()
    his = login(mallory).get(EVENTS, {"snapshot": "1"}).json()

    assert [each["job"] for each in hers["snapshot"]["jobs"]] == [job.pk]
    assert his["snapshot"]["jobs"] == []
    assert hers["next_since"] == hers["snapshot"]["as_of_sequence"] == numbering.last_number()
    assert hers["events"] == []


def test_a_single_event_is_shown_to_who_may_see_it(
    alice: User, mallory: User, job: Job, login: Login
) -> None:
    (event,) = login(alice).get(EVENTS, {"filter": "job.started"}).json()["events"]
    address = f"{EVENTS}/{int(event['sequence'])}"

    assert login(alice).get(address).json() == event
    problem = check(login(mallory).get(address), 404, "not-found")
    assert "from 1 on, all are here" in problem["detail"]


def test_a_page_after_what_is_gone_is_a_problem_that_leads_to_a_snapshot(
    alice: User, job: Job, login: Login
) -> None:
    retention.clear(retention.due(before=None, at_most=1, kept_jobs=Job.objects.none()))

    problem = check(login(alice).get(EVENTS, {"since": 0}), 410, "events-are-gone")

    assert problem["oldest_sequence"] == problem["last_sequence"] == numbering.last_number()
    assert login(alice).get(problem["snapshot"]).status_code == 200
    assert sequences(login(alice).get(EVENTS).json()) == [numbering.last_number()]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("filter=mood%3Dgood", "filter"),
        ("limit=501", "limit"),
        ("since=x", "since"),
        ("since=1&before=3", "before"),
        ("sinze=1", "sinze"),
    ],
)
def test_what_makes_no_sense_is_a_problem_that_names_it(query: str, name: str, anyone: APIClient) -> None:
    problem = check(anyone.get(f"{EVENTS}?{query}"), 400, "invalid-value")

    assert list(problem["errors"]) == [name]


def test_an_answer_says_that_it_differs_for_who_accepts_a_stream(anyone: APIClient) -> None:
    assert "Accept" in anyone.get(EVENTS)["Vary"]
