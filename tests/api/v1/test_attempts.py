"""Attempts, and the verbs about when the next one is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from rest_framework.test import APIClient

from devices.models import Right
from jobs import lifecycle
from jobs.models import Job
from jobs.states import State
from tests import build
from tests.api.conftest import Login

JOBS = "/api/v1/jobs/"


def test_a_job_that_is_tried_again_says_when_and_why(alice: User, anyone: APIClient) -> None:
    job = build.tried_again(submitter=alice)

    shown = anyone.get(f"{JOBS}{job.pk}/").json()

    assert (shown["state"], shown["attempt"]) == ("Submitted", 2)
    assert shown["not_before"].startswith(f"{job.not_before:%Y-%m-%dT%H:%M:%S}")
    assert shown["not_before_reason"] == "attempt 1 of 3 failed (Infrastructure error)"
    assert shown["reason"].startswith("It is tried again at")
    assert shown["queue"] == {"place": None, "of": 0, "cause": "retry", "expected_wait": None}


def test_the_attempts_of_a_job_are_listed_with_their_end_and_their_log(
    alice: User, anyone: APIClient
) -> None:
    job = build.tried_again(submitter=alice)
    lifecycle.schedule(job.pk, "qemu01")

    first, second = anyone.get(f"{JOBS}{job.pk}/attempts/").json()["items"]

    assert (first["number"], first["result"], first["error_type"]) == (1, "fail", "Infrastructure")
    assert first["reason"] == "the power switch is gone"
    assert first["log"] == f"http://testserver/job/{job.pk}/log-tail?attempt=1"
    assert (second["number"], second["device"], second["result"]) == (2, "qemu01", None)


def test_an_attempt_that_was_put_off_says_so(alice: User, anyone: APIClient) -> None:
    job = build.asking_for_deferral(timedelta(hours=1), submitter=alice)
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    (attempt,) = anyone.get(f"{JOBS}{job.pk}/attempts/").json()["items"]

    assert (attempt["deferral"], attempt["reason"]) == (3600.0, "the server is down")


def test_a_waiting_job_is_deferred_by_seconds(alice: User, login: Login) -> None:
    job = build.job(submitter=alice)

    answer = login(alice).post(f"{JOBS}{job.pk}/defer/", {"seconds": 600, "reason": "the lab is full"})

    assert answer.status_code == 200
    assert answer.json()["reason"].endswith("UTC: the lab is full.")
    assert Job.objects.get().not_before > timezone.now() + timedelta(seconds=590)


@pytest.mark.parametrize("text", ["{}Z", "{}+00:00", "{}"])
def test_a_waiting_job_is_deferred_until_a_time(text: str, alice: User, login: Login) -> None:
    job = build.job(submitter=alice)
    until = (timezone.now() + timedelta(hours=2)).replace(microsecond=0)

    login(alice).post(f"{JOBS}{job.pk}/defer/", {"until": text.format(f"{until:%Y-%m-%dT%H:%M:%S}")})

    assert Job.objects.get().not_before == until


@pytest.mark.parametrize(
    "body",
    [{}, {"seconds": 5, "until": "2100-01-01"}, {"seconds": 0}, {"seconds": "5"}, {"until": "soon"}],
    ids=str,
)
def test_a_deferral_that_cannot_be_read_is_refused(
    body: dict[str, object], alice: User, login: Login
) -> None:
    job = build.job(submitter=alice)

    answer = login(alice).post(f"{JOBS}{job.pk}/defer/", body)

    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert Job.objects.get().not_before is None


def test_a_time_beyond_the_limit_is_a_conflict_that_says_until_when_it_may_be(
    alice: User, login: Login
) -> None:
    job = build.job(submitter=alice, lava_lite={"defer": {"limit": {"hours": 1}}})

    answer = login(alice).post(f"{JOBS}{job.pk}/defer/", {"seconds": 7200})

    assert answer.status_code == 409
    assert "may be put off until" in answer.json()["detail"]


def test_a_job_that_runs_is_not_deferred(alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    assert login(alice).post(f"{JOBS}{job.pk}/defer/", {"seconds": 5}).status_code == 409
    assert login(alice).post(f"{JOBS}{job.pk}/hurry/").status_code == 409


def test_a_job_that_is_put_off_is_told_to_run_now(alice: User, login: Login) -> None:
    job = build.tried_again(submitter=alice)

    answer = login(alice).post(f"{JOBS}{job.pk}/hurry/")

    assert (answer.status_code, answer.json()["not_before"]) == (200, None)
    assert answer.json()["queue"]["place"] == 1


def test_a_stranger_reads_why_not(alice: User, mallory: User, login: Login) -> None:
    job = build.tried_again(submitter=alice)

    answer = login(mallory).post(f"{JOBS}{job.pk}/hurry/")

    assert answer.status_code == 403
    assert "alice's; you may not hurry it" in answer.json()["detail"]


def test_an_attempt_on_a_hidden_device_stays_hidden_when_the_job_waits_for_another(
    group: Group, alice: User, bob: User, mallory: User, login: Login
) -> None:
    job = build.tried_again(submitter=alice)
    build.device("qemu02")
    build.right(group, "qemu01", Right.VIEW)
    attempts = f"{JOBS}{job.pk}/attempts/"

    assert login(mallory).get(attempts).json()["items"] == []
    assert login(mallory).get(f"{JOBS}{job.pk}/results/?attempt=1").status_code == 404
    assert login(mallory).get(f"/job/{job.pk}/log-tail?attempt=1").status_code == 404
    for who in (alice, bob):
        assert len(login(who).get(attempts).json()["items"]) == 1
