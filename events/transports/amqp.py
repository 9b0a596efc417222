"""AMQP 0-9-1: a topic exchange of a broker such as RabbitMQ.

Every event goes out as a CloudEvent under its canonical type. What changes the state or the progress of a job goes out
once more, as Pulp's Task Report, under `tasks.` and the job's uuid.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from amqp import Connection, Message
from amqp.exceptions import AccessRefused, AMQPError, PreconditionFailed
from amqp.spec import Basic

from events import cloud, pulp, visibility
from events.models import Event
from events.reports import Reporter
from events.transports import TransportDown

PATIENCE = 5.0  # seconds for which the broker may say nothing when it is its turn
LAST_WORD = 1.0  # seconds for which it may think about a farewell
HEARTBEAT = 30  # seconds; two without a sign of life end the connection, on either side
GLANCE = 0.001  # seconds for the rest of what has begun to arrive
PARCELS_BETWEEN_GLANCES = 50
PERSISTENT = 2
APP = "lava_lite"
JSON = "application/json"

PORTS = {"amqp": 5672, "amqps": 5671}


class Unwilling(Exception):
    """The broker is there, and does not take what it is given."""


FULL = "it takes nothing now, for want of memory or disk space"
REFUSED = "it refuses messages; is a queue full that was declared with overflow=reject-publish?"
TROUBLES = (OSError, AMQPError)


@dataclass(frozen=True, slots=True)
class Parcel:
    """An event, and what goes out for it: routing key, content type and body of each message."""

    event: Event
    messages: tuple[tuple[str, str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Broker:
    """Where it is, and who we are there."""

    host: str  # with the port, as the client wants it
    virtual_host: str
    user: str
    password: str = field(repr=False)
    tls_name: str | None  # whose certificate is expected; None: no TLS

    @classmethod
    def at(cls, url: str) -> Broker:
        parts = urlsplit(url)
        name = parts.hostname or ""
        host = f"[{name}]" if ":" in name else name
        return cls(
            host=f"{host}:{parts.port or PORTS[parts.scheme]}",
            virtual_host=unquote(parts.path[1:]) or "/",
            user=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            tls_name=name if parts.scheme == "amqps" else None,
        )

    def __str__(self) -> str:
        return f"amqp://{self.host}/{self.virtual_host.removeprefix('/')}"


class TopicExchange:
    """One connection, on which the broker confirms that it has each message."""

    def __init__(self, url: str, exchange: str, *, tells_all: bool = False) -> None:
        # Without the broker: one that moved gets what happened meanwhile. And never with the password.
        self.name = f"amqp {exchange}"
        self._broker = Broker.at(url)
        self._exchange = exchange
        self._seen: Callable[[Sequence[Event]], Sequence[Event]] = list if tells_all else visibility.public
        self._reporter = Reporter(self._seen)
        self._line: Line | None = None

    def send(self, events: Sequence[Event]) -> None:
        try:
            line = self._line = self._line or Line(self._broker, self._exchange)
            line.listen()
            line.publish(self._parcels([event for event in events if not line.has_sent(event)]))
            line.wait_for_confirms()
        except Unwilling as answer:
            # The connection stays, and what is under way on it: who comes back and sends all of it again only adds to
            # what the broker cannot take.
            raise TransportDown(f"{self._broker}: {answer}") from answer
        except TROUBLES as trouble:
            self._hang_up()
            raise TransportDown(f"{self._broker}: {_words(trouble, self._exchange)}") from trouble
        except BaseException:
            self._hang_up()
            raise

    def close(self) -> None:
        if self._line is not None:
            self._line.leave()
            self._line = None

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.drop()
            self._line = None

    def _parcels(self, events: Sequence[Event]) -> list[Parcel]:
        """All are made before the first goes out: one that cannot be made must not send those before it again and again."""
        seen = self._seen(events)
        reports = self._reporter.reports(seen)
        return [_parcel(event, reports.get(event.uid)) for event in seen]


class Line:
    """A connection with one channel."""

    def __init__(self, broker: Broker, exchange: str) -> None:
        self._exchange = exchange
        self._sent = 0  # number of the last event that need not go out again; 0: nothing is under way
        self._tag = 0  # of the last message, as the broker counts
        self._unconfirmed: dict[int, int] = {}  # the numbers of events, by the tags of their messages
        self._refused: set[int] = set()
        self._is_blocked = False
        self._connection = _connection(broker, self._blocked, self._unblocked)
        try:
            self._connection.connect()
            self._connection.sock.settimeout(PATIENCE)
            self._open()
        except BaseException:
            self.drop()
            raise

    def has_sent(self, event: Event) -> bool:
        return (event.sequence or 0) <= self._sent

    def listen(self) -> None:
        """Take what the broker has said meanwhile, and give a sign of life. Unwilling while it is too full."""
        with suppress(TimeoutError):
            while _can_be_read(self._connection.sock):
                self._connection.drain_events(timeout=GLANCE)
        self._connection.heartbeat_tick()
        if self._is_blocked:
            raise Unwilling(FULL)

    def publish(self, parcels: Sequence[Parcel]) -> None:
        for number, parcel in enumerate(parcels, start=1):
            sequence = parcel.event.sequence or 0
            for message in parcel.messages:
                self._publish(parcel.event, *message)
                self._unconfirmed[self._tag] = sequence
            self._sent = sequence
            if number % PARCELS_BETWEEN_GLANCES == 0:
                self.listen()

    def wait_for_confirms(self) -> None:
        while self._unconfirmed:
            self._connection.drain_events(timeout=PATIENCE)
            if self._is_blocked:
                raise Unwilling(FULL)
        if self._refused:
            self._sent = min(self._refused) - 1
            self._refused.clear()
            raise Unwilling(REFUSED)
        self._sent = 0  # so that somebody who sets the position back has these sent again

    def leave(self) -> None:
        """Say goodbye, and do not wait for long."""
        with suppress(*TROUBLES):
            self._connection.sock.settimeout(LAST_WORD)
            self._connection.close()
        self.drop()

    def drop(self) -> None:
        self._connection.collect()

    def _open(self) -> None:
        self._declare()
        self._channel = self._connection.channel()
        self._channel.events["basic_ack"].add(self._acked)
        self._channel.events["basic_nack"].add(self._nacked)
        self._channel.confirm_select()

    def _declare(self) -> None:
        """Make the exchange; whoever may not do that finds it made."""
        kind = {"type": "topic", "durable": True, "auto_delete": False}
        try:
            self._connection.channel().exchange_declare(self._exchange, **kind)
        except AccessRefused:
            self._connection.channel().exchange_declare(self._exchange, passive=True, **kind)

    def _publish(self, event: Event, routing_key: str, content_type: str, body: bytes) -> None:
        content = Message(
            body,
            content_type=content_type,
            content_encoding="utf-8",
            delivery_mode=PERSISTENT,
            message_id=str(event.uid),
            timestamp=int(event.time.timestamp()),
            type=event.type,
            app_id=APP,
        )
        self._tag += 1
        # The client's basic_publish looks for news before each message, which takes longer than the message.
        where = (0, self._exchange, routing_key, False, False)
        self._channel.send_method(Basic.Publish, "Bssbb", where, content)

    def _acked(self, tag: int, multiple: bool) -> None:
        self._settled(tag, multiple)

    def _nacked(self, tag: int, multiple: bool) -> None:
        self._refused.update(self._settled(tag, multiple))

    def _settled(self, tag: int, multiple: bool) -> list[int]:
        """The numbers of the events whose messages these are."""
        tags = [each for each in self._unconfirmed if each <= tag] if multiple else [tag]
        return [self._unconfirmed.pop(each) for each in tags]

    def _blocked(self, reason: str) -> None:
        self._is_blocked = True

    def _unblocked(self) -> None:
        self._is_blocked = False


def _parcel(event: Event, report: pulp.Report | None) -> Parcel:
    messages = [(event.type, cloud.MEDIA_TYPE, json.dumps(cloud.rendered(event)).encode())]
    if report is not None:
        messages.append((pulp.routing_key(report["task_id"]), JSON, json.dumps(report).encode()))
    return Parcel(event, tuple(messages))


def _connection(broker: Broker, blocked: Callable[[str], None], unblocked: Callable[[], None]) -> Any:
    return Connection(
        broker.host,
        userid=broker.user,
        password=broker.password,
        login_method="PLAIN",
        virtual_host=broker.virtual_host,
        ssl={"server_hostname": broker.tls_name} if broker.tls_name else False,
        connect_timeout=PATIENCE,
        heartbeat=HEARTBEAT,
        socket_settings={socket.TCP_USER_TIMEOUT: int(PATIENCE * 1000)},
        client_properties={"connection_name": APP},
        on_blocked=blocked,
        on_unblocked=unblocked,
    )


def _can_be_read(line: socket.socket) -> bool:
    look = select.poll()
    look.register(line, select.POLLIN)
    return bool(look.poll(0))


def _words(trouble: Exception, exchange: str) -> str:
    if isinstance(trouble, PreconditionFailed):
        return (
            f"there is an exchange {exchange!r} already, but not a durable one of the kind topic; "
            f"delete it, or name another in EVENT_AMQP_EXCHANGE ({trouble.reply_text})"
        )
    if isinstance(trouble, TimeoutError):
        return f"it says nothing for {PATIENCE:.0f} seconds"
    return f"{trouble} (EVENT_AMQP_URL names it)"
