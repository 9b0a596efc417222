"""An event is written with its change, or neither is."""

from __future__ import annotations

import multiprocessing
import os
import socket
from pathlib import Path
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.transaction import TransactionManagementError

from core.doorbell import Doorbell
from devices.models import Worker
from events import outbox, publisher
from events.models import Event
from events.outbox import News
from events.transports.memory import Memory
from jobs.models import Job
from jobs.states import Health, State
from tests import build

UIDS = 50_000  # so many that two processes would meet, if they could


def record(type: str = "worker.added") -> Event:
    return outbox.record(type, subject="worker01", data=build.OF_A_WORKER, cause=build.CAUSE)


@pytest.mark.django_db
def test_an_event_keeps_who_did_it_and_why(alice: User) -> None:
    event = record()

    assert (event.type, event.subject, event.actor, event.cause) == (
        "worker.added",
        "worker01",
        "alice",
        "user",
    )
    assert event.uid.version == 1


@pytest.mark.django_db
def test_a_type_that_is_not_in_the_catalogue_cannot_be_recorded() -> None:
    with pytest.raises(LookupError, match=r"'worker\.exploded' is not in events\.catalogue"):
        record("worker.exploded")


@pytest.mark.django_db
def test_the_events_of_a_job_are_counted_one_by_one(alice: User) -> None:
    first = build.job(submitter=alice, state=State.FINISHED)
    second = build.job(submitter=alice)

    def numbers(job: Job) -> list[int | None]:
        return list(Event.objects.filter(job_id=job.pk).order_by("id").values_list("job_sequence", flat=True))

    assert numbers(first) == [1, 2, 3, 4]
    assert numbers(second) == [1]


def test_processes_that_were_forked_never_give_two_events_the_same_id() -> None:
    outbox.new_uid()
    processes = multiprocessing.get_context("fork").Pool(2)

    with processes:
        each = processes.map(_uids, [UIDS] * 2, chunksize=1)

    assert len(set(each[0]) | set(each[1])) == 2 * UIDS


def _uids(count: int) -> list[UUID]:
    return [outbox.new_uid() for _ in range(count)]


@pytest.mark.django_db
def test_events_of_a_job_that_are_written_together_go_on_counting(alice: User) -> None:
    job = build.job(submitter=alice)
    told = Event.objects.get(job_id=job.pk)
    news = [News(type=told.type, subject=told.subject, data=told.data)] * 3

    events = outbox.record_all(news, cause=build.CAUSE, job_id=job.pk, attempt=1)

    assert [event.job_sequence for event in events] == [2, 3, 4]
    stored = Event.objects.filter(job_id=job.pk).order_by("id")
    assert list(stored.values_list("job_sequence", flat=True)) == [1, 2, 3, 4]
    assert list(stored)[1:] == events


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_an_error() -> None:
    with pytest.raises(TransactionManagementError, match=r"worker\.added of worker01 was told outside"):
        record()

    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_save_that_goes_round_the_model_s_own_is_an_error() -> None:
    with pytest.raises(TransactionManagementError, match="outside a transaction"):
        models.Model.save(Worker(name="worker01"))

    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_rollback_leaves_neither_the_change_nor_its_event_on_any_transport(alice: User) -> None:
    transport = Memory()
    job = build.job(submitter=alice, state=State.RUNNING)
    publisher.run_once([transport])

    with build.rolled_back():
        job.state, job.health = State.FINISHED, Health.COMPLETE
        job.save()
    publisher.run_once([transport])

    assert Job.objects.get(pk=job.pk).state == State.RUNNING
    assert build.events_of(job)[-1] == "job.started"
    assert transport.sent == []


@pytest.mark.django_db(transaction=True)
def test_a_lock_outside_a_transaction_is_an_error(alice: User) -> None:
    job = build.job(submitter=alice)

    with pytest.raises(TransactionManagementError, match="is locked outside a transaction"):
        Job.objects.lock(job.pk)


@pytest.mark.django_db(transaction=True)
def test_the_doorbells_ring_at_the_commit_and_not_before(data: Path) -> None:
    with Doorbell(data / "run", "engine") as engine, Doorbell(data / "run", "web") as web:
        with transaction.atomic():
            record()
            assert not engine.wait(0)

        assert engine.wait(0)
        publisher.number()  # at the commit already where the insert does it
        assert web.wait(0)


@pytest.mark.django_db(transaction=True)
def test_the_doorbells_ring_once_for_all_events_of_a_transaction(data: Path) -> None:
    with Doorbell(data / "run", "engine") as engine:
        with transaction.atomic():
            record()
            record()

        rings = socket.socket(fileno=os.dup(engine.fileno()))
        with rings:
            assert rings.recv(1)
            with pytest.raises(BlockingIOError):
                rings.recv(1, socket.MSG_DONTWAIT)


@pytest.mark.django_db(transaction=True)
def test_the_doorbells_ring_for_what_is_left_when_an_inner_block_was_rolled_back(data: Path) -> None:
    with Doorbell(data / "run", "engine") as engine:
        with transaction.atomic():
            with build.rolled_back():
                record()
            record()

        assert engine.wait(0)


@pytest.mark.django_db(transaction=True)
def test_the_doorbells_are_silent_after_a_rollback(data: Path) -> None:
    with Doorbell(data / "run", "engine") as engine:
        with build.rolled_back():
            record()

        assert not engine.wait(0)


@pytest.mark.django_db
def test_what_an_event_says_beyond_the_catalogue_fails_the_test_that_made_it_say_so(
    undescribed: list[str],
) -> None:
    outbox.record(
        "worker.added",
        subject="worker01",
        data=build.OF_A_WORKER | {"shoe_size": 44},
        cause=build.CAUSE,
    )

    assert undescribed == [
        "worker.added: Additional properties are not allowed ('shoe_size' was unexpected)",
    ]
    undescribed.clear()  # else this test fails, as any other would


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"state": "Asleep"}, "state: 'Asleep' is not one of ['Online', 'Offline']"),
        ({"hostname": None}, "hostname: None is not of type 'string'"),
    ],
    ids=["a word", "a type"],
)
def test_a_value_of_another_kind_than_the_catalogue_lists_is_found(
    said: dict[str, object], fault: str, undescribed: list[str]
) -> None:
    outbox.record("worker.added", subject="w", data=build.OF_A_WORKER | said, cause=build.CAUSE)

    assert undescribed == [f"worker.added: {fault}"]
    undescribed.clear()
