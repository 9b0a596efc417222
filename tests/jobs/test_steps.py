"""Steps found in the records of a log, stored and told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from pytest_django import DjangoAssertNumQueries

from events import visibility
from events.models import Event
from jobs import lifecycle, logs, steps, upkeep
from jobs.logs import Record
from jobs.models import Attempt, Step
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 22, 12)


@pytest.fixture
def attempt(alice: User) -> Attempt:
    return build.attempt(build.job(submitter=alice, state=State.RUNNING))


def records(*lines: Any) -> list[Record]:
    """A record each second; what is no text is a result."""
    return [
        Record(
            time=NOON + timedelta(seconds=second),
            level="info" if isinstance(line, str) else "results",
            message=line,
        )
        for second, line in enumerate(lines)
    ]


def collect(attempt: Attempt, *lines: Any, index: int = 0) -> int:
    return steps.collect(attempt, logs.append(attempt.log_directory, index, records(*lines)))


def stored() -> list[tuple[str, str]]:
    return list(Step.objects.values_list("level", "state"))


def events() -> list[tuple[str, str]]:
    told = Event.objects.filter(type__startswith="step.").order_by("id")
    return [(event.type, event.data["level"]) for event in told]


def test_a_step_has_its_place_in_the_log(attempt: Attempt) -> None:
    collect(attempt, "hello", "start: 1 deploy (timeout 00:01:00) [common]", "äöü", "end: 1 deploy", "bye")

    step = Step.objects.get()
    text = (attempt.log_directory / "output.log").read_bytes()
    assert (step.record, step.last_record) == (1, 3)
    assert text[step.offset : step.end_offset].decode().splitlines()[::2] == [
        "start: 1 deploy (timeout 00:01:00) [common]",
        "end: 1 deploy",
    ]
    assert step.duration == timedelta(seconds=2)


def test_a_step_that_comes_in_pieces_is_one(attempt: Attempt) -> None:
    collect(attempt, "start: 1 deploy")
    collect(attempt, "end: 1 deploy", index=1)

    assert stored() == [("1", "pass")]
    assert Step.objects.get().end_offset == logs.size(attempt.log_directory)


def test_records_that_are_sent_twice_are_told_once(attempt: Attempt) -> None:
    lines = "start: 1 deploy", "end: 1 deploy"
    for _ in range(2):
        collect(attempt, *lines)

    assert stored() == [("1", "pass")]
    assert events() == [("step.started", "1"), ("step.finished", "1")]


def test_records_that_were_written_and_not_looked_at_are_found_when_they_come_again(attempt: Attempt) -> None:
    logs.append(attempt.log_directory, 0, records("start: 1 deploy"))

    collect(attempt, "start: 1 deploy")

    assert stored() == [("1", "running")]


def test_a_step_is_told_with_all_that_listeners_need(attempt: Attempt) -> None:
    collect(attempt, "start: 2.1.3 boot", "end: 2.1.3 boot")

    first, last = Event.objects.filter(type__startswith="step.").order_by("id")
    assert first.data["state"] == "running"
    assert (last.data["state"], last.data["duration"], last.data["name"]) == ("pass", 1.0, "boot")
    assert last.data["step_id"] == [3, 1, 2]
    assert (last.subject, last.job_id, last.attempt) == (f"{attempt.job_id}/2.1.3", attempt.job_id, 1)
    assert last.job_sequence == first.job_sequence + 1


def test_steps_of_a_hidden_job_are_told_to_nobody_else(alice: User, mallory: User) -> None:
    hidden = build.job(submitter=alice, state=State.RUNNING, visibility="personal")
    collect(build.attempt(hidden), "start: 1 deploy")

    told = list(Event.objects.filter(type="step.started"))
    assert len(visibility.seen_by(alice, told)) == 1
    assert visibility.seen_by(mallory, told) == visibility.seen_by(AnonymousUser(), told) == []


def test_what_runs_when_the_job_ends_is_unfinished_before_the_job_is_told_to_be_over(
    attempt: Attempt,
) -> None:
    collect(attempt, "start: 1 deploy", "start: 1.1 load")

    lifecycle.finish(attempt.job_id, build.FAILED, worker="worker01")

    assert stored() == [("1", "unfinished"), ("1.1", "unfinished")]
    order = list(Event.objects.filter(job_id=attempt.job_id).order_by("id").values_list("type", flat=True))
    assert order[-3:] == ["step.finished", "step.finished", "job.failed"]


def test_what_runs_when_the_job_is_canceled_is_canceled(alice: User) -> None:
    job = build.job(submitter=alice, state=State.CANCELING)
    collect(build.attempt(job), "start: 1 deploy")

    lifecycle.finish(job.pk, build.FAILED, worker="worker01")

    assert stored() == [("1", "canceled")]


def test_a_bare_save_that_ends_a_job_ends_its_steps(attempt: Attempt) -> None:
    collect(attempt, "start: 1 deploy")

    job = attempt.job
    job.state, job.health = State.FINISHED, 2
    job.save()

    assert stored() == [("1", "unfinished")]


def test_a_step_that_is_heard_of_after_the_end_does_not_run(alice: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    collect(build.attempt(job), "start: 1 deploy")

    assert stored() == [("1", "unfinished")]


def test_the_log_of_a_deleted_job_is_taken(alice: User, admin: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    attempt = build.attempt(job)
    appended = logs.append(attempt.log_directory, 0, records("start: 1 deploy"))
    upkeep.delete(job, by=admin)

    assert steps.collect(attempt, appended) == 0


def test_plain_output_costs_no_query(
    attempt: Attempt, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        collect(attempt, *(f"line {number}" for number in range(100)))


@pytest.mark.parametrize("count", [1, 100])
def test_steps_are_stored_in_a_constant_number_of_queries(
    attempt: Attempt, count: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(20):
        collect(attempt, *(f"start: {number} action" for number in range(count)))

    assert Step.objects.count() == count
