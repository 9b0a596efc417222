"""Whoever changes a job by whatever way: the world hears of it as the table says, once, or it is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import FieldError
from django.db import transaction

from devices.models import Device
from devices.states import DeviceState
from events.models import Event
from events.selection import Selection
from jobs import lifecycle
from jobs.announcements import old_status, payload
from jobs.models import Job
from jobs.states import MOVES, Health, InvalidMove, Move, State
from tests import build

pytestmark = pytest.mark.django_db

Change = Callable[[Job, State, Health], None]

BARE_MOVES = [move for move in MOVES if move.source is not None and not move.closes and move.requeue is None]
ENDS = {(move.source, move.target, move.health) for move in BARE_MOVES}
REACHED = (State.SUBMITTED, State.SCHEDULED, State.RUNNING, State.CANCELING, State.FINISHED)
REFUSED = [
    (source, target, health)
    for source, target, health in product(REACHED, State, Health)
    if (source, target, health) not in ENDS and source != target
]


def _bare_save(job: Job, state: State, health: Health) -> None:
    fresh = Job.objects.get(pk=job.pk)
    fresh.state, fresh.health = state, health
    if state == State.SCHEDULED:
        fresh.device_id = "qemu01"
    fresh.save()


def _bare_save_of_named_fields(job: Job, state: State, health: Health) -> None:
    fresh = Job.objects.get(pk=job.pk)
    fresh.state, fresh.health, fresh.device_id = state, health, "qemu01"
    fresh.save(update_fields=["state", "health", "device"])


def _update(job: Job, state: State, health: Health) -> None:
    device = {"device_id": "qemu01"} if state == State.SCHEDULED else {}
    Job.objects.filter(pk=job.pk).update(state=state, health=health, **device)


def _update_or_create(job: Job, state: State, health: Health) -> None:
    defaults = {"state": state, "health": health, "device_id": "qemu01"}
    Job.objects.update_or_create(pk=job.pk, defaults=defaults)


def _save_of_a_partly_loaded_instance(job: Job, state: State, health: Health) -> None:
    part = Job.objects.only("pk").get(pk=job.pk)
    part.state, part.health, part.device_id = state, health, "qemu01"
    part.save()


CHANGES = [
    _bare_save,
    _bare_save_of_named_fields,
    _update,
    _update_or_create,
    _save_of_a_partly_loaded_instance,
]


def _words(move: Move) -> str:
    source = "nothing" if move.source is None else move.source.label
    return f"{source} to {move.target.label} {move.health.label}"


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("move", BARE_MOVES, ids=_words)
def test_a_change_by_hand_records_the_events_of_the_table_once(
    change: Change, move: Move, alice: User
) -> None:
    assert move.source is not None
    job = build.job(submitter=alice, state=move.source)
    before = build.events_of(job)
    changes_before = build.events_of(Device.objects.get(pk="qemu01"))

    change(job, move.target, move.health)

    assert build.events_of(job)[len(before) :] == list(move.events)
    device = Device.objects.get(pk="qemu01")
    new = build.events_of(device)[len(changes_before) :]
    assert new == ([] if move.device is None else ["device.changed"])
    if move.device is not None:
        assert device.state == move.device


@pytest.mark.parametrize(("source", "target", "health"), REFUSED, ids=str)
def test_a_change_by_hand_that_the_table_does_not_have_is_refused(
    source: State, target: State, health: Health, alice: User
) -> None:
    job = build.job(submitter=alice, state=source)
    before = build.events_of(job)

    with pytest.raises(InvalidMove), transaction.atomic():
        _bare_save(job, target, health)

    assert Job.objects.get(pk=job.pk).state == source
    assert build.events_of(job) == before


def test_a_change_by_hand_says_so(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    _bare_save(job, State.CANCELING, Health.UNKNOWN)

    event = Event.objects.filter(job_id=job.pk).latest("id")
    assert (event.data["previous_state"], event.data["state"]) == ("Running", "Canceling")
    assert (event.cause, event.data["reason"]) == ("user", "changed by hand")


def test_several_jobs_in_one_update_are_each_told_of_once(alice: User) -> None:
    jobs = [build.job(submitter=alice) for _ in range(3)]

    changed = Job.objects.filter(submitter=alice).update(state=State.FINISHED, health=Health.CANCELED)

    assert changed == 3
    for job in jobs:
        assert build.events_of(job) == ["job.submitted", "job.removal_requested", "job.removed"]


def test_one_refused_job_in_an_update_leaves_all_of_them_as_they_were(alice: User) -> None:
    waiting = build.job(submitter=alice)
    finished = build.job(submitter=alice, state=State.FINISHED)

    with pytest.raises(InvalidMove), transaction.atomic():
        Job.objects.all().update(state=State.CANCELING)

    assert Job.objects.get(pk=waiting.pk).state == State.SUBMITTED
    assert Job.objects.get(pk=finished.pk).state == State.FINISHED
    assert build.events_of(waiting) == ["job.submitted"]


def test_an_update_of_another_field_is_no_change_of_state(alice: User) -> None:
    job = build.job(submitter=alice)

    Job.objects.filter(pk=job.pk).update(priority=99)

    assert Job.objects.get(pk=job.pk).priority == 99
    assert build.events_of(job) == ["job.submitted"]


def test_a_job_scheduled_by_hand_has_an_attempt_for_its_worker(alice: User) -> None:
    job = build.job(submitter=alice)

    _bare_save(job, State.SCHEDULED, Health.UNKNOWN)

    assert build.attempt(job).worker_name == "worker01"


def test_bulk_writes_of_a_state_are_refused(alice: User) -> None:
    job = build.job(submitter=alice)
    job.state = State.CANCELING

    with pytest.raises(FieldError, match="health, state cannot be changed in bulk"):
        Job.objects.bulk_update([job], ["state", "health"])
    with pytest.raises(FieldError, match="made with save"):
        Job.objects.bulk_create([Job(submitter=alice)])


def test_a_bulk_write_of_other_fields_is_as_ever(alice: User) -> None:
    job = build.job(submitter=alice)
    job.priority = 7

    Job.objects.bulk_update([job], ["priority"])

    assert Job.objects.get(pk=job.pk).priority == 7


# Stale instances


def test_a_stale_instance_does_not_bring_an_old_state_back(alice: User) -> None:
    stale = build.job(submitter=alice)
    lifecycle.schedule(stale.pk, "qemu01")
    lifecycle.start(stale.pk, worker="worker01")

    stale.description = "renamed meanwhile"
    stale.save()

    job = Job.objects.get(pk=stale.pk)
    assert (job.state, job.description) == (State.RUNNING, "renamed meanwhile")
    assert build.events_of(job) == ["job.submitted", "job.scheduled", "job.started"]


def test_a_save_without_a_change_writes_and_tells_nothing(alice: User) -> None:
    stale = build.job(submitter=alice)
    lifecycle.cancel(stale.pk, by="alice")
    before = build.events_of(stale)

    stale.save()

    assert Job.objects.get(pk=stale.pk).state == State.FINISHED
    assert build.events_of(stale) == before


def test_a_state_set_on_a_stale_instance_is_a_move_from_where_the_job_is_now(alice: User) -> None:
    stale = build.job(submitter=alice)
    lifecycle.schedule(stale.pk, "qemu01")
    lifecycle.start(stale.pk, worker="worker01")

    stale.state, stale.health = State.FINISHED, Health.INCOMPLETE
    stale.save()

    assert build.events_of(stale)[-1] == "job.failed"
    assert Device.objects.get(pk="qemu01").state == DeviceState.IDLE
    event = Event.objects.filter(job_id=stale.pk).latest("id")
    assert (event.data["previous_state"], event.data["device"]) == ("Running", "qemu01")


def test_a_state_that_the_job_has_left_behind_cannot_be_written_by_name(alice: User) -> None:
    stale = build.job(submitter=alice)
    lifecycle.schedule(stale.pk, "qemu01")

    with pytest.raises(InvalidMove, match="from Scheduled to Submitted"), transaction.atomic():
        stale.save(update_fields=["state"])

    assert Job.objects.get(pk=stale.pk).state == State.SCHEDULED


def test_a_field_that_was_not_asked_to_be_saved_is_saved_the_next_time(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    job.state = State.CANCELING
    job.priority = 1

    job.save(update_fields=["priority"])
    job.save()

    assert Job.objects.get(pk=job.pk).state == State.CANCELING
    assert build.events_of(job)[-1] == "job.cancel_requested"


def test_reading_one_field_again_does_not_forget_what_was_changed_in_another(alice: User) -> None:
    job = Job.objects.defer("definition").get(pk=build.job(submitter=alice, state=State.RUNNING).pk)
    job.state = State.CANCELING

    assert job.definition
    job.refresh_from_db(fields=["description"])
    job.save()

    assert Job.objects.get(pk=job.pk).state == State.CANCELING


def test_what_a_failed_save_was_told_is_not_told_by_the_next_one(alice: User) -> None:
    job = build.job(submitter=alice)
    with transaction.atomic():
        held = Job.objects.lock(job.pk)
        held.tell("job.nonsense", cause=build.CAUSE)
        held.priority = 3
        with pytest.raises(LookupError, match=r"job\.nonsense"), transaction.atomic():
            held.save()
        held.priority = 4

        held.save()

    assert Job.objects.get(pk=job.pk).priority == 4
    assert build.events_of(job) == ["job.submitted"]


def test_making_a_job_by_hand_is_told_of(alice: User) -> None:
    build.device()
    job = Job(submitter=alice, device_type_id="qemu", description="by hand", definition=build.definition())

    job.save()

    assert build.events_of(job) == ["job.submitted"]


def test_a_job_does_not_begin_in_the_middle_of_its_life(alice: User) -> None:
    build.device()
    job = Job(submitter=alice, device_type_id="qemu", state=State.RUNNING, device_id="qemu01")

    with pytest.raises(InvalidMove, match="from nothing to Running"), transaction.atomic():
        job.save()

    assert not Job.objects.exists()


# Payloads


def test_a_payload_has_the_keys_of_lava_2023_and_of_lava_2017(alice: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    told = payload(job)

    lava_2023 = {
        *("health", "state", "job", "description", "priority", "submit_time", "submitter", "health_check"),
        *("device", "worker", "device_type", "start_time", "end_time"),
    }
    lava_2017 = {
        *("status", "priority", "job", "health_check", "device", "description", "submit_time"),
        *("submitter", "pipeline", "visibility"),
    }
    assert told.keys() >= lava_2023 | lava_2017
    assert told["job"] == job.pk
    assert told["uuid"] == str(job.uuid)
    assert told["visibility"] == "Publicly visible"


def test_a_payload_leaves_out_what_is_not_known_yet(alice: User) -> None:
    told = payload(build.job(submitter=alice))

    assert not told.keys() & {"device", "worker", "start_time", "end_time"}


@pytest.mark.parametrize(
    ("state", "health", "status"),
    [
        (State.SUBMITTED, Health.UNKNOWN, "Submitted"),
        (State.SCHEDULED, Health.UNKNOWN, "Submitted"),
        (State.RUNNING, Health.UNKNOWN, "Running"),
        (State.CANCELING, Health.UNKNOWN, "Canceling"),
        (State.FINISHED, Health.COMPLETE, "Complete"),
        (State.FINISHED, Health.INCOMPLETE, "Incomplete"),
        (State.FINISHED, Health.CANCELED, "Canceled"),
    ],
    ids=lambda word: getattr(word, "label", word),
)
def test_lava_2017_had_one_word_for_state_and_health(state: State, health: Health, status: str) -> None:
    assert old_status(state, health) == status


def test_a_payload_names_the_tags_that_are_wanted_from_the_first_event_on(alice: User) -> None:
    build.device("qemu01", tags=("usb", "fast"))
    job = build.job(submitter=alice, state=State.FINISHED, tags=["usb", "fast"])
    build.job(submitter=alice)

    told = [event.data.get("tags") for event in Event.objects.filter(type__startswith="job.", job_id=job.pk)]
    assert told == [["usb", "fast"]] * 4
    assert "tags" not in payload(build.job(submitter=alice))
    chosen = Selection.parse("tag=fast,slow")
    assert [chosen.is_about(event.data) for event in Event.objects.filter(type="job.submitted")] == [
        True,
        False,
        False,
    ]
