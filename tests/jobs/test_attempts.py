"""What follows an attempt that failed or asked to be put off. Clocks are moved by moving times in rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.rights import NotAllowed
from devices import lifecycle as devices
from devices.lifecycle import StillInUse
from devices.models import Device, DeviceType
from devices.states import DeviceHealth, DeviceState
from events.models import Event
from jobs import attempts, lifecycle, scheduler, upkeep, waiting
from jobs.attempts import NotDeferrable
from jobs.lifecycle import Ending
from jobs.matching import Cause
from jobs.models import Attempt, Job
from jobs.states import Health, InvalidMove, Outcome, State
from tests import build
from tests.parallel import together

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def again(job: Job) -> Job:
    found: Job = Job.objects.get(pk=job.pk)
    return found


def is_about(moment: Any, after: timedelta) -> bool:
    return abs(moment - timezone.now() - after) < timedelta(seconds=30)


def fail(job: Job, ending: Ending = build.BROKEN) -> Job:
    lifecycle.finish(job.pk, ending, worker="worker01")
    return again(job)


def run_next(job: Job, device: str = "qemu01") -> Job:
    """The job's next attempt runs, whatever it waited for."""
    lifecycle.schedule(job.pk, device)
    lifecycle.start(job.pk, worker="worker01")
    return again(job)


# Retry


def test_a_job_that_says_nothing_of_it_is_not_tried_again(alice: User) -> None:
    job = fail(build.job(submitter=alice, state=State.RUNNING))

    assert (job.state, job.attempt, job.outcome) == (State.FINISHED, 1, Outcome.INFRASTRUCTURE)


def test_after_an_error_of_the_lab_the_job_waits_for_its_next_attempt(alice: User) -> None:
    job = build.tried_again(submitter=alice)

    assert (job.state, job.health, job.outcome) == (State.SUBMITTED, Health.UNKNOWN, "")
    assert (job.attempt, job.device, job.start_time, job.end_time) == (2, None, None, None)
    assert is_about(job.not_before, timedelta(minutes=1))
    assert job.not_before_reason == ("attempt 1 of 3 failed (Infrastructure error)")


def test_the_attempt_that_failed_keeps_how_it_ended(alice: User) -> None:
    job = build.tried_again(submitter=alice)

    (first,) = job.attempts.all()
    assert (first.number, first.device_name, first.result) == (1, "qemu01", "fail")
    assert (first.error_type, first.errors) == ("Infrastructure", "the power switch is gone")
    assert first.ended is not None
    assert first.is_over


def test_the_device_is_free_and_suspect_as_after_any_error_of_the_lab(alice: User) -> None:
    build.tried_again(submitter=alice)

    device = Device.objects.get()
    assert (device.state, device.health) == (DeviceState.IDLE, DeviceHealth.UNKNOWN)


def test_the_event_of_it_is_about_the_attempt_that_failed_and_says_when_the_next_one_is(alice: User) -> None:
    job = build.tried_again(submitter=alice)

    event = Event.objects.get(type="job.attempt_failed")
    assert (event.attempt, event.data["attempt"]) == (1, 1)
    assert (event.data["state"], event.data["previous_state"]) == ("Submitted", "Running")
    assert event.data["not_before"] == job.not_before.isoformat()
    assert event.data["reason"] == job.not_before_reason


def test_a_job_that_could_not_be_started_is_tried_again_too(alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED, lava_lite={"retry": 2})

    job = fail(job)

    assert (job.state, job.attempt) == (State.SUBMITTED, 2)


@pytest.mark.parametrize("ending", [build.FAILED, build.PASSED], ids=["failed", "passed"])
def test_what_is_not_the_labs_fault_is_not_tried_again(ending: Ending, alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, lava_lite={"retry": 3})

    job = fail(job, ending)

    assert (job.state, job.attempt) == (State.FINISHED, 1)


def test_a_job_names_the_errors_after_which_it_is_tried_again(alice: User) -> None:
    retry = {"attempts": 2, "errors": ["Job"]}
    job = build.job(submitter=alice, state=State.RUNNING, lava_lite={"retry": retry})

    job = fail(job, build.FAILED)

    assert (job.state, job.attempt) == (State.SUBMITTED, 2)


def test_after_its_last_attempt_the_job_is_over_with_the_error_of_that_one(alice: User) -> None:
    job = build.tried_again(submitter=alice)
    job = fail(run_next(job))

    job = fail(run_next(job), Ending(passed=False, error_type="Infrastructure", errors="no network"))

    assert (job.state, job.attempt, job.outcome) == (State.FINISHED, 3, Outcome.INFRASTRUCTURE)
    assert (job.error_type, job.failure_comment) == ("Infrastructure", "no network")
    assert build.events_of(job).count("job.attempt_failed") == 2
    assert build.events_of(job)[-1] == "job.failed"


def test_a_job_that_passes_in_its_second_attempt_has_passed(alice: User) -> None:
    job = build.tried_again(submitter=alice)

    job = fail(run_next(job), build.PASSED)

    assert (job.state, job.attempt, job.outcome) == (State.FINISHED, 2, Outcome.PASS)
    assert (job.error_type, job.failure_comment) == ("", "")
    assert [attempt.result for attempt in job.attempts.all()] == ["fail", "pass"]


def test_only_the_results_of_the_latest_attempt_decide(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, lava_lite={"retry": 2})
    build.case(job, result="fail")

    job = fail(run_next(fail(job)), build.PASSED)

    assert job.outcome == Outcome.PASS


def test_each_delay_is_longer_than_the_one_before_up_to_the_longest(alice: User) -> None:
    retry = {"attempts": 5, "delay": {"minutes": 1}, "backoff": 3, "max_delay": {"minutes": 5}}
    job = fail(build.job(submitter=alice, state=State.RUNNING, lava_lite={"retry": retry}))

    delays = [job.not_before - timezone.now()]
    for _ in range(2):
        job = fail(run_next(job))
        delays.append(job.not_before - timezone.now())

    assert [round(delay.total_seconds() / 60) for delay in delays] == [1, 3, 5]


def test_the_device_type_says_how_its_jobs_are_tried_again(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    DeviceType.objects.update(retry_attempts=2, retry_delay=HOUR)

    job = fail(job)

    assert (job.state, job.attempt) == (State.SUBMITTED, 2)
    assert is_about(job.not_before, HOUR)


def test_what_a_job_says_counts_before_what_its_type_says(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, lava_lite={"retry": 1})
    DeviceType.objects.update(retry_attempts=5)

    assert fail(job).state == State.FINISHED


def test_a_canceled_job_is_not_tried_again(alice: User) -> None:
    job = build.job(submitter=alice, state=State.CANCELING, lava_lite={"retry": 3})

    job = fail(job)

    assert (job.state, job.health) == (State.FINISHED, Health.CANCELED)


def test_a_job_that_waits_for_its_next_attempt_can_be_canceled(alice: User) -> None:
    job = build.tried_again(submitter=alice)

    lifecycle.cancel(job.pk, by="alice", reason="not needed")

    job = again(job)
    assert (job.state, job.outcome, job.not_before) == (State.FINISHED, Outcome.CANCELED, None)
    assert job.attempt == 1  # the last one that it had
    assert build.events_of(job)[-2:] == ["job.removal_requested", "job.removed"]


def test_a_job_that_waits_for_its_next_attempt_can_be_deleted(alice: User, admin: User) -> None:
    upkeep.delete(build.tried_again(submitter=alice), by=admin)

    assert not Job.objects.exists()


def test_the_word_of_an_attempt_that_is_over_changes_nothing_of_the_next_one(alice: User) -> None:
    job = run_next(build.tried_again(submitter=alice))

    lifecycle.start(job.pk, worker="worker01", attempt=1)
    lifecycle.finish(job.pk, build.PASSED, worker="worker01", attempt=1)

    job = again(job)
    assert (job.state, job.attempt) == (State.RUNNING, 2)


def test_every_attempt_has_its_own_flag_of_overtime(alice: User) -> None:
    ours = {"retry": 2, "wall_time": {"seconds": 1}}
    job = build.job(submitter=alice, state=State.RUNNING, lava_lite=ours)
    Job.objects.filter(pk=job.pk).update(start_time=timezone.now() - HOUR)
    lifecycle.flag_overtime(job.pk)

    job = fail(job)

    assert (job.overtime_since, job.lost_since) == (None, None)


# Jobs that the lab ended by itself


def given_up(alice: User) -> Job:
    retry = {"attempts": 2, "errors": ["Job"]}
    return build.given_up(submitter=alice, lava_lite={"retry": retry})


def test_a_job_that_the_lab_ended_by_itself_is_tried_again(alice: User) -> None:
    job = given_up(alice)

    assert (job.state, job.attempt, job.device) == (State.SUBMITTED, 2, None)
    assert job.not_before_reason == "attempt 1 of 2 failed (Job error)"


def test_the_device_of_the_old_attempt_stays_closed_while_the_next_one_runs_elsewhere(alice: User) -> None:
    job = build.due(given_up(alice))
    build.device("qemu02")

    scheduler.run_once()

    job = again(job)
    assert (job.state, job.device_id) == (State.SCHEDULED, "qemu02")
    assert Device.objects.get(pk="qemu01").closed_by == job.pk


def test_without_another_device_the_next_attempt_waits_for_the_word_of_the_worker(alice: User) -> None:
    job = build.due(given_up(alice))

    scheduler.run_once()
    assert again(job).state == State.SUBMITTED

    lifecycle.finish(job.pk, build.FAILED, worker="worker01", attempt=1)
    scheduler.run_once()
    assert (again(job).state, again(job).device_id) == (State.SCHEDULED, "qemu01")


def test_the_worker_confirms_an_old_attempt_while_the_next_one_runs(alice: User) -> None:
    job = given_up(alice)
    build.device("qemu02")
    job = run_next(job, "qemu02")

    lifecycle.finish(job.pk, build.FAILED, worker="worker01", attempt=1)

    assert (again(job).state, again(job).attempt) == (State.RUNNING, 2)
    assert Device.objects.get(pk="qemu01").state == DeviceState.IDLE
    assert not Attempt.objects.unconfirmed().exists()


def test_the_worker_confirms_an_attempt_of_a_job_that_was_canceled_meanwhile(alice: User) -> None:
    job = given_up(alice)
    lifecycle.cancel(job.pk, by="alice")

    lifecycle.finish(job.pk, build.FAILED, worker="worker01", attempt=1)

    assert Device.objects.get().state == DeviceState.IDLE


def test_a_job_is_not_deleted_while_something_of_an_earlier_attempt_may_run(alice: User, admin: User) -> None:
    job = given_up(alice)
    lifecycle.cancel(job.pk, by="alice")

    with pytest.raises(StillInUse, match="may still run on qemu01"):
        upkeep.delete(again(job), by=admin)


def test_a_job_of_a_lost_worker_is_tried_again_by_default(alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED, lava_lite={"retry": 2})

    lifecycle.end_overdue(build.overdue(job).pk)

    assert (again(job).state, again(job).attempt) == (State.SUBMITTED, 2)


# Not before


def test_the_scheduler_leaves_out_a_job_that_is_put_off_until_its_time_has_come(alice: User) -> None:
    job = build.tried_again(submitter=alice)

    assert scheduler.run_once() == 0
    build.due(job)
    assert scheduler.run_once() == 1

    job = again(job)
    assert (job.state, job.not_before, job.not_before_reason, job.requeue) == (State.SCHEDULED, None, "", "")


def test_a_job_that_is_put_off_lets_others_go_before_it(alice: User) -> None:
    build.tried_again(submitter=alice, priority="high")
    other = build.job(submitter=alice, priority="low")

    scheduler.run_once()

    assert again(other).state == State.SCHEDULED


def test_a_pass_asks_as_many_questions_however_many_jobs_are_put_off(alice: User) -> None:
    def questions() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            scheduler.run_once()
        return len(asked)

    build.device()
    later = build.definition(lava_lite={"defer": {"delay": {"hours": 1}}})
    lifecycle.submit(later, by=alice)
    of_one = questions()
    for _ in range(5):
        lifecycle.submit(later, by=alice)

    assert questions() == of_one


def test_the_scheduler_knows_when_the_next_job_is_due(alice: User) -> None:
    passes = scheduler.Passes()
    assert passes.until_next() is None

    build.tried_again(submitter=alice)

    seconds = passes.until_next()
    assert seconds is not None
    assert 50 < seconds <= 60


def test_the_time_in_the_queue_is_counted_from_when_the_job_entered_it_again(alice: User) -> None:
    job = build.job(
        submitter=alice,
        state=State.RUNNING,
        lava_lite={"retry": 2},
        timeouts={"job": {"minutes": 5}, "queue": {"minutes": 10}},
    )
    Job.objects.filter(pk=job.pk).update(submit_time=timezone.now() - HOUR)
    job = fail(job)

    scheduler.run_once()
    assert again(job).state == State.SUBMITTED

    past = timezone.now() - timedelta(minutes=11)
    Job.objects.filter(pk=job.pk).update(not_before=past, queued_since=past)
    devices.maintenance("qemu01", by="admin")
    scheduler.run_once()
    assert again(job).health == Health.CANCELED


def test_a_job_that_was_put_off_in_the_last_moment_is_not_taken_out_of_the_queue(alice: User) -> None:
    job = build.tried_again(submitter=alice)

    lifecycle.expire(job.pk)

    assert again(job).state == State.SUBMITTED


def test_a_job_says_that_it_is_tried_again_and_when_and_why(alice: User) -> None:
    job = build.tried_again(submitter=alice)

    prospect = waiting.Prospect.of(job)

    assert prospect.reason.cause == Cause.RETRY
    assert prospect.reason.sentence == (
        f"It is tried again at {job.not_before:%Y-%m-%d %H:%M:%S} UTC: "
        "attempt 1 of 3 failed (Infrastructure error)."
    )
    assert (prospect.place, prospect.wait) == (None, None)


def test_a_job_says_that_it_is_deferred_until_when_and_why(alice: User) -> None:
    job = build.job(submitter=alice)

    job = attempts.defer(job.pk, timezone.now() + HOUR, by="alice", reason="the lab is full")

    assert waiting.reason(job).cause == Cause.DEFERRED
    assert waiting.reason(job).sentence == (
        f"Deferred until {job.not_before:%Y-%m-%d %H:%M:%S} UTC: the lab is full."
    )


# Deferral by a person, or by the definition


def test_a_definition_asks_for_a_later_time(alice: User) -> None:
    build.device()
    text = build.definition(lava_lite={"defer": {"until": "2030-01-02 03:04:05", "reason": "at night"}})

    job = lifecycle.submit(text, by=alice)

    assert f"{job.not_before:%Y-%m-%d %H:%M:%S}" == "2030-01-02 03:04:05"
    assert job.not_before_reason == "at night"
    assert build.events_of(job) == ["job.submitted", "job.deferred"]


def test_a_definition_asks_for_a_delay(alice: User) -> None:
    build.device()

    job = lifecycle.submit(build.definition(lava_lite={"defer": {"delay": {"hours": 1}}}), by=alice)

    assert is_about(job.not_before, HOUR)


def test_a_time_that_is_over_already_defers_nothing(alice: User) -> None:
    build.device()

    job = lifecycle.submit(build.definition(lava_lite={"defer": {"until": "2020-01-01"}}), by=alice)

    assert job.not_before is None
    assert build.events_of(job) == ["job.submitted"]


def test_a_person_defers_a_job_that_waits_and_it_is_noted(alice: User) -> None:
    job = build.job(submitter=alice)
    until = timezone.now() + HOUR

    attempts.defer_for(job, until, user=alice, reason="the lab is full")

    assert again(job).not_before == until
    assert build.events_of(job)[-1] == "job.deferred"
    assert "Deferred until" in build.audit_trail()[-1]


@pytest.mark.parametrize("state", [State.RUNNING, State.FINISHED])
@pytest.mark.parametrize("verb", ["defer", "hurry"])
def test_a_job_that_has_left_the_queue_is_neither_deferred_nor_hurried(
    verb: str, state: State, alice: User
) -> None:
    job = build.job(submitter=alice, state=state)
    deeds: dict[str, Callable[[], object]] = {
        "defer": lambda: attempts.defer(job.pk, timezone.now() + HOUR, by="alice"),
        "hurry": lambda: attempts.hurry(job.pk, by="alice"),
    }

    with pytest.raises(InvalidMove, match="only a job that waits"):
        deeds[verb]()


def test_a_job_is_not_deferred_to_a_time_that_is_over(alice: User) -> None:
    with pytest.raises(NotDeferrable, match="is over"):
        attempts.defer(build.job(submitter=alice).pk, timezone.now() - HOUR, by="alice")


def test_a_job_is_not_deferred_beyond_its_limit(alice: User, settings: Settings) -> None:
    settings.DEFER_LIMIT = 60
    job = build.job(submitter=alice)

    with pytest.raises(NotDeferrable, match=r"1 min in all \(lava_lite.defer.limit, DEFER_LIMIT\)"):
        attempts.defer(job.pk, timezone.now() + HOUR, by="alice")

    assert again(job).not_before is None


def test_the_limit_counts_from_the_first_time_that_a_job_was_put_off(alice: User) -> None:
    job = build.job(submitter=alice, lava_lite={"defer": {"limit": {"hours": 2}}})
    attempts.defer(job.pk, timezone.now() + HOUR, by="alice")
    Job.objects.filter(pk=job.pk).update(deferred_since=timezone.now() - 2 * HOUR)

    with pytest.raises(NotDeferrable):
        attempts.defer(job.pk, timezone.now() + HOUR, by="alice")


def test_the_limit_of_a_job_that_was_planned_for_later_counts_from_that_time(alice: User) -> None:
    build.device()
    text = build.definition(lava_lite={"defer": {"delay": {"days": 30}, "limit": {"hours": 2}}})
    job = lifecycle.submit(text, by=alice)

    attempts.defer(job.pk, job.not_before + HOUR, by="alice")

    with pytest.raises(NotDeferrable):
        attempts.defer(job.pk, job.not_before + 3 * HOUR, by="alice")


def test_a_job_that_is_hurried_waits_for_a_device_alone(alice: User) -> None:
    job = build.tried_again(submitter=alice)

    attempts.hurry_for(job, user=alice)
    scheduler.run_once()

    assert again(job).state == State.SCHEDULED
    assert "job.hurried" in build.events_of(job)


def test_hurrying_a_job_that_waits_for_a_device_changes_nothing(alice: User) -> None:
    job = build.job(submitter=alice)

    attempts.hurry_for(job, user=alice)

    assert build.events_of(job) == ["job.submitted"]
    assert build.audit_trail() == []


def test_a_stranger_neither_defers_nor_hurries(alice: User, mallory: User) -> None:
    job = build.tried_again(submitter=alice)

    with pytest.raises(NotAllowed, match="alice's; you may not defer it"):
        attempts.defer_for(job, timezone.now() + HOUR, user=mallory)
    with pytest.raises(NotAllowed, match="alice's; you may not hurry it"):
        attempts.hurry_for(job, user=mallory)


# Deferral by the test itself


@pytest.mark.parametrize("ending", [build.PASSED, build.FAILED, build.BROKEN], ids=["pass", "fail", "broken"])
def test_a_job_whose_test_asked_to_be_put_off_runs_again_later_however_it_ended(
    ending: Ending, alice: User
) -> None:
    job = build.asking_for_deferral(HOUR, submitter=alice)

    job = fail(job, ending)

    assert (job.state, job.attempt) == (State.SUBMITTED, 2)
    assert is_about(job.not_before, HOUR)
    assert job.not_before_reason == "the server is down"
    assert build.events_of(job)[-1] == "job.deferred"


def test_an_attempt_that_was_put_off_is_none_of_those_that_may_fail(alice: User) -> None:
    job = build.asking_for_deferral(HOUR, submitter=alice, lava_lite={"retry": 2})
    job = run_next(fail(job))

    job = fail(job)

    assert (job.state, job.attempt) == (State.SUBMITTED, 3)
    assert job.not_before_reason.startswith("attempt 1 of 2 failed")


def test_a_job_that_wants_to_be_put_off_for_longer_than_it_may_ends_inactive(alice: User) -> None:
    ours = {"defer": {"limit": {"minutes": 30}}}
    job = build.asking_for_deferral(HOUR, submitter=alice, lava_lite=ours)

    job = fail(job, build.PASSED)

    assert (job.state, job.health, job.outcome) == (State.FINISHED, Health.INCOMPLETE, Outcome.FAIL)
    assert "(the server is down), and may be put off for 30 min in all" in job.failure_comment
    assert build.events_of(job)[-2:] == ["job.deferred", "job.inactivated"]


def test_a_test_may_ask_to_be_run_again_at_once(alice: User) -> None:
    job = fail(build.asking_for_deferral(timedelta(0), submitter=alice))

    assert (job.state, job.attempt, job.is_put_off) == (State.SUBMITTED, 2, False)


def test_a_job_that_is_canceled_while_its_test_asks_to_be_put_off_is_canceled(alice: User) -> None:
    job = build.asking_for_deferral(HOUR, submitter=alice)
    lifecycle.cancel(job.pk, by="alice")

    assert fail(job).health == Health.CANCELED


# Two at the same time


@pytest.mark.django_db(transaction=True)
def test_two_who_say_the_same_end_make_one_further_attempt(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, lava_lite={"retry": 5})
    say = partial(lifecycle.finish, job.pk, build.BROKEN, worker="worker01", attempt=1)

    together(say, say)

    assert again(job).attempt == 2
    assert build.events_of(job).count("job.attempt_failed") == 1


@pytest.mark.django_db(transaction=True)
def test_the_watchdog_and_the_worker_at_once_make_one_further_attempt(alice: User) -> None:
    retry = {"attempts": 5, "errors": ["Job", "Infrastructure"]}
    job = build.overdue(build.job(submitter=alice, state=State.RUNNING, lava_lite={"retry": retry}))

    together(
        partial(lifecycle.finish, job.pk, build.BROKEN, worker="worker01", attempt=1),
        partial(lifecycle.end_overdue, job.pk),
    )

    assert again(job).attempt == 2
    assert Device.objects.get().state == DeviceState.IDLE
