"""The real RabbitMQ, with an exchange and queues that exist for one test only."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp

from events.transports.amqp import Broker
from tests.broker import connected
from tests.lab import eventually

URL = os.environ.get("TEST_RABBITMQ") or "amqp://guest:guest@127.0.0.1:5672/"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "events.md"


def address() -> tuple[str, int]:
    parts = urlsplit(URL)
    return parts.hostname or "", parts.port or 5672


def url(port: int) -> str:
    """The same broker at another port of this machine."""
    parts = urlsplit(URL)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()


def connection() -> AbstractContextManager[amqp.Connection]:
    broker = Broker.at(URL)
    return connected(
        amqp.Connection(
            broker.host,
            userid=broker.user,
            password=broker.password,
            virtual_host=broker.virtual_host,
            login_method="PLAIN",
            connect_timeout=5,
        )
    )


def why_not() -> str | None:
    """What keeps these tests from running here."""
    try:
        with connection():
            return None
    except (OSError, amqp.AMQPError) as error:
        return f"needs RabbitMQ: {urlsplit(URL).hostname} ({error}); TEST_RABBITMQ names another"


class Message:
    """As it came."""

    def __init__(self, message: Any) -> None:
        self.key: str = message.delivery_info["routing_key"]
        self.id: str = message.properties["message_id"]
        self.properties: dict[str, Any] = message.properties
        self.body: dict[str, Any] = json.loads(message.body)


class Exchange:
    def __init__(self, channel: Any, name: str) -> None:
        self._channel = channel
        self.name = name

    def declare(self, kind: str = "topic", *, durable: bool = True) -> None:
        self._channel.exchange_declare(self.name, kind, durable=durable, auto_delete=False)

    def bind(self, pattern: str = "#", arguments: dict[str, Any] | None = None) -> Queue:
        """A queue for what is published from now on."""
        self.declare()
        queue = self._channel.queue_declare(exclusive=True, arguments=arguments).queue
        self._channel.queue_bind(queue, self.name, pattern)
        return Queue(self._channel, queue)


class Queue:
    def __init__(self, channel: Any, name: str) -> None:
        self._channel = channel
        self._name = name

    def all(self) -> list[Message]:
        """What is in it; whoever publishes has been told that it arrived."""
        return list(map(Message, iter(lambda: self._channel.basic_get(self._name, no_ack=True), None)))

    def __len__(self) -> int:
        size: int = self._channel.queue_declare(self._name, passive=True).message_count
        return size

    def wait_for(self, ids: Sequence[str], seconds: float = 20.0) -> list[Message]:
        """All that came until these had come; AssertionError if they do not."""
        heard: list[Message] = []

        def have_come() -> bool:
            heard.extend(self.all())
            return set(ids) <= {message.id for message in heard}

        assert eventually(have_come, seconds), f"{len(heard)} messages came, of {len(ids)} events"
        return heard


@contextmanager
def exchange() -> Iterator[Exchange]:
    with connection() as client:
        name = f"lava_lite-{uuid.uuid4().hex}"
        try:
            yield Exchange(client.channel(), name)
        finally:
            with suppress(amqp.AMQPError):
                client.channel().exchange_delete(name)


@contextmanager
def consumer(of: Exchange, key: str) -> Iterator[subprocess.Popen[str]]:
    """The program of the documentation in a process of its own, bound already."""
    (program,) = re.findall(
        r"```python\n(import json\nimport sys\n\nimport amqp\n.*?)```", DOCUMENT.read_text(), re.DOTALL
    )
    program = program.replace("localhost:5672", ":".join(map(str, address()))).replace("pulp.api.v2", of.name)
    command = [sys.executable, "-u", "-c", program, key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"Listening for {key}\n"
            yield process
        finally:
            process.kill()
