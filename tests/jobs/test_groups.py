"""The verbs of a job's life, asked of one that belongs to a group."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.rights import NotAllowed
from devices import lifecycle as devices
from devices.lifecycle import DeviceBusy, WorkerFull
from devices.models import Device, Right, Worker
from devices.states import DeviceHealth, DeviceState
from events import lava
from events.models import Event
from jobs import attempts, lifecycle, scheduler, upkeep, waiting
from jobs.definition import InvalidDefinition
from jobs.matching import Cause
from jobs.models import Job, JobGroup
from jobs.rules import hide_jobs
from jobs.states import Health, InvalidMove, State
from jobs.waiting import Prospect
from tests import build

pytestmark = pytest.mark.django_db


def states(job: Job) -> list[State]:
    return [State(each.state) for each in job.members]


def devices_of(jobs: list[Job]) -> dict[int, str]:
    return {job.pk: f"qemu{number:02}" for number, job in enumerate(jobs, start=1)}


def scheduled(*roles: str) -> list[Job]:
    jobs = build.members(*roles)
    return lifecycle.schedule_together(devices_of(jobs))


def running(*roles: str) -> list[Job]:
    return [lifecycle.start(job.pk, worker="worker01") for job in scheduled(*roles)]


# Into the queue


def test_a_group_is_submitted_as_one_job_for_each_member(alice: User) -> None:
    build.device("qemu01")
    build.device("qemu02")

    first = lifecycle.submit(build.multinode("server", "client"), by=alice)

    jobs = first.members
    assert [(job.member, job.role, job.is_essential) for job in jobs] == [
        (0, "server", True),
        (1, "client", False),
    ]
    assert [job.number for job in jobs] == [f"{first.pk}.0", f"{first.pk}.1"]
    assert {job.submit_time for job in jobs} == {first.submit_time}
    assert first.group is not None
    assert first.group.definition == build.multinode("server", "client")


def test_the_world_hears_of_each_member_by_its_number(alice: User) -> None:
    jobs = build.members("server", "client")

    told = [
        (event.data["job"], event.data["sub_id"], event.data["target_group"], event.data["role"])
        for event in Event.objects.filter(type="job.submitted").order_by("pk")
    ]

    group = str(jobs[0].group_id)
    assert told == [(job.number, job.number, group, job.role) for job in jobs]


def test_a_group_whose_roles_this_lab_cannot_serve_is_refused_whole(alice: User) -> None:
    build.device("qemu01")

    with pytest.raises(InvalidDefinition) as refused:
        lifecycle.submit(build.multinode("server", "client", tags={"client": ["hdmi"]}), by=alice)

    (fault,) = refused.value.faults
    assert fault.path == "protocols.lava-multinode.roles.client.tags"
    assert "there is no tag hdmi here" in fault.message
    assert not Job.objects.exists()
    assert not JobGroup.objects.exists()


def test_a_group_that_is_larger_than_the_lab_is_refused(alice: User) -> None:
    build.device("qemu01")

    with pytest.raises(
        InvalidDefinition, match="the group needs 2 devices at once, and the lab has only 1 that fit"
    ):
        lifecycle.submit(build.multinode("server", "client"), by=alice)


def test_one_job_of_a_group_cannot_be_submitted_alone(alice: User) -> None:
    jobs = build.members("server", "client")

    with pytest.raises(InvalidDefinition, match="submit the definition of the whole group"):
        lifecycle.submit(jobs[1].definition, by=alice)


def test_two_jobs_cannot_have_the_same_place_in_a_group() -> None:
    first, second = build.members("server", "client")

    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=second.pk).update(member=first.member)


# A device for each


def test_all_members_get_their_devices_at_once() -> None:
    jobs = scheduled("server", "client")

    assert states(jobs[0]) == [State.SCHEDULED, State.SCHEDULED]
    assert {job.device_id for job in jobs} == {"qemu01", "qemu02"}
    assert set(Device.objects.values_list("state", flat=True)) == {DeviceState.RESERVED}


def test_no_member_gets_a_device_if_one_of_them_is_taken() -> None:
    jobs = build.members("server", "client")
    other = build.job(device="qemu02")
    lifecycle.schedule(other.pk, "qemu02")

    with pytest.raises(DeviceBusy):
        lifecycle.schedule_together(devices_of(jobs))

    assert states(jobs[0]) == [State.SUBMITTED, State.SUBMITTED]
    assert Device.objects.get(pk="qemu01").state == DeviceState.IDLE


def test_no_member_gets_a_device_if_the_worker_has_no_room_for_all() -> None:
    jobs = build.members("server", "client")
    Worker.objects.filter(pk="worker01").update(job_limit=1)

    with pytest.raises(WorkerFull, match="no room for 2 more"):
        lifecycle.schedule_together(devices_of(jobs))

    assert states(jobs[0]) == [State.SUBMITTED, State.SUBMITTED]


def test_a_member_gets_no_device_without_the_others() -> None:
    jobs = build.members("server", "client")

    with pytest.raises(InvalidMove, match="together with all of its group"):
        lifecycle.schedule(jobs[0].pk, "qemu01")


def test_a_devices_events_have_the_number_of_the_member() -> None:
    first, _ = scheduled("server", "client")

    event = Event.objects.filter(type="device.changed", subject="qemu01").latest("pk")

    assert event.data["job"] == first.number
    frame = lava.frames(event)
    assert frame is not None
    assert f'"job": "{first.pk}.0"' in frame[4]


# The end


def test_a_member_that_is_canceled_takes_the_group_with_it() -> None:
    first, second = running("server", "client")

    lifecycle.cancel(second.pk, by="alice", reason="wrong image")

    assert states(first) == [State.CANCELING, State.CANCELING]


def test_a_waiting_group_leaves_the_queue_as_one() -> None:
    first, second = build.members("server", "client")

    lifecycle.cancel(first.pk, by="alice")

    assert [job.health for job in first.members] == [Health.CANCELED, Health.CANCELED]
    assert second.pk in Job.objects.filter(state=State.FINISHED).values_list("pk", flat=True)


def test_whoever_may_not_cancel_a_member_cancels_nothing(mallory: User) -> None:
    first, _ = build.members("server", "client")

    with pytest.raises(NotAllowed, match=rf"job {first.pk}\.0 is alice's; you may not cancel it"):
        lifecycle.cancel_for(first, mallory)

    assert states(first) == [State.SUBMITTED, State.SUBMITTED]


def test_a_group_that_waits_for_too_long_ends_as_one() -> None:
    first, _ = build.members("server", "client")

    lifecycle.expire(first.pk)

    assert states(first) == [State.FINISHED, State.FINISHED]


def test_a_group_goes_on_without_a_member_that_is_not_essential() -> None:
    server, client = running("server", "client")

    lifecycle.finish(client.pk, build.FAILED, worker="worker01")

    assert states(server) == [State.RUNNING, State.FINISHED]


def test_an_essential_member_that_fails_has_the_others_canceled() -> None:
    server, client = running("server", "client")

    lifecycle.finish(server.pk, build.FAILED, worker="worker01")

    client.refresh_from_db()
    assert states(server) == [State.FINISHED, State.CANCELING]
    assert client.failure_comment == (
        f"Job {server.number} failed, and the group cannot go on without its server."
    )


def test_an_essential_member_that_passes_leaves_the_others_alone() -> None:
    server, _ = running("server", "client")

    lifecycle.finish(server.pk, build.PASSED, worker="worker01")

    assert states(server) == [State.FINISHED, State.RUNNING]


def test_an_essential_member_that_the_lab_ends_has_the_others_canceled() -> None:
    server, _ = running("server", "client")

    lifecycle.end_overdue(build.overdue(server).pk)

    assert states(server) == [State.FINISHED, State.CANCELING]


def test_a_member_that_failed_is_not_tried_again_alone() -> None:
    build.device_type(retry_attempts=3)
    server, client = running("server", "client")

    lifecycle.finish(client.pk, build.BROKEN, worker="worker01")

    client.refresh_from_db()
    assert (client.state, client.health, client.attempt) == (State.FINISHED, Health.INCOMPLETE, 1)
    assert states(server)[0] == State.RUNNING


def test_a_retired_device_takes_the_whole_group_of_its_job_with_it() -> None:
    first, _ = running("server", "client")

    devices.retire("qemu02", by="admin", reason="burnt")

    assert states(first) == [State.CANCELING, State.CANCELING]
    assert Device.objects.get(pk="qemu01").health == DeviceHealth.GOOD


# Later, sooner, again


def test_a_group_is_put_off_and_hurried_as_one() -> None:
    first, second = build.members("server", "client")

    attempts.defer(second.pk, timezone.now() + timedelta(hours=1), by="alice", reason="at night")
    put_off = [job.is_put_off for job in first.members]
    attempts.hurry(first.pk, by="alice")

    assert put_off == [True, True]
    assert [job.is_put_off for job in first.members] == [False, False]


def test_a_group_that_is_to_begin_later_begins_at_one_moment(alice: User) -> None:
    first = build.members("server", "client", lava_lite={"defer": {"delay": {"hours": 1}}})[0]

    (until,) = {job.not_before for job in first.members}

    assert until == first.submit_time + timedelta(hours=1)


def test_a_group_keeps_one_place_in_the_queue(admin: User) -> None:
    first, second = build.members("server", "client")

    upkeep.correct(second, {"priority": 90}, by=admin)

    assert [job.priority for job in first.members] == [90, 90]


def test_resubmitting_a_member_runs_the_whole_group_again(alice: User) -> None:
    old = build.members("server", "client")

    new = lifecycle.resubmit(old[1], by=alice)

    assert [job.resubmitted_from_id for job in new.members] == [job.pk for job in old]
    told = Event.objects.filter(type="job.resubmitted").order_by("pk")
    assert [(event.data["job"], event.data["reason"]) for event in told] == [
        (was.number, f"as job {job.number}") for was, job in zip(old, new.members, strict=True)
    ]


def test_a_group_is_gone_with_its_last_job(admin: User) -> None:
    first, second = build.members("server", "client")
    lifecycle.cancel(first.pk, by="alice")

    upkeep.delete(first, by=admin)
    number = Job.objects.get(pk=second.pk).number
    upkeep.delete(second, by=admin)

    assert number == f"{first.pk}.1"
    assert not JobGroup.objects.exists()


# Who sees what


def test_a_device_does_not_tell_the_number_of_a_hidden_member(alice: User, mallory: User) -> None:
    first, _ = scheduled("server", "client")
    Job.objects.filter(pk=first.pk).update(visibility="personal")
    event = Event.objects.filter(type="device.changed", subject="qemu01").latest("pk")

    assert "job" not in hide_jobs([event], mallory)[0].data
    assert hide_jobs([event], alice)[0].data["job"] == first.number


def test_a_member_is_hidden_from_who_may_not_see_its_device(mallory: User) -> None:
    first, second = scheduled("server", "client")
    build.right(build.group(), "qemu02", Right.VIEW)

    seen = Job.objects.visible_to(mallory).filter(group=first.group)

    assert [job.pk for job in seen] == [first.pk]
    assert second.device_id == "qemu02"


# Scheduling


def test_a_pass_gives_a_group_all_of_its_devices() -> None:
    first = build.members("server", "client")[0]

    given = scheduler.run_once()

    assert given == 2
    assert states(first) == [State.SCHEDULED, State.SCHEDULED]


def test_a_pass_gives_a_group_nothing_while_a_device_is_missing() -> None:
    first = build.members("server", "client")[0]
    devices.maintenance("qemu02", by="admin")

    given = scheduler.run_once()

    assert given == 0
    assert states(first) == [State.SUBMITTED, State.SUBMITTED]


def test_two_groups_that_want_the_same_devices_run_one_after_the_other() -> None:
    first = build.members("server", "client")[0]
    second = build.members("server", "client")[0]

    scheduler.run_once()
    before = (states(first), states(second))
    for job in first.members:
        lifecycle.finish(job.pk, build.FAILED, worker="worker01")
    scheduler.run_once()

    assert before == ([State.SCHEDULED] * 2, [State.SUBMITTED] * 2)
    assert (states(first), states(second)) == ([State.FINISHED] * 2, [State.SCHEDULED] * 2)


def test_jobs_that_came_later_run_beside_a_group_that_has_not_waited_for_long() -> None:
    build.job(device="qemu02", state=State.RUNNING)
    group = build.members("server", "client")[0]
    later = build.job()

    scheduler.run_once()

    assert Job.objects.get(pk=later.pk).device_id == "qemu01"
    assert states(group) == [State.SUBMITTED, State.SUBMITTED]


def test_a_group_that_has_waited_for_long_keeps_the_devices_that_it_needs() -> None:
    running_job = build.job(device="qemu02", state=State.RUNNING)
    group = build.members("server", "client")[0]
    later = build.job()
    Job.objects.filter(group=group.group).update(submit_time=timezone.now() - timedelta(minutes=6))

    scheduler.run_once()
    kept = Device.objects.get(pk="qemu01").state
    lifecycle.finish(running_job.pk, build.PASSED, worker="worker01")
    scheduler.run_once()

    assert kept == DeviceState.IDLE
    assert states(group) == [State.SCHEDULED, State.SCHEDULED]
    assert Job.objects.get(pk=later.pk).state == State.SUBMITTED


def test_a_group_that_was_put_off_has_waited_only_since_then(alice: User) -> None:
    build.job(device="qemu02", state=State.RUNNING)
    group = build.members("server", "client")[0]
    later = build.job()
    Job.objects.filter(group=group.group).update(submit_time=timezone.now() - timedelta(hours=6))
    attempts.defer(group.pk, timezone.now() + timedelta(hours=1), by="alice")
    attempts.hurry(group.pk, by="alice")

    scheduler.run_once()

    assert Job.objects.get(pk=later.pk).state == State.SCHEDULED


def test_a_lab_may_keep_devices_for_groups_at_once(settings: Settings) -> None:
    settings.MULTINODE_PATIENCE = 0
    build.job(device="qemu02", state=State.RUNNING)
    build.members("server", "client")
    later = build.job()

    scheduler.run_once()

    assert Job.objects.get(pk=later.pk).state == State.SUBMITTED


def test_a_group_that_waits_for_a_device_in_maintenance_keeps_nothing() -> None:
    group = build.members("server", "client")[0]
    later = build.job()
    devices.maintenance("qemu02", by="admin")
    Job.objects.filter(group=group.group).update(submit_time=timezone.now() - timedelta(hours=6))

    scheduler.run_once()

    assert Job.objects.get(pk=later.pk).state == State.SCHEDULED


def test_what_is_left_of_a_group_after_a_member_was_ended_by_hand_goes_on() -> None:
    first, second = build.members("server", "client")
    second.state, second.health = State.FINISHED, Health.CANCELED
    second.save()

    scheduler.run_once()

    assert states(first) == [State.SCHEDULED, State.FINISHED]


def test_the_queries_of_a_pass_do_not_grow_with_the_groups(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    busy = build.job(device="qemu03", state=State.RUNNING)
    for _ in range(5):
        build.members("server", "client", "third")
    Job.objects.update(submit_time=timezone.now() - timedelta(hours=1))

    with django_assert_max_num_queries(12):
        assert scheduler._pairs(scheduler._room()) == []

    assert busy.state == State.RUNNING


# Why a member waits


def test_a_member_whose_own_device_is_missing_says_so() -> None:
    _, second = build.members("server", "client")
    devices.maintenance("qemu01", by="admin")
    devices.maintenance("qemu02", by="admin")

    because = waiting.reason(second)

    assert because.cause == Cause.UNAVAILABLE
    assert because.sentence == "No device that fits is in service: 2 in maintenance."


def test_a_member_that_waits_for_the_others_says_so() -> None:
    build.job(device="qemu02", state=State.RUNNING)
    first, _ = build.members("server", "client")

    because = waiting.reason(first)

    assert because.cause == Cause.GROUP
    assert because.sentence == (
        "A device that fits is free, but not yet one for each of its group: they start together."
    )


def a_group_whose_client_waits() -> list[Job]:
    build.device("qemu02", tags=("hdmi",))
    jobs = build.members("server", "client", tags={"client": ["hdmi"]})
    lifecycle.schedule(build.job(device="qemu02", tags=["hdmi"]).pk, "qemu02")
    return jobs


def test_a_member_that_waits_for_another_says_for_which_and_why() -> None:
    first, second = a_group_whose_client_waits()

    assert waiting.reason(first).sentence == (
        "A device that fits is free, but not yet one for each of its group: they start together. "
        f"{second.number} (client): It waits for a device that fits: 1 busy."
    )


def test_a_member_that_is_hidden_is_not_told_of(mallory: User, alice: User) -> None:
    first, second = a_group_whose_client_waits()
    Job.objects.filter(pk=second.pk).update(visibility="personal")

    assert "client" not in waiting.reason(first, to=mallory).sentence
    assert "client" in waiting.reason(first, to=alice).sentence


def test_a_group_of_which_another_waits_for_a_device_in_maintenance_says_which() -> None:
    build.device("qemu02", tags=("hdmi",))
    first, second = build.members("server", "client", tags={"client": ["hdmi"]})
    devices.maintenance("qemu02", by="admin")

    because = waiting.reason(first)

    assert because.cause == Cause.UNAVAILABLE
    assert because.sentence == (
        "The group needs 2 devices at once, and only 1 that fit together are in service. "
        f"{second.number} (client): No device that fits is in service: 1 in maintenance."
    )


def test_a_group_that_is_too_large_for_its_worker_says_so() -> None:
    first, _ = build.members("server", "client")
    Worker.objects.filter(pk="worker01").update(job_limit=1)

    because = waiting.reason(first)

    assert because.cause == Cause.UNAVAILABLE
    assert because.sentence == (
        "The group needs 2 devices at once, and the workers of those that fit take only 1 at once."
    )


def test_a_group_for_which_its_worker_has_no_room_does_not_start_next() -> None:
    build.device("qemu03")
    first, _ = build.members("server", "client")
    Worker.objects.filter(pk="worker01").update(job_limit=2)
    build.job(device="qemu03", state=State.RUNNING)

    assert waiting.reason(first).cause == Cause.GROUP


def test_a_group_of_which_one_was_given_a_device_by_hand_waits_for_its_end() -> None:
    first, second = build.members("server", "client")
    second.state, second.device_id = State.SCHEDULED, "qemu02"
    second.save()

    scheduler.run_once()
    waits = (states(first)[0], waiting.reason(first).sentence)
    lifecycle.cancel(second.pk, by="alice")

    assert waits == (State.SUBMITTED, waiting.BROKEN)
    assert states(first) == [State.FINISHED, State.CANCELING]


def test_a_group_that_is_larger_than_what_is_in_service_says_so_and_expects_nothing() -> None:
    first, _ = build.members("server", "client")
    devices.maintenance("qemu02", by="admin")

    prospect = Prospect.of(first)

    assert (prospect.reason.cause, prospect.wait) == (Cause.UNAVAILABLE, None)
    assert prospect.reason.sentence == (
        "The group needs 2 devices at once, and only 1 that fit together are in service."
    )


def test_a_group_that_starts_next_says_so() -> None:
    first, _ = build.members("server", "client")

    assert waiting.reason(first).cause == Cause.NEXT


def test_a_group_waits_as_long_as_the_member_that_waits_longest() -> None:
    build.job(state=State.FINISHED)
    first, second = a_group_whose_client_waits()
    long = timedelta(minutes=10)
    Job.objects.filter(state=State.FINISHED).update(start_time=F("end_time") - long)

    assert Prospect.of(first).wait == Prospect.of(second).wait == long


def test_a_group_that_leaves_the_queue_while_somebody_looks_has_a_prospect_still() -> None:
    jobs = build.members("server", "client")
    lifecycle.schedule_together(devices_of(jobs))

    assert Prospect.of(jobs[1]).reason.cause == Cause.BUSY


def test_a_group_does_not_wait_if_a_device_is_free_for_each() -> None:
    first, second = build.members("server", "client")

    assert [Prospect.of(job).wait for job in (first, second)] == [timedelta(0), timedelta(0)]


def test_the_queries_for_a_prospect_do_not_grow_with_the_group() -> None:
    two, four = build.members("a", "b")[0], build.members("a", "b", "c", "d")[0]
    with CaptureQueriesContext(connection) as few:
        Prospect.of(two)

    with CaptureQueriesContext(connection) as many:
        Prospect.of(four)

    assert len(many) == len(few)
