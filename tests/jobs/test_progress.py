"""How far a job is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from events.models import Event
from jobs import lifecycle, progress, scheduler
from jobs.models import Job, Progress
from jobs.states import State
from tests import build
from tests.jobs.test_views import page, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(alice: User) -> Job:
    return build.job(submitter=alice, state=State.RUNNING)


def says(job: Job, *words: str) -> None:
    build.log(job, *(f"Received signal: <PROGRESS> {each}" for each in words), level="debug")


def told() -> list[int | None]:
    events = Event.objects.filter(type="job.progress").order_by("id")
    return [event.data["percent"] for event in events]


def a_second_passes() -> None:
    Progress.objects.update(told=timezone.now() - progress.PAUSE - timedelta(seconds=1))


def test_what_a_test_says_is_kept_and_told(job: Job) -> None:
    says(job, "40 Flashing%20it")

    event = Event.objects.get(type="job.progress")
    assert (event.data["percent"], event.data["text"], event.data["job"]) == (40, "Flashing it", job.pk)
    assert event.job_id == job.pk


def test_a_step_that_begins_is_progress(job: Job) -> None:
    build.log(job, "start: 1 deploy", "start: 1.1 load")

    event = Event.objects.get(type="job.progress")
    assert (event.data["level"], event.data["name"], event.data["percent"]) == ("1.1", "load", None)


def test_it_is_told_at_most_once_a_second(job: Job) -> None:
    for percent in range(10):
        says(job, str(percent))

    assert told() == [0]
    assert Progress.objects.get().percent == 9


def test_the_last_word_is_told_when_the_second_is_over(job: Job) -> None:
    says(job, "1")
    says(job, "2")
    scheduler.run_once()
    assert told() == [1]

    a_second_passes()
    for _ in range(2):
        scheduler.run_once()

    assert told() == [1, 2]


def test_the_last_word_is_told_before_the_end(job: Job) -> None:
    says(job, "1")
    says(job, "100")

    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    assert told() == [1, 100]
    assert build.events_of(job)[-2:] == ["job.progress", "job.completed"]


def test_what_is_the_same_is_not_told_again(job: Job) -> None:
    says(job, "40 x")
    a_second_passes()
    says(job, "40 x")

    assert told() == [40]


def test_of_several_words_the_last_one_counts(job: Job) -> None:
    says(job, "1", "2", "3")

    assert told() == [3]


@pytest.mark.parametrize("words", ["", "101", "-1", "4.5", "many", "1000", "\u0664"])
def test_what_is_no_percentage_is_none(job: Job, words: str) -> None:
    says(job, words)

    assert not Progress.objects.exists()


def test_a_job_that_is_over_makes_no_progress(alice: User) -> None:
    says(build.job(submitter=alice, state=State.FINISHED), "40")

    assert told() == []


def test_the_page_of_a_job_shows_how_far_it_is(client: Client, job: Job) -> None:
    says(job, "40 Flashing")

    assert "40 % Flashing" in words_of(page(client, f"/job/{job.pk}/"))
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")
    assert "40 %" not in page(client, f"/job/{job.pk}/")
