"""Everybody who listens to the lab while it suffers: each comes back after every cut, as the documentation says."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import amqp
import zmq
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.chaos.servers import RabbitMQ
from tests.events.cable import Cable
from tests.events.webhooks.endpoint import Answer, Endpoint, Request

PAUSE = 0.2  # seconds until somebody who was cut off comes back
TIMEOUT = 20.0  # seconds of silence after which it connects anew
LOOKS = 0.5  # seconds between two looks at the history, and at whether all is over
PREFETCH = 100  # messages that the broker sends before it has heard that some have arrived
TASKS = "tasks."  # how the routing keys of messages begin that are no events
FAULTY_CLOSES = {1011, 4400, 4401, 4410}  # with which the lab has no reason to end a WebSocket


class Cut(Exception):
    """The connection is gone, or the lab has asked to come back later."""


class Fault(Exception):
    """The lab said what it should never say to this listener."""


CUTS = (Cut, OSError, EOFError, http.client.HTTPException, ConnectionClosed, InvalidHandshake, amqp.AMQPError)


@dataclass(frozen=True, slots=True)
class Heard:
    """One event that arrived."""

    sequence: int
    id: str  # 32 hexadecimal digits; core4 tells the first 24


def heard(sequence: object, id: str) -> Heard:
    return Heard(int(str(sequence)), id.replace("-", ""))


class Listener:
    """Listens in a thread of its own, through a line that can be cut, held and left unread."""

    name = ""

    def __init__(self, line: Cable, token: str) -> None:
        self.line = line
        self.heard: list[Heard] = []
        self.faults: list[str] = []
        self._token = token
        self._reads = threading.Event()
        self._reads.set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._reads.set()
        self.line.cut()
        self._thread.join(2 * TIMEOUT)

    @property
    def connections(self) -> int:
        return self.line.connections

    @property
    def last(self) -> int:
        """`sequence` of the newest event that it has."""
        return self.heard[-1].sequence if self.heard else 0

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Nothing is read meanwhile."""
        self._reads.clear()
        try:
            yield
        finally:
            self._reads.set()

    def listen(self) -> None:
        """Until the connection is cut."""
        raise NotImplementedError

    def take(self, event: Heard) -> None:
        self._reads.wait()
        self.heard.append(event)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.listen()
            except CUTS:
                pass
            except Exception as error:
                if not self._over.is_set():
                    self.faults.append(f"{type(error).__name__}: {error}")
            self._over.wait(PAUSE)

    def _get(self, path: str, **headers: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.line.port, timeout=TIMEOUT)
        try:
            connection.request("GET", path, headers={"Authorization": f"Token {self._token}"} | headers)
            response = connection.getresponse()
            if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
                raise Cut(path)
            if response.status != HTTPStatus.OK:
                raise Fault(f"{path}: {response.status} {response.read().decode()}")
        except BaseException:
            connection.close()
            raise
        return connection, response

    def _page(self, since: int) -> dict[str, Any]:
        connection, response = self._get(f"/api/v1/events?since={since}", Accept="application/json")
        try:
            page: dict[str, Any] = json.loads(response.read())
            return page
        finally:
            connection.close()


class Stream(Listener):
    """Server-sent events, as a browser takes them."""

    name = "SSE"

    def listen(self) -> None:
        wanted = {"Accept": "text/event-stream", "Last-Event-ID": str(self.last)}
        connection, response = self._get("/api/v1/events", **wanted)
        fields: dict[str, str] = {}
        try:
            for line in iter(response.readline, b""):
                name, _, value = line.decode().rstrip("\n").partition(":")
                fields[name] = value.removeprefix(" ")
                if line == b"\n":
                    # What was cut off before its empty line has not come.
                    self._dispatch(fields)
                    fields = {}
        finally:
            response.close()
            connection.close()

    def _dispatch(self, fields: dict[str, str]) -> None:
        if "data" not in fields:
            return
        told = json.loads(fields["data"])
        if fields["event"] in ("end", "reset"):
            raise Fault(f"{fields['event']}: {fields['data']}")
        if int(fields["id"]) != int(told["sequence"]):
            raise Fault(f"the event {told['sequence']} came with the id {fields['id']}")
        self.take(heard(told["sequence"], told["id"]))


class History(Listener):
    """Pages, asked for again and again."""

    name = "history"

    def __init__(self, line: Cable, token: str) -> None:
        super().__init__(line, token)
        self._since = 0

    def listen(self) -> None:
        while not self._over.is_set():
            page = self._page(self._since)
            for event in page["events"]:
                self.take(heard(event["sequence"], event["id"]))
            self._since = page["next_since"]
            if self._since == page["last_sequence"]:
                self._over.wait(LOOKS)


class Socket(Listener):
    """A WebSocket."""

    def texts(self, client: ClientConnection) -> Iterator[Any]:
        while not self._over.is_set():
            try:
                text = client.recv(LOOKS)
            except TimeoutError:
                continue
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code in FAULTY_CLOSES:
                    raise Fault(f"closed with {closed.rcvd.code} {closed.rcvd.reason}") from closed
                raise
            yield json.loads(text)

    def connected(self, path: str) -> ClientConnection:
        try:
            return connect(
                f"ws://127.0.0.1:{self.line.port}{path}",
                additional_headers={"Authorization": f"Token {self._token}"},
                compression=None,
                proxy=None,
                open_timeout=TIMEOUT,
                close_timeout=1,
                ping_interval=None,
            )
        except InvalidStatus as refused:
            if refused.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            raise Fault(f"{path}: {refused.response.status_code} {refused.response.body!r}") from refused


class LavaSocket(Socket):
    name = "/ws/"

    def listen(self) -> None:
        with self.connected(f"/ws/?since={self.last}") as client:
            for frame in self.texts(client):
                if isinstance(
                    frame, list
                ):  # else it says why the socket is closed, as the code does that comes next
                    _, id, _, _, data = frame
                    self.take(heard(json.loads(data)["sequence"], id))


class Core4Socket(Socket):
    name = "core4"

    def listen(self) -> None:
        with self.connected("/core4/api/v1/event") as client:
            client.send(json.dumps({"type": "interest", "data": ["queue", "#"], "since": self.last}))
            for told in self.texts(client):
                if told.get("type") == "reset":
                    raise Fault(str(told))
                if "_id" in told:
                    self.take(heard(told["sequence"], told["_id"]))


class Subscriber(Listener):
    """Of ZMQ: what its numbers say was missed it fetches from the history."""

    name = "ZMQ"

    def __init__(self, line: Cable, token: str, history: Cable) -> None:
        super().__init__(history, token)
        self._socket_line = line
        self.told: list[Heard] = []  # by the socket itself

    @property
    def connections(self) -> int:
        return self._socket_line.connections

    def listen(self) -> None:
        with zmq.Context() as context, context.socket(zmq.SUB) as client:
            client.linger = 0
            client.subscribe(b"")
            client.connect(f"tcp://127.0.0.1:{self._socket_line.port}")
            while not self._over.is_set():
                if client.poll(int(LOOKS * 1000)):
                    _, id, _, _, data = (part.decode() for part in client.recv_multipart())
                    self._hear(heard(json.loads(data)["sequence"], id))

    def _hear(self, event: Heard) -> None:
        self.told.append(event)
        while self.last < event.sequence - 1 and not self._over.is_set():
            try:
                self._fetch(event.sequence)
            except CUTS:
                self._over.wait(PAUSE)
        if self.last < event.sequence:
            self.take(event)

    def _fetch(self, end: int) -> None:
        for event in self._page(self.last)["events"]:
            if int(event["sequence"]) < end:
                self.take(heard(event["sequence"], event["id"]))


class Queue(Listener):
    """A durable queue of RabbitMQ, and who consumes and acknowledges what is in it."""

    name = "AMQP"

    def __init__(self, line: Cable, broker: RabbitMQ, exchange: str) -> None:
        super().__init__(line, "")
        self._broker = broker
        self._exchange = exchange

    def declare(self) -> None:
        with self._broker.connection() as connection:
            channel = connection.channel()
            channel.exchange_declare(self._exchange, "topic", durable=True, auto_delete=False)
            channel.queue_declare(self.name, durable=True, auto_delete=False)
            channel.queue_bind(self.name, self._exchange, "#")

    def listen(self) -> None:
        with self._broker.connection(self.line.port) as connection:
            channel = connection.channel()
            channel.basic_qos(0, PREFETCH, False)
            channel.basic_consume(self.name, callback=self._receive)
            while not self._over.is_set():
                try:
                    connection.drain_events(timeout=LOOKS)
                except TimeoutError:
                    continue

    def _receive(self, message: Any) -> None:
        if not message.delivery_info["routing_key"].startswith(TASKS):
            told = json.loads(message.body)
            self.take(heard(told["sequence"], message.properties["message_id"]))
        message.channel.basic_ack(message.delivery_tag)


class Webhook:
    """Somebody's server, which now and then fails or hangs, but never twice at the same event.

    After some failures in a row the lab rests for longer than a run takes.
    """

    name = "webhook"

    def __init__(self, endpoint: Endpoint) -> None:
        self.heard: list[Heard] = []
        self.faults: list[str] = []
        self.connections = 0
        self.address = endpoint.address
        self._endpoint = endpoint
        self._trouble: Answer | None = None
        self._failed = set[str]()  # ids
        endpoint.before_answer = self._receive

    def fail(self) -> None:
        """Once: what is sent next must come again."""
        self._trouble = Answer(status=500)

    def hang(self) -> None:
        """Once, for longer than the lab waits."""
        self._trouble = Answer(wait=threading.Event())

    def _receive(self, request: Request) -> None:
        self.connections += 1
        if self._trouble is not None and request.id not in self._failed:
            self._failed.add(request.id)
            self._endpoint.script, self._trouble = [self._trouble], None
            return
        told = request.event
        if told["id"] != request.id:
            self.faults.append(f"the event {told['id']} came with the id {request.id}")
        self.heard.append(heard(told["sequence"], request.id))
