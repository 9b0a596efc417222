"""What drives the transports: each from its own position, none held up by another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.db import transaction
from pytest_django import Settings

from events import feed, numbering, outbox, publisher
from events.models import Event, Position
from events.transports import TransportDown
from events.transports.memory import Memory
from events.transports.zmq import PublicSocket, TrustedSocket
from tests import build
from tests.events.publishing import PATIENCE, publishing
from tests.lab import eventually

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


def test_the_position_of_a_new_transport_is_noted_before_anything_is_sent() -> None:
    class Slow(Memory):
        def send(self, events: Sequence[Event]) -> None:
            super().send(events)
            if events and subjects(self) == ["a"]:
                tell("meanwhile")
                publisher.number()

    slow, late = Slow("slow"), Memory("late")
    publisher.prepare([slow])
    tell("a")

    publisher.run_once([slow, late])

    assert subjects(late) == ["meanwhile"]


def test_a_transport_that_breaks_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    broken, healthy = Broken("broken"), Memory("healthy")
    publisher.prepare([broken, healthy])
    tell("a")

    publisher.run_once([broken, healthy])

    assert subjects(healthy) == ["a"]
    assert "a part fell off" in caplog.text
    assert Position.objects.get(pk="broken").sequence < numbering.last_number()


def test_a_position_tells_how_its_transport_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    transport = Memory()
    transport.is_down = True
    tell("a")
    publisher.run_once([transport])
    tell("b")
    publisher.run_once([transport])
    down = Position.objects.get()
    transport.is_down = False
    publisher.run_once([transport])
    well = Position.objects.get()

    assert (down.trouble, down.failures, down.published) == ("switched off", 2, 0)
    assert down.down_since is not None
    assert down.troubled is not None
    assert down.troubled > down.down_since
    assert (well.trouble, well.failures, well.published) == ("switched off", 2, 1)
    assert (well.troubled, well.down_since) == (down.troubled, None)
    assert [record.message for record in caplog.records if "memory" in record.message] == [
        "memory does not take events now: switched off",
        "memory takes events again",
    ]


def test_a_transport_that_blocks_holds_up_no_other() -> None:
    blocked, others = Blocked("blocked"), Memory("others")
    publisher.prepare([blocked, others])

    with publishing(blocked, others):
        tell("a")
        assert blocked.has_begun.wait(PATIENCE)
        tell("b")
        assert eventually(lambda: subjects(others) == ["a", "b"], PATIENCE)
        assert blocked.sent == []
        blocked.goes_on.set()
        assert eventually(lambda: subjects(blocked) == ["a", "b"], PATIENCE)


def test_a_transport_that_breaks_is_tried_again_while_the_others_go_on() -> None:
    broken, others = Broken("broken"), Memory("others")
    publisher.prepare([broken, others])

    with publishing(broken, others):
        tell("a")
        assert eventually(lambda: Position.objects.get(pk="broken").failures > 1, PATIENCE)
        broken.is_whole = True
        tell("b")
        assert eventually(lambda: subjects(broken) == subjects(others) == ["a", "b"], PATIENCE)


def test_a_publisher_ends_although_a_transport_hangs(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "LAST_SECONDS", 0.1)
    hanging, others = Blocked("hanging"), Memory("others")
    publisher.prepare([hanging, others])

    with publishing(hanging, others):
        tell("a")
        assert hanging.has_begun.wait(PATIENCE)

    assert "hanging hangs" in caplog.text
    assert others.is_down
    hanging.goes_on.set()
    assert eventually(lambda: hanging.is_down, PATIENCE)


def test_a_publisher_ends_in_the_middle_of_a_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed.after, "__kwdefaults__", {"limit": 1})
    monkeypatch.setattr(feed, "BATCH", 1)
    transport = Blocked("blocked")
    publisher.prepare([transport])
    for name in "ab":
        tell(name)

    with publishing(transport) as stop:
        assert transport.has_begun.wait(PATIENCE)
        stop.set()
        transport.goes_on.set()

    assert subjects(transport) == ["a"]
    assert Position.objects.get().published == 1


def test_a_running_publisher_is_woken_by_a_commit_and_ends_when_told(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "POLL_SECONDS", 60.0)  # only the bells can wake it in time
    transport = Memory()
    publisher.prepare([transport])

    with publishing(transport):
        assert eventually(lambda: list((data / "run").glob("transports.*")), PATIENCE)
        tell("a")
        assert eventually(lambda: subjects(transport) == ["a"], PATIENCE)

    assert transport.is_down


class Broken(Memory):
    """Fails in a way that nobody thought of."""

    is_whole = False

    def send(self, events: Sequence[Event]) -> None:
        if events and not self.is_whole:
            raise KeyError("a part fell off")
        super().send(events)


class Blocked(Memory):
    """Takes no event before it is told to go on."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.has_begun, self.goes_on = threading.Event(), threading.Event()

    def send(self, events: Sequence[Event]) -> None:
        if events:
            self.has_begun.set()
            assert self.goes_on.wait(PATIENCE)
        super().send(events)
