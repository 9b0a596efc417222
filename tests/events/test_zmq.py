"""LAVA's five frames on real sockets, heard by real subscribers in other processes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime

import pytest
import zmq
from django.contrib.auth.models import User
from django.db import transaction
from pytest_django import Settings

from devices import lifecycle as devices
from events import outbox, publisher
from events.models import Event
from events.transports import Transport
from events.transports.memory import Memory
from events.transports.zmq import PublicSocket, TrustedSocket
from jobs.states import State
from tests import build
from tests.events.listening import PATIENCE, bound, free_address, is_free, subscriber
from tests.lab import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def address() -> str:
    return free_address()


@contextmanager
def pulling(address: str) -> Iterator[zmq.Socket[bytes]]:
    """A trusted subscriber, as EVENT_ADDITIONAL_SOCKETS names them."""
    with zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.bind(address)
        pull.setsockopt(zmq.RCVTIMEO, int(PATIENCE * 1000))
        yield pull


def pull_all(pull: zmq.Socket[bytes], transport: Transport, count: int) -> list[dict[str, object]]:
    """Drive the transport until its peer is there, then take so many messages."""
    while not pull.poll(20):
        publisher.run_once([transport])
    return [json.loads(pull.recv_multipart()[4]) for _ in range(count)]


def test_a_subscriber_hears_the_whole_life_of_a_job_in_the_order_of_lava(address: str, alice: User) -> None:
    build.device()
    with subscriber(address) as ears, closing(bound(address)) as transport:
        publisher.run_once([transport])
        job = build.job(submitter=alice, state=State.FINISHED)
        publisher.run_once([transport])

        heard = ears.take(7)

    assert [(each.kind, each.data["state"]) for each in heard] == [
        ("testjob", "Submitted"),
        ("device", "Reserved"),
        ("testjob", "Scheduled"),
        ("device", "Running"),
        ("testjob", "Running"),
        ("device", "Idle"),
        ("testjob", "Finished"),
    ]
    assert [each.data["job"] for each in heard] == [job.pk] * 7
    assert heard[-1].data["health"] == "Complete"


def test_the_five_frames_are_what_lava_sends(address: str, alice: User, settings: Settings) -> None:
    settings.EVENT_TOPIC = "org.linaro.validation"
    with subscriber(address) as ears, closing(bound(address)) as transport:
        publisher.run_once([transport])
        build.device()
        devices.maintenance("qemu01", by="admin", reason="the fan is loud")
        build.device("qemu02")
        build.job(submitter=alice)
        publisher.run_once([transport])

        of_device, of_job = ears.take(2)

    assert (of_device.topic, of_device.user) == ("org.linaro.validation.device", "lavaserver")
    assert (of_job.topic, of_job.user) == ("org.linaro.validation.testjob", "alice")
    assert uuid.UUID(of_job.uuid).version == 1
    sent = datetime.fromisoformat(of_job.time)
    assert sent.tzinfo is None
    assert len(of_job.time) == len("2026-11-22T03:27:54.531671")
    assert of_device.data["health"] == "Maintenance"
    assert of_device.data["reason"] == "the fan is loud"


def test_a_frame_carries_the_number_by_which_a_gap_is_seen(address: str, alice: User) -> None:
    with subscriber(address) as ears, closing(bound(address)) as transport:
        publisher.run_once([transport])
        job = build.job(submitter=alice, state=State.SCHEDULED)
        publisher.run_once([transport])

        submitted, reserved, scheduled = ears.take(3)

    stored = {event.type: event for event in Event.objects.filter(job_id=job.pk)}
    assert submitted.data["sequence"] == stored["job.submitted"].sequence
    assert submitted.uuid == str(stored["job.submitted"].uid)
    assert submitted.data["sequence"] < reserved.data["sequence"] < scheduled.data["sequence"]
    assert (submitted.data["job_sequence"], scheduled.data["job_sequence"]) == (1, 2)


def test_a_private_job_is_not_heard_on_the_public_socket(address: str, alice: User) -> None:
    with subscriber(address) as ears, closing(bound(address)) as transport:
        publisher.run_once([transport])
        hidden = build.job(submitter=alice, visibility="personal")
        shown = build.job(submitter=alice)
        publisher.run_once([transport])

        (first,) = ears.take(1)

    assert first.data["job"] == shown.pk != hidden.pk


def test_a_trusted_subscriber_hears_of_private_jobs_too(address: str, alice: User) -> None:
    trusted = TrustedSocket(address)
    publisher.run_once([trusted])
    hidden = build.job(submitter=alice, visibility="personal")

    with pulling(address) as pull, closing(trusted):
        (first,) = pull_all(pull, trusted, 1)

    assert (first["job"], first["state"]) == (hidden.pk, "Submitted")


def test_what_nobody_took_waits_for_the_trusted_subscriber(address: str, alice: User) -> None:
    with closing(TrustedSocket(address)) as trusted:
        publisher.run_once([trusted])
        jobs = [build.job(submitter=alice).pk for _ in range(3)]
        publisher.run_once([trusted])  # nobody is there

        with pulling(address) as pull:
            assert [told["job"] for told in pull_all(pull, trusted, 3)] == jobs


def test_a_publisher_that_comes_back_sends_what_happened_meanwhile(address: str, alice: User) -> None:
    with subscriber(address) as ears:
        with closing(bound(address)) as transport:
            publisher.run_once([transport])
            first = build.job(submitter=alice)
            publisher.run_once([transport])
            ears.take(1)
        missed = [build.job(submitter=alice).pk for _ in range(3)]
        assert eventually(lambda: is_free(address))

        with closing(PublicSocket(address)) as transport:
            publisher.run_once([transport])
            heard = ears.take(3)

    assert [each.data["job"] for each in heard] == missed
    assert first.pk not in missed


def test_an_address_that_is_taken_delays_its_own_transport_only(
    address: str, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    others = Memory()
    with closing(PublicSocket(address)) as occupant, closing(PublicSocket(address)) as late:
        occupant.bind()
        publisher.run_once([late, others])
        build.job(submitter=alice)

        publisher.run_once([late, others])

        assert [event.type for event in others.sent][-1] == "job.submitted"
        assert f"{address} cannot be bound" in caplog.text
        assert "EVENT_SOCKET names another" in caplog.text

        occupant.close()
        assert eventually(lambda: is_free(address))
        with subscriber(address) as ears:
            late.bind()
            publisher.run_once([late])
            assert [each.kind for each in ears.take(1)] == ["testjob"]


def test_an_event_of_a_type_that_was_given_up_is_passed_over(address: str, alice: User) -> None:
    trusted = TrustedSocket(address)
    publisher.run_once([trusted])
    with transaction.atomic():
        old = outbox.record("worker.added", subject="worker01", data=build.OF_A_WORKER, cause=build.CAUSE)
    Event.objects.filter(pk=old.pk).update(type="worker.teleported")
    job = build.job(submitter=alice)

    with pulling(address) as pull, closing(trusted):
        assert pull_all(pull, trusted, 1)[0]["job"] == job.pk
