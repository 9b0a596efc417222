from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import Job
from jobs.states import State
from jobs.timing import TimeBar
from tests import build

pytestmark = pytest.mark.django_db


def running(for_: timedelta, **fields: object) -> Job:
    job = build.job(state=State.RUNNING)
    job.start_time = timezone.now() - for_
    for name, value in fields.items():
        setattr(job, name, value)
    return job


def test_a_running_job_is_somewhere_in_its_time() -> None:
    bar = TimeBar.of(running(timedelta(minutes=2, seconds=31)))

    assert bar is not None
    assert bar.allowed == timedelta(minutes=5)
    assert bar.percent == 50


def test_a_job_that_takes_too_long_fills_the_bar_and_no_more() -> None:
    bar = TimeBar.of(running(timedelta(hours=1)))

    assert bar is not None
    assert bar.percent == 100


@pytest.mark.parametrize("state", [State.SUBMITTED, State.SCHEDULED, State.FINISHED])
def test_a_job_that_does_not_run_has_no_bar(state: State) -> None:
    assert TimeBar.of(build.job(state=state)) is None


def test_a_job_of_which_nobody_knows_how_long_it_may_run_has_no_bar() -> None:
    assert TimeBar.of(running(timedelta(minutes=1), job_timeout=None)) is None
