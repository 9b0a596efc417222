"""`/job/<id>/log-lines`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from jobs import logs
from jobs.logs import Record
from jobs.models import Job
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12)
NOON_MS = int(NOON.replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def job() -> Job:
    """Of four lines, one a second."""
    running = build.job(state=State.RUNNING)
    levels = ("debug", "input", "target", "error")
    records = [
        Record(time=NOON + timedelta(seconds=second), level=level, message=f"line {second + 1}")
        for second, level in enumerate(levels)
    ]
    logs.append(running.log_directory(), 0, records)
    return running


def lines(client: Client, job: Job, query: str = "") -> dict[str, Any]:
    response = client.get(f"/job/{job.pk}/log-lines{query}")
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def test_the_lines_have_numbers_places_times_and_levels(client: Client, job: Job) -> None:
    assert lines(client, job) == {
        "first": 1,
        "start": 0,
        "end": 28,
        "total": 4,
        "times": [NOON_MS, NOON_MS + 1000, NOON_MS + 2000, NOON_MS + 3000],
        "levels": "dnte",
        "is_finished": False,
    }


@pytest.mark.parametrize("query", ["?line=2&count=2", "?start=8&end=20", "?start=7&end=21"])
def test_some_lines_are_asked_for_by_number_or_by_bytes(client: Client, job: Job, query: str) -> None:
    found = lines(client, job, query)

    assert (found["first"], found["start"], found["end"], found["levels"]) == (2, 7, 21, "nt")


def test_the_text_comes_along_when_it_is_asked_for(client: Client, job: Job) -> None:
    assert lines(client, job, "?line=3&text=1")["content"] == "line 3\nline 4\n"


def test_a_line_longer_than_an_answer_is_cut_and_says_where(
    client: Client, job: Job, settings: Settings
) -> None:
    settings.LOG_TAIL_LIMIT = 5

    found = lines(client, job, "?line=2&text=1")

    assert (found["start"], found["end"], found["content"], found["content_end"]) == (7, 14, "line ", 12)


def test_a_job_that_waits_has_no_lines(client: Client) -> None:
    found = lines(client, build.job())

    assert (found["first"], found["total"], found["times"]) == (1, 0, [])


def test_a_line_that_is_to_come_is_answered_with_what_there_is(client: Client, job: Job) -> None:
    found = lines(client, job, "?line=99")

    assert (found["first"], found["start"], found["total"], found["levels"]) == (5, 28, 4, "")


def test_another_attempt_is_shown_on_demand_and_named(client: Client, job: Job) -> None:
    response = client.get(f"/job/{job.pk}/log-lines?attempt=1")

    assert (response["Log-Attempt"], response["Cache-Control"]) == ("1", "no-store")
    assert client.get(f"/job/{job.pk}/log-lines?attempt=2").status_code == 404


def test_a_hidden_job_has_no_lines_for_a_stranger(client: Client, alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, visibility="personal")
    address = f"/job/{job.pk}/log-lines"

    client.force_login(mallory)
    refused = client.get(address)
    client.force_login(alice)

    assert (refused.status_code, refused.json()) == (
        404,
        {"error": f"There is no job {job.pk}, or it is hidden from you."},
    )
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("start=x", "start: expected a whole number, 0 or more, got 'x'"),
        ("line=0", "line: expected 1 or more, got 0"),
        ("line=1&start=0", "line: expected without start and end, which ask by bytes"),
        ("count=5", "count: expected together with line, the number of the first one"),
        ("start=9&end=9", "end: expected more than start, which is 9, got 9"),
        ("text=please", "text: expected 1 or 0, got 'please'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(
    client: Client, job: Job, query: str, words: str
) -> None:
    response = client.get(f"/job/{job.pk}/log-lines?{query}")

    assert (response.status_code, response.json()) == (400, {"error": words})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(
        st.sampled_from(["start", "end", "line", "count", "text", "attempt"]),
        st.one_of(st.text(max_size=20), st.integers(0, 10**30).map(str)),
    )
)
def test_whatever_is_asked_the_answer_is_never_an_error_of_the_server(
    client: Client, job: Job, query: dict[str, str]
) -> None:
    response = client.get(f"/job/{job.pk}/log-lines", query)

    assert response.status_code in (200, 400, 404)


def test_lines_ask_the_database_as_little_as_the_tail_does(
    client: Client, job: Job, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(2):
        lines(client, job)
