from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Token
from jobs import lifecycle, logs
from jobs.logs import Record, parse_lines
from jobs.logs.index import TEXT_NAME
from jobs.models import Job
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12)


def write(job: Job, *lines: str, partial: bool = False) -> None:
    records = [Record(time=NOON, level="target", message=line, partial=partial) for line in lines]
    directory = job.log_directory()
    logs.append(directory, logs.next_index(directory), records)


def hidden_job(submitter: User) -> Job:
    return build.job(submitter=submitter, state=State.RUNNING, visibility="personal")


def tail(client: Client, job: Job, query: str = "", **headers: str) -> dict[str, Any]:
    response = client.get(f"/job/{job.pk}/log-tail{query}", headers=headers)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def test_the_tail_has_exactly_three_keys_of_three_types(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "hello")

    assert tail(client, job) == {"content": "hello\n", "new_size": 6, "is_finished": False}


def test_the_tail_goes_on_at_a_byte_offset(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "grüße", "welt")

    assert tail(client, job, "?start=8")["content"] == "welt\n"


def test_a_job_that_waits_has_an_empty_log(client: Client) -> None:
    assert tail(client, build.job()) == {"content": "", "new_size": 0, "is_finished": False}


def test_a_start_beyond_the_end_gives_nothing_and_the_real_size(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "hello")

    assert tail(client, job, "?start=99999999999999999999") == {
        "content": "",
        "new_size": 6,
        "is_finished": False,
    }


@pytest.mark.parametrize("start", ["", "x", "-1", "1.5", "1e3", " 1", "٣", "0x10", "9" * 5000, "%00"])
def test_a_start_that_is_no_number_of_bytes_is_refused_with_what_would_be_right(
    client: Client, start: str
) -> None:
    job = build.job(state=State.RUNNING)

    response = client.get(f"/job/{job.pk}/log-tail?start={start}")

    assert response.status_code == 400
    assert response.json()["error"].startswith("start: expected a whole number, 0 or more, got ")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.dictionaries(st.sampled_from(["start", "end", "attempt"]), st.text(max_size=30)))
def test_whatever_is_asked_the_answer_is_never_an_error_of_the_server(
    client: Client, job: Job, query: dict[str, str]
) -> None:
    response = client.get(f"/job/{job.pk}/log-tail", query)

    assert response.status_code in (200, 400, 404)


@pytest.fixture
def job(data: Path) -> Job:
    running = build.job(state=State.RUNNING)
    write(running, "hello", "world")
    return running


def test_an_unknown_job_is_said_to_be_missing(client: Client) -> None:
    response = client.get("/job/4711/log-tail")

    assert response.status_code == 404
    assert "There is no job 4711" in response.json()["error"]


def test_a_number_beyond_every_database_is_said_to_be_missing(client: Client) -> None:
    assert client.get(f"/job/{10**25}/log-tail").status_code == 404


def test_a_large_log_comes_in_pieces_that_are_not_finished_before_the_last(
    client: Client, settings: Settings
) -> None:
    settings.LOG_TAIL_LIMIT = 10
    job = build.job(state=State.RUNNING)
    write(job, "äöü" * 10)
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    joined, start, finished = "", 0, False
    while not finished:
        answer = tail(client, job, f"?start={start}")
        joined, start, finished = joined + answer["content"], answer["new_size"], answer["is_finished"]

    assert joined == "äöü" * 10 + "\n"


def test_a_finished_job_says_so_with_its_last_byte(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "bye")
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    assert tail(client, job, "?start=2") == {"content": "e\n", "new_size": 4, "is_finished": True}


def test_what_is_written_between_looking_at_the_state_and_at_the_log_is_not_lost(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = build.job(state=State.RUNNING)
    read = logs.read

    def read_after_the_end(*arguments: Any, **options: Any) -> logs.Tail:
        write(job, "last words")
        lifecycle.finish(job.pk, build.PASSED, worker="worker01")
        return read(*arguments, **options)

    monkeypatch.setattr(logs, "read", read_after_the_end)
    first = tail(client, job)
    monkeypatch.undo()

    assert first["is_finished"] is False
    assert tail(client, job, f"?start={first['new_size']}")["is_finished"] is True


def test_a_part_of_a_line_is_shown_at_once(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "login: ", partial=True)

    assert tail(client, job)["content"] == "login: "


@pytest.mark.parametrize("end", [1, 2, 3, 5, 9, 12])
def test_an_answer_ends_at_the_end_that_was_asked_for(client: Client, end: int) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "0123456789abc")

    assert tail(client, job, f"?start=0&end={end}") == {
        "content": "0123456789abc"[:end],
        "new_size": end,
        "is_finished": False,
    }


def test_an_end_before_the_start_is_refused(client: Client, job: Job) -> None:
    response = client.get(f"/job/{job.pk}/log-tail?start=5&end=5")

    assert response.status_code == 400
    assert response.json()["error"] == "end: expected more than start, which is 5, got 5"


def test_the_tail_is_that_of_the_latest_attempt_unless_another_is_asked_for(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "first")
    Job.objects.filter(pk=job.pk).update(attempt=2)
    job.attempt = 2
    write(job, "2nd")

    assert tail(client, job)["content"] == "2nd\n"
    assert tail(client, job, "?attempt=1") == {"content": "first\n", "new_size": 6, "is_finished": True}


def test_the_answer_says_whose_log_it_is(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    Job.objects.filter(pk=job.pk).update(attempt=3)

    assert client.get(f"/job/{job.pk}/log-tail").headers["Log-Attempt"] == "3"


def test_an_attempt_that_never_was_is_said_to_be_missing(client: Client, job: Job) -> None:
    assert client.get(f"/job/{job.pk}/log-tail?attempt=2").status_code == 404


def test_the_tail_of_a_public_job_costs_two_queries_at_first_and_one_from_then_on_for_everybody(
    client: Client, alice: User, job: Job, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        tail(client, job)
    client.force_login(alice)
    with django_assert_num_queries(1):
        tail(client, job)


def test_the_next_tail_of_a_hidden_job_costs_one_query(
    client: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    job = hidden_job(alice)
    client.force_login(alice)
    tail(client, job)

    with django_assert_num_queries(1):
        tail(client, job)


def test_a_hidden_log_is_read_with_a_token_and_by_nobody_else(
    client: Client, alice: User, mallory: User
) -> None:
    job = hidden_job(alice)
    write(job, "secret")
    address = f"/job/{job.pk}/log-tail"
    of_alice = Token.objects.issue(alice)
    of_mallory = Token.objects.issue(mallory)

    assert tail(client, job, Authorization=f"Token {of_alice}")["content"] == "secret\n"
    assert client.get(address).status_code == 404
    assert client.get(address, headers={"Authorization": f"Token {of_mallory}"}).status_code == 404
    assert client.get(address, headers={"Authorization": "Token wrong"}).status_code == 401


def test_a_tail_is_not_kept_by_any_cache(client: Client, job: Job) -> None:
    assert client.get(f"/job/{job.pk}/log-tail").headers["Cache-Control"] == "no-store"


def test_the_tail_is_only_read(client: Client, job: Job) -> None:
    assert client.post(f"/job/{job.pk}/log-tail").status_code == 405


def test_the_raw_log_is_the_text_as_it_is_now(client: Client, job: Job) -> None:
    response = client.get(f"/job/{job.pk}/log")

    assert b"".join(response) == b"hello\nworld\n"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Content-Length"] == "12"
    assert response.headers["Content-Disposition"] == f'inline; filename="job_{job.pk}.log"'


def test_the_raw_log_announces_nothing_of_a_record_that_is_being_written(client: Client, job: Job) -> None:
    with (job.log_directory() / TEXT_NAME).open("ab") as file:
        file.write(b"half a rec")

    response = client.get(f"/job/{job.pk}/log")

    assert response.headers["Content-Length"] == "12"
    response.close()


def test_a_raw_log_whose_file_is_gone_is_empty(client: Client, job: Job) -> None:
    os.unlink(job.log_directory() / TEXT_NAME)

    response = client.get(f"/job/{job.pk}/log")

    assert response.status_code == 200
    assert response.content == b""


def test_a_hidden_raw_log_is_not_found(client: Client, alice: User, mallory: User) -> None:
    job = hidden_job(alice)
    client.force_login(mallory)

    assert client.get(f"/job/{job.pk}/log").status_code == 404
    assert client.get(f"/scheduler/job/{job.pk}/log_file/plain").status_code == 404


@pytest.mark.parametrize("slash", ["", "/"])
def test_lavas_address_of_the_log_gives_lavas_yaml(client: Client, job: Job, slash: str) -> None:
    response = client.get(f"/scheduler/job/{job.pk}/log_file/plain{slash}")

    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert response.headers["Content-Type"] == "application/yaml"
    assert response.headers["Content-Disposition"] == f'attachment; filename="job_{job.pk}.log"'
    assert [record.message for record in parse_lines(text)] == ["hello", "world"]


def test_who_follows_the_next_attempt_of_a_job_that_is_canceled_is_told_that_nothing_comes(
    client: Client, alice: User
) -> None:
    job = build.tried_again(submitter=alice)
    address = f"/job/{job.pk}/log-tail?start=0&attempt=2"
    assert client.get(address).json() == {"content": "", "new_size": 0, "is_finished": False}

    lifecycle.cancel(job.pk, by="alice")

    assert client.get(address).json() == {"content": "", "new_size": 0, "is_finished": True}
    assert client.get(f"/job/{job.pk}/log-tail?attempt=3").status_code == 404


def raw(client: Client, job: Job, **headers: str) -> tuple[int, str, bytes]:
    """The status, the tag of the version, and the bytes."""
    answer = client.get(f"/job/{job.pk}/log", headers=headers)
    body = b"".join(answer) if answer.streaming else answer.content  # type: ignore[attr-defined, arg-type]
    return answer.status_code, answer["ETag"], body


def test_the_raw_log_is_given_in_parts_and_only_to_who_does_not_have_it(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "hello", "world")

    status, tag, body = raw(client, job)

    assert (status, body) == (200, b"hello\nworld\n")
    assert raw(client, job, Range="bytes=6-") == (206, tag, b"world\n")
    assert raw(client, job, **{"If-None-Match": tag}) == (304, tag, b"")


def test_a_log_that_has_grown_is_another_version(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    write(job, "hello")
    _, tag, _ = raw(client, job)

    write(job, "world")

    assert raw(client, job, **{"If-None-Match": tag})[0] == 200
