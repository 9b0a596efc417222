"""`/job/<id>/log-search`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import log_search_views, logs
from jobs.log_search_views import MOST_AT_ONCE, searchers
from jobs.logs import Record
from jobs.logs.search_process import NICENESS
from jobs.models import Job
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12)


@pytest.fixture(scope="module", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    searchers.close()


@pytest.fixture
def job() -> Job:
    running = build.job(state=State.RUNNING)
    levels = ("debug", "target", "error")
    records = [Record(time=NOON, level=level, message=f"the {level} line") for level in levels]
    logs.append(running.log_directory(), 0, records)
    return running


def search(client: Client, job: Job, query: str) -> dict[str, Any]:
    response = client.get(f"/job/{job.pk}/log-search?{query}")
    assert isinstance(response, StreamingHttpResponse), response.content
    assert (response["Content-Type"], response["Cache-Control"]) == ("application/json", "no-store")
    answer: dict[str, Any] = json.loads(response.getvalue())
    return answer


def leave(response: HttpResponseBase) -> None:
    """As a client that does not wait for the answer; the database stays open for the test."""
    request_finished.disconnect(close_old_connections)
    try:
        response.close()
    finally:
        request_finished.connect(close_old_connections)


def test_a_search_answers_with_its_hits(client: Client, job: Job) -> None:
    assert search(client, job, "q=TARGET") == {
        "hits": [{"line": 2, "start": 19, "end": 25, "text": "the target line"}],
        "first": 1,
        "total": 1,
        "more": False,
        "total_is_more": False,
    }


def test_every_parameter_is_heeded(client: Client, job: Job) -> None:
    assert search(client, job, "q=T.*line&regex=1&case=1")["total"] == 0
    assert search(client, job, "q=line&level=de")["total"] == 2
    assert [hit["line"] for hit in search(client, job, "q=line&after=1&limit=1")["hits"]] == [2]
    assert [hit["line"] for hit in search(client, job, "q=line&before=3&limit=1")["hits"]] == [2]
    assert [hit["line"] for hit in search(client, job, "level=ex&after=1")["hits"]] == [3]


def test_one_process_does_one_search_after_another(client: Client, job: Job) -> None:
    search(client, job, "q=line")
    spare = searchers.spare
    search(client, job, "q=line")

    assert spare is not None
    assert searchers.spare is spare


def test_a_search_stands_back_behind_the_requests_of_others(client: Client, job: Job) -> None:
    search(client, job, "q=line")

    assert searchers.spare is not None
    assert os.getpriority(os.PRIO_PROCESS, searchers.spare.pid) >= NICENESS
    assert os.sched_getscheduler(searchers.spare.pid) == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_system_that_lets_nobody_stand_back_is_searched_all_the_same(
    client: Client, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> None:
        raise PermissionError("not here")

    monkeypatch.setattr(os, "setpriority", refused)
    searchers.close()

    assert search(client, job, "q=line")["total"] == 3


def test_a_process_that_was_killed_is_replaced(client: Client, job: Job) -> None:
    search(client, job, "q=line")
    assert searchers.spare is not None
    os.kill(searchers.spare.pid, signal.SIGKILL)
    os.waitid(os.P_PID, searchers.spare.pid, os.WEXITED | os.WNOWAIT)

    assert search(client, job, "q=line")["total"] == 3


def test_the_search_of_a_client_that_left_is_broken_off(client: Client, job: Job) -> None:
    search(client, job, "q=line")
    spare = searchers.spare
    assert spare is not None
    os.kill(spare.pid, signal.SIGSTOP)  # so that it will not answer

    response = client.get(f"/job/{job.pk}/log-search?q=line")
    assert isinstance(response, StreamingHttpResponse)
    leave(response)

    assert not spare.is_fresh
    with pytest.raises(ProcessLookupError):
        os.kill(spare.pid, 0)


def test_more_searches_at_once_than_may_be_are_told_to_come_again(client: Client, job: Job) -> None:
    address = f"/job/{job.pk}/log-search?q=line"
    running = [client.get(address) for _ in range(MOST_AT_ONCE)]

    refused = client.get(address)
    for response in running:
        leave(response)

    assert (refused.status_code, refused["Retry-After"]) == (503, "1")
    assert "Try again" in refused.json()["error"]
    assert search(client, job, "q=line")["total"] == 3


def test_a_search_that_never_ends_is_given_up(
    client: Client, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search_views, "PATIENCE_SECONDS", 0.0)
    search(client, job, "q=line")
    assert searchers.spare is not None
    os.kill(searchers.spare.pid, signal.SIGSTOP)

    response = client.get(f"/job/{job.pk}/log-search?q=line")

    with pytest.raises(TimeoutError):
        b"".join(response)


def test_a_hidden_job_is_not_searched_by_a_stranger(client: Client, alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, visibility="personal")
    client.force_login(mallory)

    response = client.get(f"/job/{job.pk}/log-search?q=secret")

    assert (response.status_code, response.json()) == (
        404,
        {"error": f"There is no job {job.pk}, or it is hidden from you."},
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "q: expected 1 to 1000 characters, got 0"),
        ("q=a(&regex=1", "q: missing ) at character 1"),
        ("q=a&regex=yes", "regex: expected 1 or 0, got 'yes'"),
        ("q=a&limit=1001", "limit: expected 1 to 1000, got 1001"),
        ("q=a&limit=0", "limit: expected 1 to 1000, got 0"),
        ("q=a&level=eq", "level: expected letters of diwexntfr, got 'eq'"),
        ("q=a&after=1&before=3", "before: expected without after"),
        ("q=a&after=x", "after: expected a whole number, 0 or more, got 'x'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(
    client: Client, job: Job, query: str, words: str
) -> None:
    response = client.get(f"/job/{job.pk}/log-search?{query}")

    assert response.status_code == 400
    assert response.json()["error"].startswith(words)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(
        st.sampled_from(["q", "regex", "case", "level", "after", "before", "limit", "attempt"]),
        st.one_of(st.text(max_size=20), st.integers(0, 10**30).map(str), st.just("1")),
    )
)
def test_whatever_is_asked_the_answer_is_never_an_error_of_the_server(
    client: Client, job: Job, query: dict[str, str]
) -> None:
    response = client.get(f"/job/{job.pk}/log-search", query)

    assert response.status_code in (200, 400, 404)
    if isinstance(response, StreamingHttpResponse):
        assert json.loads(response.getvalue())["total"] >= 0
