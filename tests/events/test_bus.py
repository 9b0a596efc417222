"""The bus of one process: ordered within a subscriber, parallel between them, and nobody holds up another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.bus import Bus, Message, NotInTime, Subscription, Unsubscribed
from events.topics import BadPattern, matches

PATIENCE = 20.0  # seconds; only what fails takes them

WORDS = st.sampled_from(["job", "started", "foo-topic"])
TOPICS = st.lists(WORDS, min_size=1, max_size=3).map(".".join)
PATTERNS = st.lists(WORDS | st.sampled_from("*#"), min_size=1, max_size=3).map(".".join)


@pytest.fixture
def bus() -> Iterator[Bus]:
    bus = Bus()
    yield bus
    assert bus.close(PATIENCE) == []


class Noted:
    """A handler that notes what it gets."""

    def __init__(self, expected: int = 1) -> None:
        self.messages: list[Message] = []
        self._expected = expected
        self._came = threading.Event()

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        if len(self.messages) == self._expected:
            self._came.set()

    @property
    def payloads(self) -> list[Any]:
        assert self._came.wait(PATIENCE), f"only {self.messages} came"
        return [message.payload for message in self.messages]


class Held:
    """A handler that says when it has begun, and goes on when it may."""

    def __init__(self) -> None:
        self.began, self.may_go_on = threading.Event(), threading.Event()
        self.payloads: list[Any] = []

    def __call__(self, message: Message) -> None:
        self.began.set()
        assert self.may_go_on.wait(PATIENCE)
        self.payloads.append(message.payload)


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


# Publishing and subscribing


def test_who_has_subscribed_gets_the_topic_and_the_payload(bus: Bus) -> None:
    subscription = bus.subscribe("foo-topic")

    bus.publish("foo-topic", {"some": "data"})

    assert subscription.take(PATIENCE) == Message(topic="foo-topic", payload={"some": "data"})


def test_only_the_payload_is_given_where_only_it_matters(bus: Bus) -> None:
    payloads = bus.only_payload(subscription := bus.subscribe("foo-topic"))
    for number in range(3):
        bus.publish("foo-topic", number)
    assert payloads.take(PATIENCE) == 0

    subscription.end(at_once=False)

    assert list(payloads) == [1, 2]


def test_nobody_gets_what_is_published_on_other_topics_or_was_before(bus: Bus) -> None:
    bus.publish("foo-topic", "before")
    subscription = bus.subscribe("foo-topic")
    bus.publish("bar-topic", "other")

    assert subscription.waiting == 0


@pytest.mark.parametrize("topic", ["", "a b", "a..b", "job.*", "#", "ä"])
def test_one_can_only_speak_on_a_topic(topic: str, bus: Bus) -> None:
    with pytest.raises(BadPattern, match="is no topic to speak on"):
        bus.publish(topic, 1)


def test_one_can_only_subscribe_to_what_may_be_spoken_on(bus: Bus) -> None:
    with pytest.raises(BadPattern, match="is no topic"):
        bus.subscribe("a b")


@given(
    patterns=st.lists(PATTERNS, max_size=4), published=st.lists(st.tuples(TOPICS, st.integers()), max_size=20)
)
def test_everybody_gets_all_of_their_topics_once_and_in_order(
    patterns: list[str], published: list[tuple[str, int]]
) -> None:
    bus = Bus()
    subscriptions = [bus.subscribe(pattern) for pattern in patterns]

    for topic, payload in published:
        bus.publish(topic, payload)

    bus.close(0)
    assert [[(each.topic, each.payload) for each in subscription] for subscription in subscriptions] == [
        [(topic, payload) for topic, payload in published if matches(pattern, topic)] for pattern in patterns
    ]


def test_several_publishers_keep_each_their_own_order_for_every_subscriber(bus: Bus) -> None:
    handlers = [Noted(400), Noted(400)]
    for handler in handlers:
        bus.handle("foo-topic", handler)
    ready = threading.Barrier(4)

    def publish(publisher: int) -> None:
        ready.wait(PATIENCE)
        for number in range(100):
            bus.publish("foo-topic", (publisher, number))

    threads = [in_background(lambda publisher=publisher: publish(publisher)) for publisher in range(4)]  # type: ignore[misc]
    for thread in threads:
        thread.join(PATIENCE)

    for handler in handlers:
        assert sorted(handler.payloads) == sorted((who, number) for who in range(4) for number in range(100))
        for publisher in range(4):
            assert [number for who, number in handler.payloads if who == publisher] == list(range(100))


def test_who_changes_a_payload_changes_nobody_else_s(bus: Bus) -> None:
    said = {"numbers": [1, 2]}
    first, second = bus.subscribe("foo-topic"), bus.subscribe("foo-topic")
    bus.publish("foo-topic", said)

    said["numbers"].append(3)
    first.take(PATIENCE).payload["numbers"].clear()

    assert second.take(PATIENCE).payload == {"numbers": [1, 2]}


# Coming to an end


def test_who_waits_for_a_message_no_longer_than_so_says_so(bus: Bus) -> None:
    with pytest.raises(TimeoutError, match="nothing was published on foo-topic within 0 s"):
        bus.subscribe("foo-topic").take(0)


def test_who_waits_for_a_message_is_told_when_none_will_come(bus: Bus) -> None:
    subscription = bus.subscribe("foo-topic")
    iterated = list[Message]()
    reader = in_background(lambda: iterated.extend(subscription))

    bus.unsubscribe(subscription)

    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert iterated == []
    with pytest.raises(Unsubscribed, match="a subscriber of foo-topic is not subscribed any more"):
        subscription.take()


def test_who_has_unsubscribed_gets_nothing_more(bus: Bus) -> None:
    subscription, other = bus.subscribe("foo-topic"), bus.subscribe("foo-topic")
    bus.publish("foo-topic", 1)

    bus.unsubscribe(subscription)
    bus.publish("foo-topic", 2)

    assert list(subscription) == []
    assert other.waiting == 2
    assert bus.subscriptions == (other,)


def test_a_bus_that_is_closed_lets_its_handlers_finish() -> None:
    bus, handler = Bus(), Held()
    bus.handle("foo-topic", handler)
    for number in range(3):
        bus.publish("foo-topic", number)
    assert handler.began.wait(PATIENCE)
    handler.may_go_on.set()

    assert bus.close(PATIENCE) == []
    assert handler.payloads == [0, 1, 2]


def test_a_bus_that_is_closed_names_the_handlers_that_do_not_finish() -> None:
    bus, handler = Bus(), Held()
    bus.handle("foo-topic", handler, name="the slow one")
    bus.publish("foo-topic", 1)
    assert handler.began.wait(PATIENCE)

    assert bus.close(0) == ["the slow one"]
    handler.may_go_on.set()
    assert bus.close(PATIENCE) == []


# Handlers


def test_handlers_run_beside_each_other(bus: Bus) -> None:
    together = threading.Barrier(3)
    for _ in range(2):
        bus.handle("foo-topic", lambda message: together.wait(PATIENCE))

    bus.publish("foo-topic", 1)

    together.wait(PATIENCE)  # BrokenBarrierError, if one waits for the other


def test_a_handler_that_hangs_delays_nobody(bus: Bus) -> None:
    held, other = Held(), Noted(100)
    bus.handle("foo-topic", held)
    bus.handle("foo-topic", other)

    for number in range(100):
        bus.publish("foo-topic", number)

    assert other.payloads == list(range(100))
    held.may_go_on.set()


@pytest.mark.parametrize("error", [ValueError("no such board"), SystemExit(1)], ids=repr)
def test_a_handler_that_raises_is_logged_and_goes_on(
    error: BaseException, bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    seen, other = Noted(2), Noted(2)

    def handler(message: Message) -> None:
        seen(message)
        if message.payload == "bad":
            raise error

    subscription = bus.handle("foo-topic", handler, name="the shaky one")
    bus.handle("foo-topic", other)
    bus.publish("foo-topic", "bad")
    bus.publish("foo-topic", "good")

    assert seen.payloads == other.payloads == ["bad", "good"]
    assert subscription.failed == 1
    assert "the shaky one failed at foo-topic; it goes on with the next message" in caplog.text


def test_a_handler_may_publish_on_its_own_topic(bus: Bus) -> None:
    seen = Noted(10)

    def count_down(message: Message) -> None:
        seen(message)
        if message.payload:
            bus.publish("foo-topic", message.payload - 1)

    bus.handle("foo-topic", count_down)
    bus.publish("foo-topic", 9)

    assert seen.payloads == list(range(9, -1, -1))


def test_a_handler_is_made_ready_before_each_message_and_tidied_up_after_the_last() -> None:
    done: list[str] = []
    bus = Bus(before_each=lambda: done.append("ready"), at_end=lambda: done.append("end"))
    bus.handle("foo-topic", lambda message: done.append(message.payload))
    bus.publish("foo-topic", "first")
    bus.publish("foo-topic", "second")

    bus.close(PATIENCE)

    assert done == ["ready", "first", "ready", "second", "end"]


def test_a_handler_is_reported_by_the_name_of_its_function(bus: Bus) -> None:
    subscription = bus.handle("foo-topic", test_handlers_run_beside_each_other)  # type: ignore[arg-type]

    assert subscription.name == "tests.events.test_bus.test_handlers_run_beside_each_other"


# Those who are too slow


def test_who_is_too_slow_loses_the_oldest_and_is_reported_once(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    subscription = bus.subscribe("foo-topic", name="the slow one", most_waiting=3)

    for number in range(10):
        bus.publish("foo-topic", number)

    assert (subscription.waiting, subscription.dropped) == (3, 7)
    assert [subscription.take(PATIENCE).payload for _ in range(3)] == [7, 8, 9]
    assert caplog.text.count("the slow one is too slow: 3 messages wait for it") == 1


def test_who_has_caught_up_is_reported_again_when_it_falls_behind_again(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    subscription = bus.subscribe("foo-topic", name="the slow one", most_waiting=1)

    for _ in range(2):
        bus.publish("foo-topic", 1)
        bus.publish("foo-topic", 2)
        subscription.take(PATIENCE)

    assert caplog.text.count("the slow one is too slow") == 2
    assert "the slow one has caught up; it has lost 1 messages so far" in caplog.text
    assert "it has lost 2 messages so far" in caplog.text


def test_the_last_value_always_arrives(bus: Bus) -> None:
    held = Held()
    bus.handle("job.progress", held, most_waiting=2)
    bus.publish("job.progress", 0)
    assert held.began.wait(PATIENCE)

    for percent in range(1, 101):
        bus.publish("job.progress", percent)
    held.may_go_on.set()

    bus.close(PATIENCE)
    assert held.payloads == [0, 99, 100]


# Waiting for the subscribers


def test_a_publisher_that_waits_goes_on_when_all_have_processed_it(bus: Bus) -> None:
    handlers = [Noted(), Noted()]
    for handler in handlers:
        bus.handle("foo-topic", handler)

    bus.publish("foo-topic", 1, wait=PATIENCE)

    assert [len(handler.messages) for handler in handlers] == [1, 1]


def test_a_publisher_that_waits_is_told_who_was_too_slow(bus: Bus) -> None:
    held = Held()
    late = bus.handle("foo-topic", held, name="the slow one")
    bus.handle("foo-topic", Noted())

    with pytest.raises(NotInTime, match=r"foo-topic was not processed within 0\.1 s by the slow one") as told:
        bus.publish("foo-topic", 1, wait=0.1)

    assert told.value.late == (late,)
    held.may_go_on.set()


def test_a_publisher_that_waits_for_nobody_goes_on_at_once(bus: Bus) -> None:
    bus.publish("foo-topic", 1, wait=PATIENCE)


def test_who_iterates_has_processed_a_message_when_it_takes_the_next(bus: Bus) -> None:
    subscription = bus.subscribe("foo-topic")
    done = threading.Event()
    publisher = in_background(lambda: (bus.publish("foo-topic", 1, wait=PATIENCE), done.set()))
    subscription.take(PATIENCE)
    assert not done.is_set()

    with pytest.raises(TimeoutError):
        subscription.take(0)

    assert done.wait(PATIENCE)
    publisher.join(PATIENCE)


def test_who_unsubscribes_is_not_waited_for(bus: Bus) -> None:
    subscription = bus.subscribe("foo-topic")
    done = threading.Event()
    in_background(lambda: (bus.publish("foo-topic", 1, wait=PATIENCE), done.set()))
    _until(subscription, waiting=1)

    bus.unsubscribe(subscription)

    assert done.wait(PATIENCE)


def test_who_lost_the_message_is_too_slow_for_it(bus: Bus) -> None:
    subscription = bus.subscribe("foo-topic", name="the slow one", most_waiting=1)
    failed: list[BaseException] = []

    def publish() -> None:
        with pytest.raises(NotInTime) as told:
            bus.publish("foo-topic", 1, wait=PATIENCE)
        failed.append(told.value)

    publisher = in_background(publish)
    _until(subscription, waiting=1)
    bus.publish("foo-topic", 2)

    publisher.join(PATIENCE)
    assert "by the slow one" in str(failed)


def test_a_handler_that_publishes_does_not_wait_for_itself(bus: Bus) -> None:
    seen = Noted(2)

    def again(message: Message) -> None:
        if message.payload == "first":
            bus.publish("foo-topic", "second", wait=PATIENCE)
        seen(message)

    bus.handle("foo-topic", again)
    bus.publish("foo-topic", "first")

    assert seen.payloads == ["first", "second"]


def test_handlers_that_wait_for_each_other_are_freed_by_the_clock(bus: Bus) -> None:
    both, late = threading.Barrier(2), Noted(2)

    def ask(topic: str) -> Callable[[Message], None]:
        def handler(message: Message) -> None:
            if message.payload == "begin":
                both.wait(PATIENCE)
                with pytest.raises(NotInTime):
                    bus.publish(topic, "answer me", wait=0.1)
                both.wait(PATIENCE)
                late(message)

        return handler

    bus.handle("ping", ask("pong"))
    bus.handle("pong", ask("ping"))
    bus.publish("ping", "begin")
    bus.publish("pong", "begin")

    assert late.payloads == ["begin", "begin"]


def _until(subscription: Subscription, *, waiting: int) -> None:
    """Wait until so many messages wait for it."""
    with subscription._news:
        assert subscription._news.wait_for(lambda: subscription.waiting == waiting, PATIENCE)
