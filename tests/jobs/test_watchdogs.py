"""What the lab does by itself about jobs of which nobody hears any more. Clocks are moved by moving times in rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from devices import lifecycle as devices
from devices.lifecycle import StillInUse
from devices.models import Device, Worker
from devices.states import DeviceHealth, DeviceState
from events.models import Event
from jobs import lifecycle, moving, scheduler, upkeep
from jobs.models import Attempt, Job
from jobs.states import Health, State
from tests import build
from tests.parallel import together

pytestmark = pytest.mark.django_db

JOB_TIMEOUT = timedelta(minutes=5)  # of `build.definition`


def again(job: Job) -> Job:
    found: Job = Job.objects.get(pk=job.pk)
    return found


def device(name: str = "qemu01") -> Device:
    return Device.objects.get(pk=name)


def is_about(moment: Any, after: timedelta) -> bool:
    return abs(moment - timezone.now() - after) < timedelta(seconds=30)


def ended(alice: User, state: State = State.RUNNING) -> Job:
    """A job that the scheduler has ended by itself."""
    job = build.overdue(build.job(submitter=alice, state=state))
    scheduler.run_once()
    return again(job)


# Deadlines


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RUNNING])
def test_a_job_on_a_device_may_take_its_timeout_and_the_grace_time(state: State, alice: User) -> None:
    job = build.job(submitter=alice, state=state)

    assert job.job_timeout == JOB_TIMEOUT
    assert is_about(job.deadline, JOB_TIMEOUT + timedelta(minutes=10))


def test_a_job_that_is_asked_to_stop_has_the_grace_time_for_it(alice: User) -> None:
    job = build.job(submitter=alice, state=State.CANCELING)

    assert is_about(job.deadline, timedelta(minutes=5))


@pytest.mark.parametrize("state", [State.SUBMITTED, State.FINISHED])
def test_a_job_that_is_on_no_device_has_no_deadline(state: State, alice: User) -> None:
    assert build.job(submitter=alice, state=state).deadline is None


def test_the_grace_times_are_settings(alice: User, settings: Settings) -> None:
    settings.JOB_TIMEOUT_GRACE, settings.CANCEL_GRACE = 60, 90

    running = build.job(submitter=alice, state=State.RUNNING)
    canceling = build.job(submitter=alice, state=State.CANCELING, device="qemu02")

    assert is_about(running.deadline, JOB_TIMEOUT + timedelta(seconds=60))
    assert is_about(canceling.deadline, timedelta(seconds=90))


def test_a_move_by_hand_moves_the_deadline_too(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    job.state = State.CANCELING
    job.save()

    assert is_about(again(job).deadline, timedelta(minutes=5))


def test_before_its_deadline_a_job_goes_on(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    scheduler.run_once()
    lifecycle.end_overdue(job.pk)

    assert again(job).state == State.RUNNING


def test_a_job_that_ran_for_too_long_is_ended_for_a_reason_of_its_own(alice: User) -> None:
    job = ended(alice)

    assert (job.state, job.health, job.error_type) == (State.FINISHED, Health.INCOMPLETE, "Job")
    assert job.failure_comment == (
        "It ran for longer than its 5 min (timeouts.job) and 10 min (JOB_TIMEOUT_GRACE) of grace. "
        f"Ended by the lab at {job.end_time:%Y-%m-%d %H:%M:%S} UTC."
    )
    assert device().health == DeviceHealth.GOOD


def test_a_job_that_its_worker_never_began_is_ended_for_a_reason_of_the_lab(alice: User) -> None:
    job = ended(alice, State.SCHEDULED)

    assert (job.state, job.health, job.error_type) == (State.FINISHED, Health.INCOMPLETE, "Infrastructure")
    assert "worker01 has not confirmed the start for 5 min (timeouts.job)" in job.failure_comment
    assert (device().health, device().health_reason) == (
        DeviceHealth.UNKNOWN,
        f"infrastructure error in job {job.pk}",
    )


def test_a_cancel_that_no_worker_confirms_ends_the_job_as_canceled_and_keeps_the_reason(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    lifecycle.cancel(job.pk, by="alice", reason="Wrong kernel")
    build.overdue(job)

    scheduler.run_once()

    job = again(job)
    assert (job.state, job.health, job.error_type) == (State.FINISHED, Health.CANCELED, "Canceled")
    assert job.failure_comment.startswith(
        "Wrong kernel. Its worker worker01 has not confirmed the cancel for 5 min (CANCEL_GRACE). Ended by the lab"
    )
    assert device().health == DeviceHealth.GOOD


def test_the_attempt_tells_how_it_ended(alice: User) -> None:
    job = ended(alice)

    attempt = build.attempt(job)
    assert (attempt.result, attempt.error_type, attempt.errors) == ("fail", "Job", job.failure_comment)
    assert attempt.ended == attempt.unconfirmed_since == job.end_time


def test_the_event_has_the_timer_for_its_cause_and_tells_why(alice: User) -> None:
    job = ended(alice)

    event = Event.objects.filter(job_id=job.pk).latest("id")
    assert (event.type, event.cause, event.attempt) == ("job.failed", "timer", 1)
    assert event.data["reason"] == job.failure_comment


def test_the_device_s_event_tells_nothing_of_what_was_said_of_the_job(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, visibility="personal")
    lifecycle.cancel(job.pk, by="alice", reason="our secret board is slow")
    build.overdue(job)

    scheduler.run_once()

    event = Event.objects.filter(subject="qemu01").latest("id")
    assert (event.cause, event.data["reason"]) == ("timer", moving.NOT_CONFIRMED)


def test_the_queue_goes_on_past_a_job_that_hangs(alice: User) -> None:
    build.overdue(build.job(submitter=alice, state=State.RUNNING))
    waiting = build.job(submitter=alice, device="qemu02")

    assert scheduler.run_once() == 1

    assert again(waiting).device_id == "qemu02"


@pytest.mark.parametrize(
    ("question", "index"),
    [
        (Job.objects.overdue, "job_deadline"),
        (Job.objects.oddly_flagged, "job_state"),
        (Job.objects.over_wall_time, "job_state"),
        (Job.objects.put_off, "job_not_before"),
    ],
)
def test_a_pass_reads_no_finished_job(question: Callable[[], Any], index: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("needs SQLite: PostgreSQL reads a table of a few rows as a whole")

    assert f"SEARCH jobs_job USING INDEX {index}" in question().explain()


# The wall time


def running_for(minutes: int, alice: User) -> Job:
    """A job whose wall time is half an hour."""
    job = build.job(submitter=alice, state=State.RUNNING, lava_lite={"wall_time": {"minutes": 30}})
    Job.objects.filter(pk=job.pk).update(start_time=timezone.now() - timedelta(minutes=minutes))
    return job


def test_a_job_over_its_wall_time_is_told_of_once_and_goes_on(alice: User) -> None:
    job = running_for(31, alice)

    scheduler.run_once()
    scheduler.run_once()
    lifecycle.flag_overtime(job.pk)

    assert build.events_of(job)[-2:] == ["job.started", "job.overtime"]
    assert (again(job).state, is_about(again(job).overtime_since, timedelta())) == (State.RUNNING, True)
    event = Event.objects.get(type="job.overtime")
    assert (event.cause, event.data["reason"]) == ("timer", "it runs for longer than its wall time")


def test_a_job_within_its_wall_time_is_not_told_of(alice: User) -> None:
    job = running_for(29, alice)

    scheduler.run_once()
    lifecycle.flag_overtime(job.pk)

    assert again(job).overtime_since is None


def test_a_job_without_a_wall_time_is_never_over_it(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    Job.objects.filter(pk=job.pk).update(start_time=timezone.now() - timedelta(days=9))

    assert not Job.objects.over_wall_time().exists()


# A worker that falls silent


@pytest.fixture
def running(alice: User) -> Job:
    return build.job(submitter=alice, state=State.RUNNING)


def fall_silent(worker: str = "worker01") -> None:
    Worker.objects.filter(pk=worker).update(last_ping=timezone.now() - timedelta(seconds=61))
    scheduler.run_once()


def come_back(worker: str = "worker01") -> None:
    devices.worker_seen(worker, version="2023.01")
    scheduler.run_once()


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RUNNING])
def test_the_job_of_a_silent_worker_is_flagged_and_goes_on(state: State, alice: User) -> None:
    job = build.job(submitter=alice, state=state)

    fall_silent()

    job = again(job)
    assert job.state == state
    assert is_about(job.lost_since, timedelta())
    assert is_about(job.deadline, timedelta(minutes=5))
    event = Event.objects.filter(job_id=job.pk).latest("id")
    assert (event.type, event.cause, event.data["state"]) == ("job.lost", "timer", state.label)
    assert event.data["reason"] == "its worker worker01 fell silent"
    assert event.data["deadline"] == job.deadline.isoformat()


def test_it_is_flagged_once(running: Job) -> None:
    fall_silent()
    flagged = again(running)

    scheduler.run_once()
    lifecycle.flag_lost(running.pk)

    assert build.events_of(running).count("job.lost") == 1
    assert again(running).deadline == flagged.deadline


def test_a_waiting_job_and_the_jobs_of_other_workers_are_not_flagged(running: Job, alice: User) -> None:
    waiting = build.job(submitter=alice)
    build.device("qemu09", worker="worker02")
    other = build.job(submitter=alice, state=State.RUNNING, device="qemu09")

    fall_silent()

    assert again(running).lost_since
    assert (again(waiting).lost_since, again(other).lost_since) == (None, None)


def test_a_worker_that_comes_back_in_time_goes_on_as_if_nothing_had_happened(running: Job) -> None:
    fall_silent()

    come_back()
    lifecycle.finish(running.pk, build.PASSED, worker="worker01")

    job = again(running)
    assert (job.state, job.health, job.lost_since) == (State.FINISHED, Health.COMPLETE, None)
    assert build.events_of(job)[-3:] == ["job.lost", "job.found", "job.completed"]
    found = Event.objects.filter(job_id=job.pk, type="job.found").get()
    assert (found.cause, found.actor) == ("worker", "worker01")
    assert (device().state, device().health, device().is_closed) == (
        DeviceState.IDLE,
        DeviceHealth.GOOD,
        False,
    )


def test_a_worker_that_comes_back_has_the_deadline_that_it_had(running: Job) -> None:
    fall_silent()

    come_back()

    assert again(running).deadline == running.start_time + JOB_TIMEOUT + timedelta(minutes=10)


def test_a_job_that_ended_while_its_worker_was_away_can_still_tell_it(running: Job) -> None:
    """As after a night in which the lab itself was down."""
    long_ago = timezone.now() - timedelta(hours=8)
    Job.objects.filter(pk=running.pk).update(start_time=long_ago, deadline=long_ago)

    fall_silent()
    come_back()

    assert again(running).state == State.RUNNING
    assert is_about(again(running).deadline, timedelta(minutes=10))


def test_a_job_whose_worker_came_back_at_the_last_moment_is_not_ended(running: Job) -> None:
    fall_silent()
    build.overdue(running)
    devices.worker_seen("worker01", version="2023.01")

    lifecycle.end_overdue(running.pk)
    scheduler.run_once()

    job = again(running)
    assert (job.state, job.lost_since) == (State.RUNNING, None)


def test_after_the_grace_time_a_lost_job_is_ended_for_a_reason_of_the_lab(running: Job) -> None:
    fall_silent()
    build.overdue(running)

    scheduler.run_once()

    job = again(running)
    assert (job.state, job.health, job.error_type) == (State.FINISHED, Health.INCOMPLETE, "Infrastructure")
    assert job.failure_comment == (
        "Its worker worker01 fell silent, and has not come back for 5 min (LOST_JOB_GRACE). "
        f"Ended by the lab at {job.end_time:%Y-%m-%d %H:%M:%S} UTC."
    )
    assert job.lost_since is None
    assert (device().health, device().is_closed) == (DeviceHealth.UNKNOWN, True)


def test_a_lost_job_whose_device_has_no_worker_any_more_is_ended_all_the_same(running: Job) -> None:
    fall_silent()
    Device.objects.filter(pk="qemu01").update(worker=None)
    build.overdue(running)

    scheduler.run_once()

    assert again(running).health == Health.INCOMPLETE
    assert device().is_closed


def test_when_its_worker_comes_back_too_late_the_board_opens_with_its_word(running: Job) -> None:
    fall_silent()
    build.overdue(running)
    scheduler.run_once()

    come_back()
    assert device().is_closed
    lifecycle.finish(running.pk, build.PASSED, worker="worker01")

    assert again(running).health == Health.INCOMPLETE
    assert (device().state, device().is_closed) == (DeviceState.IDLE, False)


def test_a_job_that_is_to_stop_is_flagged_and_stops_waiting_when_it_would_have(alice: User) -> None:
    job = build.job(submitter=alice, state=State.CANCELING)

    fall_silent()
    assert again(job).lost_since
    assert again(job).deadline == job.deadline
    build.overdue(job)
    scheduler.run_once()

    assert again(job).health == Health.CANCELED


def test_a_job_that_is_to_stop_has_the_grace_time_again_when_its_worker_is_back(alice: User) -> None:
    job = build.job(submitter=alice, state=State.CANCELING)
    fall_silent()
    Job.objects.filter(pk=job.pk).update(deadline=timezone.now() + timedelta(seconds=10))

    come_back()

    assert is_about(again(job).deadline, timedelta(minutes=5))


def test_a_lost_job_can_be_canceled(running: Job) -> None:
    fall_silent()

    lifecycle.cancel(running.pk, by="alice")

    assert is_about(again(running).deadline, timedelta(minutes=5))
    build.overdue(running)
    scheduler.run_once()
    assert again(running).health == Health.CANCELED


def test_a_word_that_comes_before_the_flag_is_cleared_ends_the_job(running: Job) -> None:
    fall_silent()

    lifecycle.finish(running.pk, build.PASSED, worker="worker01")

    assert (again(running).health, again(running).lost_since) == (Health.COMPLETE, None)


# An end that is not confirmed


@pytest.mark.parametrize(
    ("state", "device_state"),
    [
        (State.SCHEDULED, DeviceState.RESERVED),
        (State.RUNNING, DeviceState.RUNNING),
        (State.CANCELING, DeviceState.RUNNING),
    ],
    ids=str,
)
def test_the_device_of_a_job_that_the_lab_ended_is_closed(
    state: State, device_state: DeviceState, alice: User
) -> None:
    job = ended(alice, state)

    closed = device()
    assert (closed.state, closed.closed_by, closed.is_closed) == (device_state, job.pk, True)
    waiting = build.job(submitter=alice)
    assert scheduler.run_once() == 0
    assert again(waiting).state == State.SUBMITTED


def test_the_worker_s_word_opens_the_device_and_changes_nothing_of_the_job(alice: User) -> None:
    job = ended(alice)
    facts = Job.objects.filter(pk=job.pk).values().get()

    lifecycle.finish(job.pk, build.BROKEN, worker="worker01")

    assert Job.objects.filter(pk=job.pk).values().get() == facts
    assert not Attempt.objects.unconfirmed().exists()
    freed = device()
    assert (freed.state, freed.health, freed.is_closed) == (DeviceState.IDLE, DeviceHealth.GOOD, False)
    event = Event.objects.filter(subject="qemu01").latest("id")
    assert (event.data["state"], event.cause, event.actor) == ("Idle", "worker", "worker01")
    assert event.data["reason"] == "its worker confirmed that the job has stopped"


def test_the_worker_s_word_said_again_changes_nothing(alice: User) -> None:
    job = ended(alice)
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")
    build.job(submitter=alice, state=State.RUNNING)
    before = Event.objects.count()

    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    assert Event.objects.count() == before
    assert device().state == DeviceState.RUNNING


def test_a_word_about_an_earlier_attempt_confirms_that_one(alice: User) -> None:
    job = ended(alice)
    Job.objects.filter(pk=job.pk).update(attempt=2)

    lifecycle.confirm_end(job.pk, 1, worker="worker01")

    assert (device().state, device().is_closed) == (DeviceState.IDLE, False)


def test_a_device_in_maintenance_stays_there(alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED)
    devices.maintenance("qemu01", by="admin", reason="new cables")
    build.overdue(job)

    scheduler.run_once()
    assert (device().health, device().health_reason) == (DeviceHealth.MAINTENANCE, "new cables")

    lifecycle.finish(job.pk, build.BROKEN, worker="worker01")
    assert (device().health, device().state) == (DeviceHealth.MAINTENANCE, DeviceState.IDLE)


def test_a_job_whose_device_is_closed_cannot_be_deleted(alice: User, admin: User) -> None:
    job = ended(alice)

    with pytest.raises(StillInUse, match="may still run on qemu01"):
        upkeep.delete(job, by=admin)

    lifecycle.finish(job.pk, build.PASSED, worker="worker01")
    upkeep.delete(again(job), by=admin)
    assert not Job.objects.filter(pk=job.pk).exists()


def test_a_device_that_is_closed_cannot_be_deleted(alice: User) -> None:
    ended(alice)

    with pytest.raises(StillInUse, match="free it first"):
        device().delete()


def test_a_device_that_was_freed_goes_on_and_the_old_job_is_still_to_stop(alice: User) -> None:
    job = ended(alice)
    devices.free("qemu01", by="admin", reason="the board was off and on")
    new = build.job(submitter=alice, state=State.RUNNING)

    assert list(Attempt.objects.unconfirmed().values_list("job", flat=True)) == [job.pk]
    lifecycle.finish(job.pk, build.BROKEN, worker="worker01")

    assert not Attempt.objects.unconfirmed().exists()
    assert (device().state, again(new).state) == (DeviceState.RUNNING, State.RUNNING)


def test_a_job_whose_device_was_freed_can_be_deleted(alice: User, admin: User) -> None:
    job = ended(alice)
    devices.free("qemu01", by="admin", reason="scrapped the worker")

    upkeep.delete(job, by=admin)

    assert not Job.objects.filter(pk=job.pk).exists()


def test_a_retired_device_stays_closed(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    devices.retire("qemu01", by="admin")
    build.overdue(job)

    scheduler.run_once()

    assert again(job).health == Health.CANCELED
    assert (device().health, device().is_closed) == (DeviceHealth.RETIRED, True)


def test_what_was_ended_by_hand_frees_the_device_and_is_still_to_stop(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    job.state, job.health = State.FINISHED, Health.INCOMPLETE
    job.save()

    assert (device().state, device().is_closed) == (DeviceState.IDLE, False)
    assert list(Attempt.objects.unconfirmed().values_list("job", flat=True)) == [job.pk]


# Labs of an earlier version


def _fill_in() -> None:
    migration = import_module("jobs.migrations.0006_watchdogs")
    fill_in: Callable[..., None] = migration.fill_in
    fill_in(apps, None)


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (State.SUBMITTED, None),
        (State.SCHEDULED, timedelta(minutes=15)),
        (State.RUNNING, timedelta(minutes=15)),
        (State.CANCELING, timedelta(minutes=5)),
    ],
    ids=str,
)
def test_a_job_of_an_earlier_version_gets_its_deadline_counted_from_the_upgrade(
    state: State, after: timedelta | None, alice: User
) -> None:
    job = build.job(submitter=alice, state=state)
    Job.objects.filter(pk=job.pk).update(job_timeout=None, deadline=None)

    _fill_in()

    job = again(job)
    assert job.job_timeout == JOB_TIMEOUT
    assert job.deadline is None if after is None else is_about(job.deadline, after)


def test_a_definition_that_would_not_be_accepted_today_has_no_deadline(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    Job.objects.filter(pk=job.pk).update(job_timeout=None, deadline=None, definition="{")

    _fill_in()

    assert again(job).deadline is None


# Several at once


@pytest.mark.django_db(transaction=True)
def test_the_word_of_the_lab_and_of_the_worker_at_once_leave_no_device_closed(alice: User) -> None:
    names = [f"qemu{number}" for number in range(6)]
    jobs = [build.overdue(build.job(submitter=alice, state=State.RUNNING, device=name)).pk for name in names]

    def the_lab() -> None:
        for job in jobs:
            lifecycle.end_overdue(job)

    def the_worker() -> None:
        for job in jobs:
            lifecycle.finish(job, build.PASSED, worker="worker01")

    together(the_lab, the_worker)

    assert not Job.objects.unfinished().exists()
    assert not Attempt.objects.unconfirmed().exists()
    assert set(Device.objects.values_list("state", "closed_by")) == {(DeviceState.IDLE, None)}


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_end_a_job_once(alice: User) -> None:
    job = build.overdue(build.job(submitter=alice, state=State.RUNNING))

    together(*[scheduler.run_once] * 3)

    assert build.events_of(job).count("job.failed") == 1
