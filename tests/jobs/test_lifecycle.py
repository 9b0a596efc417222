"""The verbs of a job's life: every row of the table of moves, and what is left as it was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.rights import NotAllowed
from devices import lifecycle as devices
from devices.lifecycle import DeviceBusy, StillInUse
from devices.models import Alias, Device, Right
from devices.states import DeviceHealth, DeviceState
from events import lava
from events.catalogue import CATALOGUE
from events.models import Event
from jobs import attempts, lifecycle
from jobs.definition import InvalidDefinition
from jobs.models import Attempt, Job
from jobs.states import MOVES, Health, InvalidMove, Move, Requeue, State
from tests import build

pytestmark = pytest.mark.django_db

ENDINGS = {Health.COMPLETE: build.PASSED, Health.INCOMPLETE: build.FAILED, Health.CANCELED: build.FAILED}
VERBS: dict[str, Callable[[Job], object]] = {
    "schedule": lambda job: lifecycle.schedule(job.pk, "qemu01"),
    "start": lambda job: lifecycle.start(job.pk, worker="worker01"),
    "finish": lambda job: lifecycle.finish(job.pk, build.PASSED, worker="worker01"),
    "cancel": lambda job: lifecycle.cancel(job.pk, by="alice"),
    "end_overdue": lambda job: lifecycle.end_overdue(build.overdue(job).pk),
    "defer": lambda job: attempts.defer(job.pk, timezone.now() + timedelta(hours=1), by="alice"),
    "hurry": lambda job: attempts.hurry(job.pk, by="alice"),
}
STATES = (State.SUBMITTED, State.SCHEDULED, State.RUNNING, State.CANCELING, State.FINISHED)
NO_MOVES = [
    (state, verb)
    for state in STATES
    for verb in VERBS
    if not any(move.source is state and move.verb == verb for move in MOVES)
]


def walk(move: Move, alice: User) -> tuple[Job, int]:
    """A job that made this move, and the id of the last event before it."""
    ours = {"retry": {"attempts": 2, "errors": ["Infrastructure", "Job"]}} if move.requeue else {}
    if move.source is None:
        build.device()
        ours = {"defer": {"delay": {"hours": 1}}} if move.requeue else {}
        return lifecycle.submit(build.definition(lava_lite=ours), by=alice), _last_event()
    if move.verb == "inactivate":
        job = build.asking_for_deferral(timedelta(days=2), submitter=alice)
        lifecycle.finish(job.pk, build.PASSED, worker="worker01")
        return Job.objects.get(pk=job.pk), _last_event() - 1  # it is said together with the deferral
    job = build.job(submitter=alice, state=move.source, lava_lite=ours)
    if move.requeue is Requeue.DEFERRAL and move.ends_attempt:
        job.attempts.update(deferral=timedelta(hours=1))
    if move.requeue is Requeue.HURRY:
        VERBS["defer"](job)
    before = _last_event()
    if move.verb == "finish":
        ending = build.BROKEN if move.requeue is Requeue.RETRY else ENDINGS.get(move.health, build.PASSED)
        lifecycle.finish(job.pk, ending, worker="worker01")
    else:
        VERBS[move.verb](job)
    return Job.objects.get(pk=job.pk), before


def _last_event() -> int:
    last = Event.objects.order_by("id").last()
    return last.pk if last else 0


def _facts() -> list[object]:
    """All that a verb could have changed."""
    return [
        *Job.objects.order_by("pk").values(),
        *Device.objects.order_by("pk").values(),
        *Attempt.objects.order_by("pk").values(),
        Event.objects.count(),
    ]


def _words(move: Move) -> str:
    source = "nothing" if move.source is None else move.source.label
    why = f" ({move.requeue})" if move.requeue else ""
    return f"{move.verb} from {source} to {move.target.label} {move.health.label}{why}"


@pytest.fixture(params=MOVES, ids=_words)
def move(request: pytest.FixtureRequest) -> Move:
    found: Move = request.param
    return found


def test_a_move_ends_where_the_table_says(move: Move, alice: User) -> None:
    job, _ = walk(move, alice)

    assert (job.state, job.health) == (move.target, move.health)
    if move.device is not None:
        assert Device.objects.get(pk="qemu01").state == move.device


def test_a_move_records_exactly_the_events_of_the_table(move: Move, alice: User) -> None:
    job, _ = walk(move, alice)

    assert build.events_of(job)[-len(move.events) :] == list(move.events)
    sequences = Event.objects.filter(job_id=job.pk).order_by("id").values_list("job_sequence", flat=True)
    assert list(sequences) == list(range(1, len(sequences) + 1))


def test_a_move_changes_its_device_once_or_not_at_all(move: Move, alice: User) -> None:
    _, before = walk(move, alice)

    changes = Event.objects.filter(pk__gt=before, type="device.changed").count()
    assert changes == (0 if move.device is None and not move.closes else 1)


def test_a_move_sends_one_frame_for_each_event_that_lava_has_one_for(move: Move, alice: User) -> None:
    job, _ = walk(move, alice)

    events = Event.objects.filter(job_id=job.pk).order_by("id")[
        len(build.events_of(job)) - len(move.events) :
    ]
    frames = [frame for event in events if (frame := lava.frames(event))]
    assert (
        len(frames)
        == sum(CATALOGUE[event].lava is not None for event in move.events)
        == len([event for event in move.events if event != "job.removal_requested"])
    )


def test_a_state_event_carries_the_old_and_the_new_state_and_its_cause(move: Move, alice: User) -> None:
    job, _ = walk(move, alice)

    last = Event.objects.filter(job_id=job.pk).order_by("id").last()
    assert last is not None
    assert last.data["state"] == move.target.label
    assert last.data["health"] == move.health.label
    assert last.data.get("previous_state") == (move.source.label if move.source is not None else None)
    assert (last.cause, last.actor) == {
        "submit": ("user", "alice"),
        "schedule": ("policy", ""),
        "start": ("worker", "worker01"),
        "finish": ("worker", "worker01"),
        "cancel": ("user", "alice"),
        "end_overdue": ("timer", ""),
        "defer": ("user", "alice"),
        "hurry": ("user", "alice"),
        "inactivate": ("policy", ""),
    }[move.verb]
    assert last.attempt == (2 if move.verb == "inactivate" else 1)


@pytest.mark.parametrize(("state", "verb"), NO_MOVES, ids=lambda value: getattr(value, "label", value))
def test_a_verb_without_a_move_in_the_table_changes_nothing(state: State, verb: str, alice: User) -> None:
    job = build.job(submitter=alice, state=state)
    before = _facts()

    with suppress(InvalidMove):
        VERBS[verb](job)

    assert _facts() == before


def test_the_device_is_told_of_before_the_job_as_lava_does(alice: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    events = Event.objects.filter(type__in=["device.changed", *build.events_of(job)]).order_by("id")
    told = [(event.type.split(".")[0], event.data["state"]) for event in events]
    assert told == [
        ("job", "Submitted"),
        ("device", "Reserved"),
        ("job", "Scheduled"),
        ("device", "Running"),
        ("job", "Running"),
        ("device", "Idle"),
        ("job", "Finished"),
    ]


# Submitting


def test_a_submitted_job_keeps_its_definition_to_the_byte(alice: User) -> None:
    build.device()
    text = build.definition("hello", priority="high") + "\n# a comment\n"

    job = lifecycle.submit(text, by=alice)

    stored = Job.objects.get(pk=job.pk)
    assert (stored.definition, stored.description, stored.priority) == (text, "hello", 100)
    assert stored.submitter == alice


@pytest.mark.parametrize(
    ("top", "fault"),
    [
        ({"device_type": "toaster"}, "device_type: there is no device type 'toaster' here; there is qemu"),
        ({"tags": ["golden"]}, "tags: there is no tag golden here"),
        ({"tags": ["usb"]}, "device_type: no device of type qemu has all of the tags usb"),
        ({"visibility": {"group": ["ghosts"]}}, "visibility.group: there is no group ghosts here"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_this_lab_does_not_have_is_refused_with_its_path(
    top: dict[str, Any], fault: str, alice: User
) -> None:
    build.device()
    build.tag("usb")
    before = _facts()

    with pytest.raises(InvalidDefinition) as refused:
        lifecycle.submit(build.definition(**top), by=alice)

    assert str(refused.value).startswith(fault)
    assert _facts() == before


def test_checking_finds_the_same_faults_and_stores_nothing(alice: User) -> None:
    build.device()
    text = build.definition(device_type="toaster")
    before = _facts()

    faults = lifecycle.check(text, by=alice)

    assert [fault.path for fault in faults] == ["device_type"]
    assert lifecycle.check(build.definition(), by=alice) == []
    assert _facts() == before


def test_an_alias_stands_for_its_device_type(alice: User) -> None:
    Alias.objects.create(name="qemu-aarch64", device_type=build.device().device_type)

    job = lifecycle.submit(build.definition(device_type="qemu-aarch64"), by=alice)

    assert job.device_type_id == "qemu"


def test_a_type_that_is_hidden_is_as_if_it_were_not_there(group: Group, mallory: User) -> None:
    build.device()
    build.device("beagle01", device_type="beaglebone")
    build.right(group, "qemu", Right.VIEW)

    (fault,) = lifecycle.check(build.definition(), by=mallory)

    assert "there is no device type 'qemu' here; there is beaglebone" in str(fault)


def test_who_may_not_use_any_device_that_fits_is_told_so(group: Group, alice: User, mallory: User) -> None:
    build.device()
    build.right(group, "qemu01", Right.SUBMIT)

    with pytest.raises(
        InvalidDefinition, match="you may not submit jobs to the devices of type qemu that fit"
    ):
        lifecycle.submit(build.definition(), by=mallory)
    assert lifecycle.submit(build.definition(), by=alice).pk


def test_who_only_asks_without_logging_in_is_not_told_of_rights(group: Group) -> None:
    build.device()
    build.right(group, "qemu01", Right.SUBMIT)

    assert lifecycle.check(build.definition(), by=AnonymousUser()) == []


def test_who_looks_after_the_device_cancels_its_job_and_it_is_noted(
    group: Group, alice: User, mallory: User
) -> None:
    job = build.job(submitter=mallory, state=State.RUNNING)
    build.right(group, "qemu01", Right.CHANGE)

    lifecycle.cancel_for(job, alice, reason="the board is needed")

    assert Job.objects.get().state == State.CANCELING
    assert build.audit_trail() == [f"alice: {job}: Cancel: the board is needed"]


def test_a_stranger_cancels_nothing_and_nothing_is_noted(alice: User, mallory: User) -> None:
    job = build.job(submitter=alice)

    with pytest.raises(NotAllowed, match="alice's"):
        lifecycle.cancel_for(job, mallory)

    assert Job.objects.get().state == State.SUBMITTED
    assert build.audit_trail() == []


def test_a_job_for_a_group_is_shown_to_the_group_from_its_first_event_on(alice: User) -> None:
    job = build.job(submitter=alice, visibility={"group": ["kernel"]})

    assert [group.name for group in job.viewing_groups.all()] == ["kernel"]


# Scheduling


def test_a_busy_device_is_not_given_a_second_job(alice: User) -> None:
    build.job(submitter=alice, state=State.RUNNING)
    waiting = build.job(submitter=alice)
    before = _facts()

    with pytest.raises(DeviceBusy, match="qemu01 is Running and cannot take job"):
        lifecycle.schedule(waiting.pk, "qemu01")

    assert _facts() == before


def test_a_device_that_was_taken_out_meanwhile_is_not_given_a_job(alice: User) -> None:
    waiting = build.job(submitter=alice)
    devices.maintenance("qemu01", by="admin")

    with pytest.raises(DeviceBusy, match="out of service"):
        lifecycle.schedule(waiting.pk, "qemu01")


def test_the_database_itself_refuses_a_second_unfinished_job_on_a_device(alice: User) -> None:
    running = build.job(submitter=alice, state=State.RUNNING)
    waiting = build.job(submitter=alice)

    with pytest.raises(IntegrityError), transaction.atomic():
        Job._base_manager.filter(pk=waiting.pk).update(state=State.SCHEDULED, device=running.device)


def test_scheduling_begins_an_attempt_that_remembers_where(alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED)

    attempt = build.attempt(job)
    assert (attempt.number, attempt.device_name, attempt.worker_name) == (1, "qemu01", "worker01")
    assert attempt.started is None


# Starting and finishing


def test_starting_notes_the_time_once(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    again = lifecycle.start(job.pk, worker="worker01")

    assert again.start_time == job.start_time == build.attempt(job).started


def test_a_second_end_changes_neither_health_nor_reason(alice: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED, ending=build.PASSED)
    before = _facts()

    lifecycle.finish(job.pk, build.FAILED, worker="worker01")

    assert _facts() == before


def test_a_failed_job_says_why(alice: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED, ending=build.FAILED)

    assert (job.error_type, job.failure_comment) == ("Job", "the kernel did not boot")
    assert build.attempt(job).result == "fail"


@pytest.mark.parametrize("error_type", ["Infrastructure", "Bug", "Configuration"])
def test_an_error_of_the_lab_makes_a_good_device_unknown(error_type: str, alice: User) -> None:
    ending = lifecycle.Ending(passed=False, error_type=error_type)

    job = build.job(submitter=alice, state=State.FINISHED, ending=ending)

    device = Device.objects.get(pk="qemu01")
    assert (device.state, device.health) == (DeviceState.IDLE, DeviceHealth.UNKNOWN)
    assert device.health_reason == f"infrastructure error in job {job.pk}"


@pytest.mark.parametrize("error_type", ["Job", "Test", "Canceled", "LAVATimeout", "MultinodeTimeout", ""])
def test_an_error_of_the_job_leaves_the_device_good(error_type: str, alice: User) -> None:
    ending = lifecycle.Ending(passed=False, error_type=error_type)

    build.job(submitter=alice, state=State.FINISHED, ending=ending)

    assert Device.objects.get(pk="qemu01").health == DeviceHealth.GOOD


def test_an_error_of_the_lab_does_not_bring_a_device_in_maintenance_back(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    devices.maintenance("qemu01", by="admin", reason="the fan is loud")

    lifecycle.finish(job.pk, build.BROKEN, worker="worker01")

    device = Device.objects.get(pk="qemu01")
    assert (device.health, device.health_reason) == (DeviceHealth.MAINTENANCE, "the fan is loud")


def test_a_canceled_job_that_had_passed_is_canceled_all_the_same(alice: User) -> None:
    job = build.job(submitter=alice, state=State.CANCELING)

    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    assert Job.objects.get(pk=job.pk).health == Health.CANCELED


# Canceling and resubmitting


def test_canceling_keeps_the_reason(alice: User) -> None:
    job = build.job(submitter=alice)

    canceled = lifecycle.cancel(job.pk, by="alice", reason="wrong branch")

    assert canceled.failure_comment == "wrong branch"
    event = Event.objects.filter(job_id=job.pk).latest("id")
    assert event.data["reason"] == "wrong branch"


def test_a_job_that_waited_too_long_is_taken_out_of_the_queue(alice: User) -> None:
    job = build.job(submitter=alice)

    lifecycle.expire(job.pk)

    assert build.events_of(job) == ["job.submitted", "job.removal_requested", "job.removed"]
    assert Event.objects.filter(job_id=job.pk).latest("id").cause == "timer"


def test_a_job_that_got_its_device_in_the_last_moment_is_not_expired(alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED)
    before = _facts()

    lifecycle.expire(job.pk)

    assert _facts() == before


def test_resubmitting_makes_a_new_job_and_tells_of_it_on_the_old_one(alice: User, bob: User) -> None:
    old = build.job(submitter=alice, state=State.FINISHED, ending=build.FAILED)

    new = lifecycle.resubmit(old, by=bob)

    assert (new.definition, new.submitter, new.resubmitted_from) == (old.definition, bob, old)
    assert build.events_of(new) == ["job.submitted"]
    assert build.events_of(old)[-1] == "job.resubmitted"
    assert Job.objects.get(pk=old.pk).health == Health.INCOMPLETE


def test_a_job_that_can_no_longer_be_accepted_is_not_resubmitted(alice: User) -> None:
    old = build.job(submitter=alice, state=State.FINISHED)
    devices.retire("qemu01", by="admin")
    before = _facts()

    with pytest.raises(InvalidDefinition, match="no device of type qemu"):
        lifecycle.resubmit(old, by=alice)

    assert _facts() == before


# Deleting


def test_an_unfinished_job_is_not_deleted(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    with pytest.raises(StillInUse, match=f"job {job.pk} is Running; cancel it"), transaction.atomic():
        job.delete()

    assert Job.objects.filter(pk=job.pk).exists()


def test_the_end_of_a_job_writes_its_attempt_without_looking_it_up_first(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    with CaptureQueriesContext(connection) as queries:
        lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    of_attempt = [query["sql"].split()[:2] for query in queries if " jobs_attempt SET " in query["sql"]]
    assert of_attempt == [["UPDATE", "jobs_attempt"]]
    assert not [query for query in queries if query["sql"].startswith('SELECT "jobs_attempt"')]


@pytest.mark.parametrize(
    ("state", "verb", "most"),
    [(State.SUBMITTED, "schedule", 7), (State.SCHEDULED, "start", 8), (State.RUNNING, "finish", 10)],
)
def test_a_verb_asks_the_database_no_more_than_it_must(
    alice: User, state: State, verb: str, most: int
) -> None:
    job = build.job(submitter=alice, state=state)

    with CaptureQueriesContext(connection) as queries:
        VERBS[verb](job)

    asked = [query["sql"].strip() for query in queries]
    statements = [sql for sql in asked if sql.startswith(("SELECT", "INSERT", "UPDATE"))]
    numbering = [sql for sql in statements if "events_counter" in sql]  # by the insert, on SQLite alone
    assert len(statements) - len(numbering) <= most, statements


def test_a_verb_locks_the_row_of_its_job(alice: User) -> None:
    job = build.job(submitter=alice)

    with CaptureQueriesContext(connection) as queries:
        lifecycle.cancel(job.pk, by="alice")

    locking = [query["sql"] for query in queries if "SELECT jobs_job.id, " in query["sql"]]
    assert all(sql.endswith("FOR UPDATE OF jobs_job") for sql in locking) or connection.vendor == "sqlite"
    assert locking


def test_a_deleted_job_is_told_of_and_keeps_its_history(alice: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    pk = job.pk

    Job.objects.filter(pk=pk).delete()

    types = list(Event.objects.filter(job_id=pk).order_by("id").values_list("type", flat=True))
    assert types[-2:] == ["job.completed", "job.deleted"]


def test_retiring_a_device_cancels_the_job_on_it(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    devices.retire("qemu01", by="admin", reason="sold")

    job.refresh_from_db()
    assert job.state == State.CANCELING
    assert job.failure_comment == "qemu01 was retired"


def test_a_job_that_passed_without_a_word_of_its_start_has_started_and_completed(alice: User) -> None:
    job = build.job(submitter=alice, state=State.SCHEDULED)

    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    job.refresh_from_db()
    assert (job.state, job.health) == (State.FINISHED, Health.COMPLETE)
    assert job.start_time is not None
    assert build.events_of(job)[-2:] == ["job.started", "job.completed"]
