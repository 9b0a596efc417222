"""Who is sent messages: by ZMQ, by a broker, and by HTTP."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import Any

from tests.chaos.listeners import CUTS, LOOKS, PAUSE, Heard, Listener, heard
from tests.chaos.servers import RabbitMQ
from tests.events.cable import Cable
from tests.events.subscriber import printing, read
from tests.events.webhooks.endpoint import Answer, Endpoint, Request

PREFETCH = 100  # messages that the broker sends before it has heard that some have arrived
TASKS = "tasks."  # how the routing keys of messages begin that are no events


class Subscriber(Listener):
    """Of ZMQ: what its numbers say was missed it fetches from the history.

    Its socket is in a process of its own, which libzmq 4.3.5 ends where a connection breaks while there is something to
    read and to write at once (issue 4841 of libzmq).
    """

    kind = "ZMQ"

    def __init__(self, line: Cable, token: str, history: Cable) -> None:
        super().__init__(history, token)
        self.socket_line = line
        self.told: list[Heard] = []  # by the socket itself
        self._process: subprocess.Popen[str] | None = None

    @property
    def connections(self) -> int:
        return self.socket_line.connections

    def stop(self) -> None:
        self._over.set()
        if self._process is not None:
            self._process.kill()
        super().stop()

    def listen(self) -> None:
        with printing(f"tcp://127.0.0.1:{self.socket_line.port}") as self._process:
            assert self._process.stdout is not None
            while not self._over.is_set():
                line = self._process.stdout.readline()
                if not line.endswith("\n"):
                    return  # it was ended, perhaps within a line
                told = read(line)
                self._hear(heard(told.data["sequence"], told.uuid))

    def _hear(self, event: Heard) -> None:
        self.told.append(event)
        while self.last < event.sequence - 1 and not self._over.is_set():
            try:
                self._fetch()
            except CUTS:
                self._over.wait(PAUSE)
        if self.last < event.sequence:
            self.take(event)

    def _fetch(self) -> None:
        """A whole page, also of what the socket is going to tell: who is far behind would never catch up else."""
        for event in self._page(self.last)["events"]:
            self.take(heard(event["sequence"], event["id"]))


class Queue(Listener):
    """A durable queue of RabbitMQ, and who consumes and acknowledges what is in it."""

    kind = "AMQP"

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

    kind = "webhook"

    def __init__(self, endpoint: Endpoint) -> None:
        self.name = self.kind
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
        self._endpoint.requests.clear()  # an hour's would fill the memory
        if self._trouble is not None and request.id not in self._failed:
            self._failed.add(request.id)
            self._endpoint.script, self._trouble = [self._trouble], None
            return
        told = request.event
        if told["id"] != request.id:
            self.faults.append(f"the event {told['id']} came with the id {request.id}")
        self.heard.append(heard(told["sequence"], request.id))
