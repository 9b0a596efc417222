"""What drives the transports: each from its own position, none held up by another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from django.db import connections, transaction
from pytest_django import Settings

from events import numbering, outbox, publisher
from events.models import Event, Position
from events.transports import TransportDown
from events.transports.memory import Memory
from events.transports.zmq import PublicSocket, TrustedSocket
from tests import build

pytestmark = pytest.mark.django_db(transaction=True)


def tell(subject: str) -> None:
    with transaction.atomic():
        outbox.record("worker.added", subject=subject, data=build.OF_A_WORKER, cause=build.CAUSE)


def subjects(transport: Memory) -> list[str]:
    return [event.subject for event in transport.sent]


class Breaking(Memory):
    """Goes down in the middle of a batch."""

    def __init__(self, after: int) -> None:
        super().__init__("breaking")
        self._after = after

    def send(self, events: Sequence[Event]) -> None:
        super().send(events[: self._after])
        raise TransportDown("in the middle")


def test_a_new_transport_does_not_begin_with_the_lab_s_past() -> None:
    tell("past")
    transport = Memory()

    publisher.run_once([transport])
    tell("present")
    publisher.run_once([transport])

    assert subjects(transport) == ["present"]


def test_every_transport_gets_every_event_once_and_in_order() -> None:
    first, second = Memory("first"), Memory("second")
    publisher.run_once([first, second])
    for name in "abc":
        tell(name)

    publisher.run_once([first, second])
    publisher.run_once([first, second])

    assert subjects(first) == subjects(second) == ["a", "b", "c"]


def test_a_transport_that_is_down_delays_itself_only_and_gets_all_of_it_later() -> None:
    healthy, sick = Memory("healthy"), Memory("sick")
    publisher.run_once([sick, healthy])
    sick.is_down = True
    tell("a")
    publisher.run_once([sick, healthy])
    assert (subjects(sick), subjects(healthy)) == ([], ["a"])

    sick.is_down = False
    tell("b")
    publisher.run_once([sick, healthy])

    assert (subjects(sick), subjects(healthy)) == (["a", "b"], ["a", "b"])


def test_a_batch_that_went_out_in_part_is_offered_again_whole() -> None:
    transport = Breaking(after=1)
    publisher.run_once([transport])
    tell("a")
    tell("b")

    publisher.run_once([transport])
    publisher.run_once([transport])

    assert subjects(transport) == ["a", "a"]
    assert Position.objects.get(pk="breaking").sequence < numbering.last_number()


def test_a_position_outlives_the_publisher() -> None:
    publisher.run_once([Memory()])
    tell("a")
    publisher.run_once([Memory()])
    tell("b")

    restarted = Memory()
    publisher.run_once([restarted])

    assert subjects(restarted) == ["b"]


def test_a_backlog_longer_than_a_batch_goes_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "BATCH", 3)
    transport = Memory()
    publisher.run_once([transport])
    for number in range(10):
        tell(str(number))

    publisher.run_once([transport])

    assert subjects(transport) == [str(number) for number in range(10)]


def test_a_publisher_that_was_overtaken_lets_the_other_go_on() -> None:
    class Overtaken(Memory):
        def send(self, events: Sequence[Event]) -> None:
            super().send(events)
            Position.objects.filter(pk=self.name).update(sequence=numbering.last_number())

    transport = Overtaken()
    publisher.run_once([transport])
    tell("a")
    tell("b")

    publisher.run_once([transport])
    publisher.run_once([transport])

    assert subjects(transport) == ["a", "b"]


def test_what_happened_while_notification_was_off_is_recorded_but_never_sent(settings: Settings) -> None:
    transport = Memory()
    publisher.run_once([transport])
    settings.EVENT_NOTIFICATION = False
    tell("silent")
    publisher.run_once([])

    settings.EVENT_NOTIFICATION = True
    tell("loud")
    publisher.run_once([transport])

    assert subjects(transport) == ["loud"]
    assert list(Event.objects.order_by("sequence").values_list("subject", flat=True)) == ["silent", "loud"]


def test_the_settings_name_the_transports(settings: Settings) -> None:
    settings.EVENT_SOCKET = "tcp://127.0.0.1:5999"
    settings.EVENT_ADDITIONAL_SOCKETS = ["tcp://127.0.0.1:6000"]

    public, trusted = publisher.configured()

    assert isinstance(public, PublicSocket)
    assert isinstance(trusted, TrustedSocket)
    assert (public.name, trusted.name) == ("zmq tcp://127.0.0.1:5999", "zmq push tcp://127.0.0.1:6000")


def test_without_notification_there_are_no_transports(settings: Settings) -> None:
    settings.EVENT_NOTIFICATION = False

    assert publisher.configured() == []


def test_a_running_publisher_is_woken_by_a_commit_and_ends_when_told(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = Memory()
    taken = threading.Event()
    publisher.run_once([transport])
    monkeypatch.setattr(publisher, "configured", lambda: [transport])
    monkeypatch.setattr(publisher, "POLL_SECONDS", 60.0)  # only the bell can wake it in time
    _after(transport, taken.set)
    stop = threading.Event()
    thread = threading.Thread(target=_publish, args=(stop,))
    thread.start()
    _wait_for_bell(data / "run")

    tell("a")

    assert taken.wait(20)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert transport.is_down


def _after(transport: Memory, call: Callable[[], None]) -> None:
    send = transport.send

    def and_call(events: Sequence[Event]) -> None:
        send(events)
        call()

    transport.send = and_call  # type: ignore[method-assign]


def _publish(stop: threading.Event) -> None:
    try:
        publisher.run(stop)
    finally:
        connections.close_all()


def _wait_for_bell(directory: Path) -> None:
    deadline = time.monotonic() + 20
    while not list(directory.glob("engine.*")):
        assert time.monotonic() < deadline, "the publisher has no doorbell"
        time.sleep(0.01)
