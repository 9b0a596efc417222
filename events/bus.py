"""The bus of one process: what happens, for code that runs inside the lab. LambdaCD's event bus, in Python. No Django.

Who subscribes to a topic gets all that is published on it from then on, in its order; subscribers do not wait for each
other, and a publisher waits for them only if it asks to. So that none of them can hold up the lab, a subscriber that is
too slow loses what has waited longest, and that is reported.

A topic is a word or several with dots between them, `foo-topic` or `job.started`. To subscribe, `*` stands for any one
word and `#` for any number of them (events.topics). A payload is made of plain values: everybody gets a copy.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from events import topics

log = logging.getLogger(__name__)

MOST_WAITING: Final = 10_000  # messages of one subscriber

Handler = Callable[["Message"], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a subscriber gets."""

    topic: str  # on which it was published
    payload: Any


class Unsubscribed(Exception):
    """There is nothing more to take from this subscription."""


class NotInTime(Exception):
    """Some subscribers had not processed a message when its publisher would wait no longer."""

    def __init__(self, topic: str, seconds: float, late: Iterable[Subscription]) -> None:
        self.late = tuple(late)
        names = ", ".join(sorted(subscription.name for subscription in self.late))
        super().__init__(f"{topic} was not processed within {seconds:g} s by {names}")


class _Receipt:
    """Who has not processed a message yet that its publisher waits for."""

    def __init__(self, readers: Iterable[Subscription]) -> None:
        self._open = set(readers)
        self._lost: set[Subscription] = set()
        self._signed = threading.Condition()

    def sign(self, reader: Subscription) -> None:
        with self._signed:
            self._open.discard(reader)
            self._signed.notify_all()

    def give_up(self, reader: Subscription) -> None:
        """It will never process the message."""
        with self._signed:
            if reader in self._open:
                self._lost.add(reader)
        self.sign(reader)

    def wait(self, seconds: float) -> set[Subscription]:
        """Those who have not processed it in time."""
        with self._signed:
            self._signed.wait_for(lambda: not self._open, timeout=seconds)
            return self._open | self._lost


@dataclass(frozen=True, slots=True)
class _Item:
    message: Message
    receipt: _Receipt | None

    def sign(self, reader: Subscription) -> None:
        if self.receipt:
            self.receipt.sign(reader)


class Subscription:
    """What waits for one subscriber. It is for one thread at a time; its numbers may be read by all."""

    def __init__(self, topic: str, *, name: str = "", most_waiting: int = MOST_WAITING) -> None:
        self.topic = topics.check(topic)
        self.name = name or f"a subscriber of {topic}"  # in what is reported of it
        self.dropped = 0  # messages that it was too slow for
        self.failed = 0  # messages that its handler raised at
        self._most_waiting = most_waiting
        self._waiting: deque[_Item] = deque()
        self._now: _Item | None = None  # is being processed
        self._reader: int | None = None  # the thread that took it
        self._is_behind = False
        self._is_over = False
        self._news = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many messages it is behind."""
        return len(self._waiting)

    def take(self, timeout: float | None = None) -> Message:
        """The next message, which says that the one before was processed.

        TimeoutError if there is none within so many seconds, Unsubscribed if none will come any more.
        """
        with self._news:
            self._sign()
            if not self._news.wait_for(lambda: self._waiting or self._is_over, timeout):
                raise TimeoutError(f"nothing was published on {self.topic} within {timeout:g} s")
            if not self._waiting:
                raise Unsubscribed(f"{self.name} is not subscribed any more")
            self._now, self._reader = self._waiting.popleft(), threading.get_ident()
            self._tell_recovery()
            message = self._now.message
        return Message(topic=message.topic, payload=deepcopy(message.payload))

    def __iter__(self) -> Iterator[Message]:
        """Message after message, until it is unsubscribed."""
        while True:
            try:
                yield self.take()
            except Unsubscribed:
                return

    def put(self, item: _Item) -> None:
        with self._news:
            if self._is_over:
                item.sign(self)
                return
            if len(self._waiting) >= self._most_waiting:
                self._drop_oldest()
            self._waiting.append(item)
            self._news.notify_all()

    def end(self, *, at_once: bool) -> None:
        """Nothing more comes; what waits is not taken either, if it is to end at once."""
        with self._news:
            self._is_over = True
            while at_once and self._waiting:
                self._waiting.popleft().sign(self)
            self._news.notify_all()

    @property
    def is_read_here(self) -> bool:
        """Whether this thread is processing one of its messages."""
        return self._now is not None and self._reader == threading.get_ident()

    def _sign(self) -> None:
        if self._now:
            self._now.sign(self)
        self._now = None

    def _drop_oldest(self) -> None:
        oldest = self._waiting.popleft()
        if oldest.receipt:
            oldest.receipt.give_up(self)
        self.dropped += 1
        if not self._is_behind:
            log.warning(
                "%s is too slow: %d messages wait for it, and from now on it loses the oldest",
                self.name,
                self._most_waiting,
                extra={"action": "subscriber_behind", "subscriber": self.name},
            )
        self._is_behind = True

    def _tell_recovery(self) -> None:
        if self._is_behind and not self._waiting:
            self._is_behind = False
            log.info("%s has caught up; it has lost %d messages so far", self.name, self.dropped)


class Payloads:
    """A subscription of which only the payloads matter."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def __iter__(self) -> Iterator[Any]:
        return (message.payload for message in self._subscription)

    def take(self, timeout: float | None = None) -> Any:
        """The next one; raises as `Subscription.take`."""
        return self._subscription.take(timeout).payload


def _nothing() -> None:
    pass


class Bus:
    """Its verbs may be called from any thread, by handlers as well.

    `before_each` is called in a handler's thread before each message, `at_end` when that thread ends.
    """

    def __init__(
        self, *, before_each: Callable[[], object] = _nothing, at_end: Callable[[], object] = _nothing
    ) -> None:
        self._before_each = before_each
        self._at_end = at_end
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()  # never changed in place: publishers go through it
        self._threads: dict[Subscription, threading.Thread] = {}  # of the handlers

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        return self._subscriptions

    def subscribe(self, topic: str, *, name: str = "", most_waiting: int = MOST_WAITING) -> Subscription:
        """All that is published on the topic from now on. events.topics.BadPattern if it is no topic."""
        subscription = Subscription(topic, name=name, most_waiting=most_waiting)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """What waits for it is forgotten, and who iterates over it comes to the end."""
        with self._lock:
            self._subscriptions = tuple(each for each in self._subscriptions if each is not subscription)
        subscription.end(at_once=True)

    @staticmethod
    def only_payload(subscription: Subscription) -> Payloads:
        return Payloads(subscription)

    def publish(self, topic: str, payload: Any, *, wait: float | None = None) -> None:
        """Hand the payload to all who have subscribed to the topic.

        With `wait`, return when they have processed it; NotInTime names those who have not within so many seconds. A
        handler does not wait for itself. events.topics.BadPattern if it is no topic, or one of `*` or `#`.
        """
        topics.check_plain(topic)
        readers = [each for each in self._subscriptions if topics.matches(each.topic, topic)]
        if not readers:
            return
        receipt = None if wait is None else _Receipt(each for each in readers if not each.is_read_here)
        item = _Item(Message(topic=topic, payload=deepcopy(payload)), receipt)
        for reader in readers:
            reader.put(item)
        if receipt and wait is not None and (late := receipt.wait(wait)):
            raise NotInTime(topic, wait, late)

    def handle(
        self, topic: str, handler: Handler, *, name: str = "", most_waiting: int = MOST_WAITING
    ) -> Subscription:
        """Have the handler called with each message of the topic, in a thread of its own. What it raises is logged."""
        called = getattr(handler, "__qualname__", type(handler).__qualname__)
        name = name or f"{getattr(handler, '__module__', '?')}.{called}"
        subscription = self.subscribe(topic, name=name, most_waiting=most_waiting)
        thread = threading.Thread(
            target=self._attend, args=(subscription, handler), name=f"bus {name}"[:40], daemon=True
        )
        with self._lock:
            alive = {each: other for each, other in self._threads.items() if other.is_alive()}
            self._threads = {**alive, subscription: thread}
            thread.start()
        return subscription

    def close(self, patience: float) -> list[str]:
        """End all subscriptions, after what waits for them; the names of handlers that take more seconds than that."""
        with self._lock:
            ended, self._subscriptions = self._subscriptions, ()
            threads = self._threads
        for subscription in ended:
            subscription.end(at_once=False)
        deadline = time.monotonic() + patience
        for thread in threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        return [subscription.name for subscription, thread in threads.items() if thread.is_alive()]

    def _attend(self, subscription: Subscription, handler: Handler) -> None:
        try:
            for message in subscription:
                self._call(subscription, handler, message)
        finally:
            self._at_end()

    def _call(self, subscription: Subscription, handler: Handler, message: Message) -> None:
        try:
            self._before_each()
            handler(message)
        except (Exception, SystemExit):
            subscription.failed += 1
            log.exception(
                "%s failed at %s; it goes on with the next message",
                subscription.name,
                message.topic,
                extra={"action": "handler_failed", "subscriber": subscription.name},
            )
