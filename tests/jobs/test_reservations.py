"""Reservations: people hold devices through the queue of the jobs, and give them back or have them taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.rights import NotAllowed
from devices import lifecycle as devices
from devices.models import Device, Right, Worker
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from events import visibility
from events.models import Event
from jobs import attempts, definition, lifecycle, reservations, scheduler, waiting
from jobs.definition import InvalidDefinition
from jobs.matching import Cause
from jobs.models import Job
from jobs.reservations import ReservationRefused
from jobs.states import Health, State
from tests import build
from tests.parallel import together

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def reserved(by: User, **fields: Any) -> Job:
    """A reservation that waits."""
    build.device()
    return lifecycle.submit(build.wish(**fields).definition(), by=by)


def again(job: Job) -> Job:
    found: Job = Job.objects.get(pk=job.pk)
    return found


def device(name: str = "qemu01") -> Device:
    return Device.objects.get(pk=name)


def time_passes(job: Job, passed: timedelta) -> None:
    """As if the reservation had begun so much earlier."""
    job = again(job)
    assert job.start_time is not None
    assert job.deadline is not None
    times = {"start_time": job.start_time - passed, "deadline": job.deadline - passed}
    Job.objects.filter(pk=job.pk).update(**times)


# The queue


def test_a_reservation_gets_a_device_and_is_begun_by_the_lab_itself(alice: User) -> None:
    job = reserved(alice)

    scheduler.run_once()

    job = again(job)
    assert (job.state, job.device_id) == (State.RUNNING, "qemu01")
    assert device().state == DeviceState.RUNNING
    assert build.events_of(job) == ["job.submitted", "job.scheduled", "job.started"]


def test_it_ends_so_long_after_it_began_and_without_grace(alice: User) -> None:
    job = reserved(alice)

    scheduler.run_once()

    job = again(job)
    assert job.start_time is not None
    assert job.deadline is not None
    assert abs(job.deadline - job.start_time - HOUR) < timedelta(seconds=1)


def test_it_waits_behind_the_jobs_that_were_there_before(alice: User, bob: User) -> None:
    first = build.job(submitter=bob)
    job = reserved(alice)

    scheduler.run_once()

    assert again(first).state == State.SCHEDULED
    assert again(job).state == State.SUBMITTED


def test_an_urgent_one_goes_first(alice: User, bob: User) -> None:
    build.job(submitter=bob)
    job = reserved(alice, priority="high")

    scheduler.run_once()

    assert again(job).state == State.RUNNING


def test_a_named_device_is_waited_for_while_another_is_free(alice: User) -> None:
    build.job(state=State.RUNNING)
    build.device("qemu02")
    job = reserved(alice, device="qemu01")

    scheduler.run_once()

    assert again(job).state == State.SUBMITTED
    assert waiting.reason(job).sentence == "It waits for qemu01 alone, which is busy."


def test_a_device_with_the_tags_is_found(alice: User) -> None:
    build.device("usb01", tags=("usb",))
    job = reserved(alice, tags=("usb",))

    scheduler.run_once()

    assert again(job).device_id == "usb01"


def test_a_device_whose_worker_is_offline_can_be_held(alice: User) -> None:
    build.worker(state=WorkerState.OFFLINE)
    job = reserved(alice)

    assert waiting.reason(job).cause is Cause.NEXT
    scheduler.run_once()

    assert again(job).state == State.RUNNING


def test_a_device_without_a_worker_can_be_held_and_gets_no_job(alice: User, bob: User) -> None:
    build.device(worker=None)
    job = build.job(submitter=bob)
    held = reserved(alice)

    scheduler.run_once()

    assert again(held).state == State.RUNNING
    assert again(job).state == State.SUBMITTED


def test_a_device_whose_worker_was_taken_out_is_not_given_to_anybody(alice: User) -> None:
    build.worker(health=WorkerHealth.MAINTENANCE)
    job = reserved(alice)

    scheduler.run_once()

    assert again(job).state == State.SUBMITTED
    assert "takes no more jobs now" in waiting.reason(job).sentence


def test_a_device_in_maintenance_is_not_given_to_anybody(alice: User) -> None:
    job = reserved(alice)
    devices.maintenance("qemu01", by="admin")

    scheduler.run_once()

    assert again(job).state == State.SUBMITTED


def test_a_held_device_costs_its_worker_no_job(alice: User, bob: User) -> None:
    build.worker(job_limit=1)
    build.device("qemu02")
    held = reserved(alice)
    scheduler.run_once()
    job = build.job(submitter=bob, device="qemu02")

    scheduler.run_once()

    assert again(held).state == State.RUNNING
    assert again(job).state == State.SCHEDULED


def test_a_device_of_a_worker_that_takes_no_more_jobs_can_be_held(alice: User) -> None:
    build.worker(job_limit=1)
    build.job(state=State.RUNNING, device="qemu02")
    held = reserved(alice)

    scheduler.run_once()

    assert again(held).state == State.RUNNING


def test_a_device_that_is_to_be_checked_is_held_after_its_check(alice: User) -> None:
    build.device_type("qemu", health_check=build.definition(name="is qemu well?"))
    build.device(health=DeviceHealth.UNKNOWN)
    held = lifecycle.submit(build.wish().definition(), by=alice)
    scheduler.run_once()
    check = Job.objects.get(health_check=True)
    assert again(held).state == State.SUBMITTED

    lifecycle.start(check.pk, worker="worker01")
    lifecycle.finish(check.pk, build.PASSED, worker="worker01")
    scheduler.run_once()

    assert again(held).state == State.RUNNING


def test_one_that_was_put_off_gets_no_device_and_says_so(alice: User) -> None:
    held = reserved(alice)
    attempts.defer(held.pk, timezone.now() + HOUR, by="alice", reason="lunch")

    scheduler.run_once()

    assert again(held).state == State.SUBMITTED
    prospect = waiting.Prospect.of(again(held))
    assert prospect.reason.cause is Cause.DEFERRED
    assert prospect.reason.sentence.endswith(": lunch.")


def test_one_that_was_put_off_gets_its_device_when_it_is_hurried(alice: User) -> None:
    held = reserved(alice)
    attempts.defer(held.pk, timezone.now() + HOUR, by="alice")

    attempts.hurry(held.pk, by="alice")
    scheduler.run_once()

    assert again(held).state == State.RUNNING


def test_a_job_that_waits_is_told_that_a_person_holds_the_device(alice: User, bob: User) -> None:
    reserved(alice)
    scheduler.run_once()
    job = build.job(submitter=bob)

    prospect = waiting.Prospect.of(job)

    assert prospect.reason.sentence == "It waits for a device that fits: 1 held by a person."
    assert prospect.reason.cause is Cause.BUSY


def test_a_job_that_waits_expects_the_device_at_the_end_of_the_reservation(alice: User, bob: User) -> None:
    build.job(submitter=bob, state=State.FINISHED)
    reserved(alice)
    scheduler.run_once()

    prospect = waiting.Prospect.of(build.job(submitter=bob))

    assert prospect.wait is not None
    assert abs(prospect.wait - HOUR) < timedelta(seconds=5)


def test_a_pass_that_died_before_the_beginning_is_made_up_for_by_the_next(alice: User) -> None:
    job = reserved(alice)
    lifecycle.schedule(job.pk, "qemu01")

    scheduler.run_once()

    assert again(job).state == State.RUNNING


def test_a_job_is_begun_by_its_worker_alone(alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED)

    reservations.settle(job.pk)

    assert again(job).state == State.SCHEDULED


# The worker


def test_no_worker_hears_of_a_reservation(alice: User, client: Client) -> None:
    token = build.worker_token()
    job = reserved(alice)
    lifecycle.schedule(job.pk, "qemu01")
    headers = {"LAVA-Token": token}
    scheduled = client.get("/scheduler/internal/v1/workers/worker01/?version=1", headers=headers).json()
    scheduler.run_once()

    running = client.get("/scheduler/internal/v1/workers/worker01/?version=1", headers=headers).json()

    assert scheduled == running == {"cancel": [], "running": [], "start": []}


def test_it_goes_on_when_the_worker_of_its_device_falls_silent(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()
    ends = again(job).deadline
    Worker.objects.update(last_ping=timezone.now() - timedelta(minutes=2))

    scheduler.run_once()

    job = again(job)
    assert Worker.objects.get().state == WorkerState.OFFLINE
    assert (job.state, job.lost_since, job.deadline) == (State.RUNNING, None, ends)


# The end


def test_when_its_time_is_over_the_lab_takes_the_device_back(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()
    time_passes(job, HOUR + timedelta(seconds=1))

    scheduler.run_once()

    job = again(job)
    assert (job.state, job.health, job.outcome) == (State.FINISHED, Health.COMPLETE, "pass")
    assert job.failure_comment.startswith("Its time of 1 h was over: the lab took the device back at 20")
    assert (device().state, device().is_closed) == (DeviceState.IDLE, False)
    assert device().health == DeviceHealth.GOOD
    assert build.events_of(job)[-1] == "job.completed"


def test_the_next_job_gets_the_device_that_was_taken_back(alice: User, bob: User) -> None:
    held = reserved(alice)
    scheduler.run_once()
    job = build.job(submitter=bob)
    time_passes(held, HOUR + timedelta(seconds=1))

    scheduler.run_once()

    assert again(job).state == State.SCHEDULED


def test_its_holder_releases_it_early(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()
    time_passes(job, timedelta(minutes=20))

    reservations.release_for(job, alice)

    job = again(job)
    assert (job.state, job.health) == (State.FINISHED, Health.COMPLETE)
    assert job.failure_comment == "Released by alice after 20 min."
    assert device().state == DeviceState.IDLE
    assert f"alice: {job}: Released" in build.audit_trail()


def test_to_release_it_again_changes_nothing(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()
    reservations.release(job.pk, by="alice")
    events = build.events_of(job)

    reservations.release(job.pk, by="alice")

    assert build.events_of(job) == events


def test_one_that_waits_is_canceled_and_not_released(alice: User) -> None:
    job = reserved(alice)

    with pytest.raises(ReservationRefused, match="has no device yet; cancel it"):
        reservations.release(job.pk, by="alice")
    lifecycle.cancel(job.pk, by="alice")

    assert build.events_of(job) == ["job.submitted", "job.removal_requested", "job.removed"]


def test_a_held_one_that_is_canceled_is_over_at_once(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()

    lifecycle.cancel(job.pk, by="carol", reason="the board is needed")

    job = again(job)
    assert (job.state, job.health, job.outcome) == (State.FINISHED, Health.CANCELED, "canceled")
    assert job.failure_comment == "the board is needed"
    assert build.events_of(job)[-2:] == ["job.cancel_requested", "job.canceled"]
    assert (device().state, device().is_closed) == (DeviceState.IDLE, False)


def test_to_retire_its_device_ends_it(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()

    devices.retire("qemu01", by="admin", reason="broken")

    assert again(job).health == Health.CANCELED
    assert device().state == DeviceState.IDLE


def test_one_that_was_set_to_canceling_by_hand_is_ended_by_the_next_pass(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()
    job = again(job)
    job.state = State.CANCELING.value
    job.save()

    scheduler.run_once()

    assert again(job).health == Health.CANCELED
    assert device().state == DeviceState.IDLE


def test_to_end_it_by_hand_asks_no_worker_for_its_word(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()
    job = again(job)
    job.state, job.health = State.FINISHED.value, Health.COMPLETE.value
    job.save()

    assert build.attempt(job).unconfirmed_since is None
    assert device().state == DeviceState.IDLE


# More time


def test_its_holder_extends_it(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()
    ends = again(job).deadline
    assert ends is not None

    reservations.extend_for(job, alice, timedelta(minutes=30))

    job = again(job)
    assert job.deadline == ends + timedelta(minutes=30)
    assert job.job_timeout == timedelta(minutes=90)
    event = Event.objects.filter(job_id=job.pk).latest("id")
    assert (event.type, event.actor) == ("job.extended", "alice")
    assert event.data["reason"].startswith("by 30 min, until 20")
    assert f"alice: {job}: Extended by 30 min" in build.audit_trail()


def test_nobody_holds_a_device_for_longer_than_the_lab_allows(alice: User, settings: Settings) -> None:
    settings.RESERVATION_LIMIT = 2 * 3600
    job = reserved(alice)
    scheduler.run_once()
    reservations.extend(job.pk, HOUR, by="alice")

    with pytest.raises(ReservationRefused) as refused:
        reservations.extend(job.pk, timedelta(minutes=1), by="alice")

    assert str(refused.value) == (
        "this lab allows 2 h in all (RESERVATION_LIMIT), and the reservation has 2 h already"
    )


def test_one_that_is_over_cannot_be_extended(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()
    reservations.release(job.pk, by="alice")

    with pytest.raises(ReservationRefused, match="is over; reserve again"):
        reservations.extend(job.pk, HOUR, by="alice")


def test_a_job_is_no_reservation(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    for verb in (
        lambda: reservations.extend(job.pk, HOUR, by="alice"),
        lambda: reservations.release(job.pk, by="alice"),
    ):
        with pytest.raises(ReservationRefused, match=f"job {job.pk} is no reservation"):
            verb()

    assert again(job).state == State.RUNNING


def test_some_minutes_before_the_end_that_is_told_once(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()
    time_passes(job, timedelta(minutes=55))

    scheduler.run_once()
    scheduler.run_once()

    assert build.events_of(job)[-2:] == ["job.started", "job.expiring"]
    assert again(job).expiring_since is not None


def test_after_it_was_extended_it_is_told_again(alice: User) -> None:
    job = reserved(alice)
    scheduler.run_once()
    time_passes(job, timedelta(minutes=55))
    scheduler.run_once()
    reservations.extend(job.pk, timedelta(minutes=30), by="alice")
    scheduler.run_once()
    assert again(job).expiring_since is None
    time_passes(job, timedelta(minutes=30))

    scheduler.run_once()

    assert build.events_of(job)[-3:] == ["job.expiring", "job.extended", "job.expiring"]


def test_one_that_is_shorter_than_the_warning_gets_none(alice: User) -> None:
    job = reserved(alice, length=timedelta(minutes=5))

    scheduler.run_once()

    assert build.events_of(job)[-1] == "job.started"


def test_its_events_tell_what_it_is_and_until_when(alice: User) -> None:
    job = build.reservation(by=alice)

    event = Event.objects.get(job_id=job.pk, type="job.started")

    assert job.deadline is not None
    assert (event.data["kind"], event.data["deadline"]) == ("reservation", job.deadline.isoformat())
    assert event.data["description"] == "bisecting the boot"


# What may be reserved, by whom


def faults_of(by: User | AnonymousUser, **fields: Any) -> list[tuple[str, str]]:
    return [
        (fault.path, fault.message) for fault in lifecycle.check(build.wish(**fields).definition(), by=by)
    ]


def test_a_wish_that_is_too_long_is_refused(alice: User) -> None:
    build.device()

    assert faults_of(alice, length=timedelta(hours=9)) == [
        ("timeouts.job", "expected at most 8 h (RESERVATION_LIMIT), got 9 h")
    ]


def test_one_that_is_to_be_tried_again_is_refused(alice: User) -> None:
    build.device()
    text = build.definition(actions=[], lava_lite={"reservation": True, "retry": 3})

    with pytest.raises(InvalidDefinition) as refused:
        lifecycle.submit(text, by=alice)

    assert [(fault.path, fault.message) for fault in refused.value.faults] == [
        ("lava_lite.retry", "has no meaning in a reservation")
    ]


def test_none_is_tried_again_where_the_type_says_so_of_jobs(alice: User) -> None:
    build.device_type("qemu", retry_attempts=3)
    held = reserved(alice)
    scheduler.run_once()

    lifecycle.finish(held.pk, build.BROKEN, worker="worker01")

    assert again(held).state == State.FINISHED


def test_one_person_has_only_so_many(alice: User, bob: User) -> None:
    jobs = [reserved(alice), reserved(alice)]

    numbers = ", ".join(f"#{job.pk}" for job in jobs)
    assert faults_of(alice) == [
        (
            "lava_lite.reservation",
            "one person may hold or wait for 2 (RESERVATIONS_PER_PERSON); "
            f"release or cancel one of yours first: {numbers}",
        )
    ]
    assert faults_of(bob) == []
    lifecycle.cancel(jobs[0].pk, by="alice")
    assert faults_of(alice) == []


@pytest.mark.django_db(transaction=True)
def test_one_person_at_many_windows_has_no_more(alice: User) -> None:
    build.device()
    refused = []

    def reserve() -> None:
        try:
            lifecycle.submit(build.wish().definition(), by=alice)
        except InvalidDefinition as invalid:
            refused.append(invalid)

    together(*[reserve] * 5)

    assert Job.objects.reservations().count() == 2
    assert len(refused) == 3


def test_a_lab_may_have_no_reservations(alice: User, settings: Settings) -> None:
    settings.RESERVATION_LIMIT = 0
    build.device()

    assert faults_of(alice) == [
        ("lava_lite.reservation", "nobody reserves devices in this lab (RESERVATION_LIMIT)")
    ]


def test_a_device_that_is_not_open_to_somebody_is_not_reserved_by_them(group: Group, mallory: User) -> None:
    build.device()
    build.right(group, "qemu01", Right.SUBMIT)

    assert faults_of(mallory, device="qemu01") == [("lava_lite.device", "you may not submit jobs to qemu01")]


def test_a_stranger_neither_extends_nor_releases_it(alice: User, mallory: User) -> None:
    job = reserved(alice)
    scheduler.run_once()

    with pytest.raises(NotAllowed, match="is alice's; you may not extend it"):
        reservations.extend_for(job, mallory, HOUR)
    with pytest.raises(NotAllowed, match="is alice's; you may not release it"):
        reservations.release_for(job, mallory)

    assert again(job).state == State.RUNNING


def test_who_looks_after_the_device_releases_it(alice: User, group: Group, bob: User) -> None:
    job = reserved(alice)
    build.right(group, "qemu01", Right.CHANGE)
    scheduler.run_once()

    reservations.release_for(job, bob)

    assert again(job).failure_comment.startswith("Released by bob after")


# The way to the device


def test_how_to_reach_the_device_is_told_to_its_holder_while_it_is_held(alice: User, mallory: User) -> None:
    build.device(dictionary="access: [ssh root@qemu01, picocom /dev/ttyUSB0]\nexecutor: shell\n")
    job = reserved(alice)
    assert reservations.access_for(job, alice) == ()
    scheduler.run_once()

    lines = ("ssh root@qemu01", "picocom /dev/ttyUSB0")
    assert reservations.access_for(again(job), alice) == lines
    assert reservations.access_for(again(job), build.admin()) == lines
    assert reservations.access_for(again(job), mallory) == ()
    assert reservations.access_for(again(job), AnonymousUser()) == ()

    reservations.release(job.pk, by="alice")
    assert reservations.access_for(again(job), alice) == ()


def test_a_job_does_not_tell_its_submitter_how_to_reach_the_device(alice: User) -> None:
    build.device(dictionary="access: ssh root@qemu01\nexecutor: shell\n")

    assert reservations.access_for(build.job(submitter=alice, state=State.RUNNING), alice) == ()


def test_no_event_tells_how_to_reach_the_device_or_who_holds_it_in_private(alice: User) -> None:
    build.device(dictionary="access: ssh root@hush\nexecutor: shell\n")
    text = build.wish(purpose="hush").definition().replace("visibility: public", "visibility: personal")
    job = lifecycle.submit(text, by=alice)
    scheduler.run_once()
    reservations.extend(job.pk, HOUR, by="alice")
    reservations.release(job.pk, by="alice")

    told = visibility.public(list(Event.objects.all()))
    assert [event.type for event in told][-2:] == ["device.changed", "device.changed"]
    for event in told:
        assert "alice" not in f"{event.actor} {event.data}"
        assert "hush" not in str(event.data)
    assert not any("ssh" in str(event.data) for event in Event.objects.all())


# Its definition


def test_its_definition_is_yaml_that_says_what_it_is() -> None:
    text = build.wish(device="qemu01").definition()

    assert text.startswith("# A reservation: a person holds a device by hand.")
    parsed = definition.parse(text)
    assert parsed.is_reservation
    assert (parsed.name, parsed.device, parsed.job_timeout) == ("bisecting the boot", "qemu01", HOUR)


def test_nothing_runs_in_a_reservation() -> None:
    with pytest.raises(InvalidDefinition, match=r"actions: expected \[\], as nothing runs in a reservation"):
        definition.parse(build.definition(lava_lite={"reservation": True}))


def test_to_run_it_again_is_to_reserve_again(alice: User) -> None:
    job = reserved(alice)
    lifecycle.cancel(job.pk, by="alice")

    new = lifecycle.resubmit(again(job), by=alice)

    assert new.is_reservation
    assert new.resubmitted_from == job
