"""What jobs answer about themselves, who sees them, and what the database itself refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings

from devices.models import Right
from devices.states import WorkerState
from jobs import lifecycle, logs
from jobs.lifecycle import Ending
from jobs.models import Attempt, Job, expired
from jobs.states import Health, State
from tests import build

pytestmark = pytest.mark.django_db


def sees(user: Any, job: Job) -> bool:
    return Job.objects.visible_to(user).filter(pk=job.pk).exists()


def test_a_job_is_found_by_its_number() -> None:
    plain = build.job()
    server, client = build.members("server", "client", device="qemu02")

    found = {
        text: list(Job.objects.numbered(text))
        for text in (f"{plain.pk}", f"{server.pk}", f"{server.pk}.0", f"{server.pk}.1", f"{client.pk}")
    }

    assert list(found.values()) == [[plain], [server], [server], [client], [client]]


def test_what_is_no_number_finds_no_job() -> None:
    server, client = build.members("server", "client")

    wrong = (
        "",
        "abc",
        "-1",
        "٣",
        "9" * 19,
        f"{server.pk}.2",
        f"{client.pk}.0",
        f"{server.pk}.99999",
        "1.1.1",
        "1.",
        "1\n",
    )
    assert not [text for text in wrong if Job.objects.numbered(text).exists()]


def test_a_job_is_numbered_in_its_group_as_lava_does_it() -> None:
    plain = build.job()
    server, client = build.members("server", "client", device="qemu02")

    assert [plain.number, server.number, client.number] == [plain.pk, f"{server.pk}.0", f"{server.pk}.1"]
    assert plain.whole_definition == plain.definition
    assert client.whole_definition == server.whole_definition == client.group.definition


def test_a_public_job_is_seen_by_everybody(alice: User, mallory: User) -> None:
    job = build.job(submitter=alice)

    assert sees(AnonymousUser(), job)
    assert sees(mallory, job)


def test_a_personal_job_is_seen_by_its_submitter_and_administrators(
    alice: User, bob: User, admin: User
) -> None:
    job = build.job(submitter=alice, visibility="personal")

    assert sees(alice, job)
    assert sees(admin, job)
    assert not sees(bob, job)
    assert not sees(AnonymousUser(), job)


def test_a_job_for_groups_is_seen_by_who_is_in_all_of_them(alice: User, bob: User, mallory: User) -> None:
    build.group("boards").user_set.add(mallory)
    mallory.groups.add(build.group("kernel"))
    job = build.job(submitter=alice, visibility={"group": ["kernel", "boards"]})

    assert sees(alice, job)
    assert sees(mallory, job)
    assert not sees(bob, job)
    assert not sees(AnonymousUser(), job)


def test_a_job_whose_groups_are_gone_is_seen_by_its_submitter_alone(alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, visibility={"group": ["kernel"]})
    Group.objects.all().delete()

    assert sees(alice, job)
    assert not sees(mallory, job)


def test_nobody_sees_a_job_twice_in_a_list(alice: User) -> None:
    build.group("boards").user_set.add(alice)
    build.job(submitter=alice, visibility={"group": ["kernel", "boards"]})

    assert Job.objects.visible_to(alice).count() == 1


def test_a_job_is_changed_by_its_submitter_or_with_the_permission(
    alice: User, bob: User, mallory: User, admin: User
) -> None:
    job = build.job(submitter=alice)
    bob.user_permissions.add(Permission.objects.get(codename="change_job"))

    assert [job.may_be_changed_by(user) for user in (alice, bob, admin)] == [True, True, True]
    assert [job.may_be_changed_by(user) for user in (mallory, AnonymousUser())] == [False, False]


def test_the_queue_is_ordered_by_priority_then_age(alice: User) -> None:
    low, medium, older, high = (
        build.job(submitter=alice, priority=priority) for priority in ("low", "medium", "medium", "high")
    )
    Job.objects.filter(pk=older.pk).update(submit_time=timezone.now() - timedelta(hours=1))
    build.job(submitter=alice, state=State.RUNNING)

    assert list(Job.objects.queued()) == [high, older, medium, low]


def test_the_jobs_of_a_worker_are_those_on_its_devices(alice: User) -> None:
    build.worker("worker02", state=WorkerState.ONLINE)
    running = build.job(submitter=alice, state=State.RUNNING)
    build.job(submitter=alice)

    assert list(Job.objects.of_worker("worker01")) == [running]
    assert list(Job.objects.of_worker("worker02")) == []


def test_a_job_has_expired_when_it_waited_longer_than_its_queue_timeout(alice: User) -> None:
    timeouts = {"job": {"minutes": 5}, "queue": {"minutes": 10}}
    job = build.job(submitter=alice, timeouts=timeouts)
    build.job(submitter=alice)
    build.job(submitter=alice, timeouts=timeouts, state=State.RUNNING)

    assert list(expired(job.submit_time + timedelta(minutes=9))) == []
    assert list(expired(job.submit_time + timedelta(minutes=11))) == [job]


def test_a_log_lies_by_the_day_of_submission_the_job_and_the_attempt(alice: User, settings: Settings) -> None:
    job = build.job(submitter=alice)
    job.submit_time = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)

    assert job.log_directory() == settings.LOGS / "2026/11/22" / str(job.pk) / "1"
    assert job.log_directory(3).name == "3"
    assert logs.size(job.log_directory()) == 0


def test_times_of_a_job_are_counted_from_where_they_began(alice: User) -> None:
    job = build.job(submitter=alice)
    now = timezone.now()
    job.submit_time = now - timedelta(minutes=3)
    assert job.duration is None
    job.start_time = now - timedelta(minutes=2)
    job.end_time = now

    assert (job.waited, job.duration) == (timedelta(minutes=1), timedelta(minutes=2))


@pytest.mark.parametrize(
    "broken",
    [
        {"state": State.FINISHED, "health": Health.COMPLETE},
        {"end_time": timezone.now()},
        {"state": State.FINISHED, "end_time": timezone.now()},
        {"health": Health.COMPLETE},
        {"state": State.RUNNING},
    ],
    ids=[
        "end without a time",
        "time without an end",
        "end without a health",
        "health too early",
        "no device",
    ],
)
def test_the_database_refuses_a_job_that_contradicts_itself(broken: dict[str, Any], alice: User) -> None:
    job = build.job(submitter=alice)

    with pytest.raises(IntegrityError), transaction.atomic():
        Job._base_manager.filter(pk=job.pk).update(**broken)


def test_the_database_refuses_a_second_attempt_of_the_same_number(alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED)

    with pytest.raises(IntegrityError), transaction.atomic():
        Attempt.objects.create(job=job, number=1, device_name="qemu01")


def test_a_public_job_on_a_device_that_is_hidden_is_seen_by_who_sees_the_device(
    group: Group, alice: User, bob: User, mallory: User
) -> None:
    job = build.job(submitter=mallory, state=State.RUNNING)
    build.right(group, "qemu01", Right.VIEW)

    assert sees(alice, job)
    assert sees(mallory, job)  # it is hers
    assert not sees(build.user("carol"), job)
    assert not sees(AnonymousUser(), job)


def test_a_public_job_that_waits_is_hidden_with_the_type_it_asks_for(group: Group, alice: User) -> None:
    job = build.job(submitter=alice)
    build.right(group, "qemu", Right.VIEW)

    assert sees(build.user("bob", group), job)
    assert not sees(build.user("carol"), job)
    assert not sees(AnonymousUser(), job)


def test_a_job_for_a_group_is_seen_by_the_group_wherever_it_runs(
    group: Group, alice: User, bob: User
) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, visibility={"group": ["kernel"]})
    build.right(build.group("testers"), "qemu01", Right.VIEW)

    assert sees(bob, job)


@pytest.mark.parametrize("on", ["qemu01", "qemu"])
def test_who_looks_after_the_device_changes_its_jobs(
    on: str, group: Group, alice: User, mallory: User
) -> None:
    running = build.job(submitter=mallory, state=State.RUNNING)
    build.right(group, on, Right.CHANGE)

    assert running.may_be_changed_by(alice)
    assert not running.may_be_changed_by(build.user("carol"))
    assert build.job(submitter=mallory).may_be_changed_by(alice) == (on == "qemu")


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [(build.PASSED, "pass"), (build.FAILED, "fail"), (build.BROKEN, "infrastructure")],
)
def test_the_outcome_says_in_one_word_whose_fault_it_was(ending: Ending, outcome: str, alice: User) -> None:
    assert build.job(submitter=alice, state=State.FINISHED, ending=ending).outcome == outcome


def test_a_job_that_goes_on_has_no_outcome_and_one_that_was_stopped_is_canceled(alice: User) -> None:
    job = build.job(submitter=alice)
    assert job.outcome == ""

    assert lifecycle.cancel(job.pk, by="alice").outcome == "canceled"


def test_a_complete_job_with_a_failed_test_has_failed(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    build.case(job, name="boots", result="pass")
    build.case(job, name="sound", result="fail")

    assert lifecycle.finish(job.pk, build.PASSED, worker="worker01").outcome == "fail"


def test_an_action_of_the_dispatcher_that_was_tried_again_is_no_failed_test(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    build.case(job, suite="lava", name="login-action", result="fail")

    assert lifecycle.finish(job.pk, build.PASSED, worker="worker01").outcome == "pass"
