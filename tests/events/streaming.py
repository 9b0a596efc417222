"""A server of streams in a thread of this process, and those who listen to it by real sockets."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from api.v1.problems import refusal
from core.asgi import Receive, Scope, Send
from events.sse import EventStream
from lava_lite.bridge import Bridge
from lava_lite.front import Front
from lava_lite.server import Server
from tests.events.meanwhile import PATIENCE, close_readers

ADDRESS = "/api/v1/events"
WANTED = {"Accept": "text/event-stream"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a browser makes of a block of lines."""

    kind: str
    id: str  # the last one that was told
    data: dict[str, Any]

    @property
    def sequence(self) -> int:
        return int(self.data["sequence"])


class Listening:
    """One stream, read as EventSource does."""

    def __init__(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.response = response
        self.last_id = ""
        self.retry = 0
        self.pings = 0
        self._connection = connection

    def messages(self) -> Iterator[Message]:
        """Until the stream ends."""
        fields: dict[str, str] = {}
        for line in iter(self.response.readline, b""):
            text = line.decode().rstrip("\n")
            if not text:
                if "data" in fields:
                    yield Message(
                        kind=fields.get("event", "message"), id=self.last_id, data=json.loads(fields["data"])
                    )
                fields = {}
                continue
            name, _, value = text.partition(":")
            self._take(name, value.removeprefix(" "), fields)

    def _take(self, name: str, value: str, fields: dict[str, str]) -> None:
        if name == "":
            self.pings += 1
        elif name == "id":
            self.last_id = value
        elif name == "retry":
            self.retry = int(value)
        else:
            fields[name] = value

    def wait_for_ping(self) -> None:
        """Until the stream has told its place once more; what it tells before is not read by anybody."""
        pings = self.pings
        for line in iter(self.response.readline, b""):
            name, _, value = line.decode().rstrip("\n").partition(":")
            self._take(name, value.removeprefix(" "), {})
            if line == b"\n" and self.pings > pings:
                return
        raise AssertionError("the stream ended")

    def take(self, count: int) -> list[Message]:
        messages = self.messages()
        return [next(messages) for _ in range(count)]

    def problem(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.response.read())
        return found

    def close(self) -> None:
        self.response.close()
        self._connection.close()


class StreamServer:
    def __init__(self, port: int, server: Server, thread: threading.Thread) -> None:
        self.port = port
        self._server = server
        self._thread = thread

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @property
    def unsent(self) -> int:
        """The most bytes that wait in this process for one listener."""
        connections = list(self._server.server_state.connections)
        return max((each.transport.get_write_buffer_size() for each in connections), default=0)  # type: ignore[union-attr]

    @contextmanager
    def listening(self, query: str = "", **headers: str) -> Iterator[Listening]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", ADDRESS + query, headers=WANTED | named)
        listening = Listening(connection, connection.getresponse())
        try:
            yield listening
        finally:
            listening.close()

    def connect(self, query: str = "", *, receive_buffer: int) -> socket.socket:
        """A connection of which nothing is read but what the test reads."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", self.port))
        request = f"GET {ADDRESS}{query} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
        connection.sendall(request.encode())
        return connection


async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    """What answers who wants no stream."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"elsewhere"})


class _Server(Server):
    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().serve(sockets)
        finally:
            await close_readers()


@contextmanager
def serving() -> Iterator[StreamServer]:
    stream = EventStream(otherwise=elsewhere, refusal=refusal)
    pages = Bridge(lambda environ, start_response: [])
    front = Front(pages, sockets=[], streams=[(re.compile(f"{ADDRESS.removeprefix('/')}/?"), stream)])
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(front)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    running = StreamServer(listener.getsockname()[1], server, thread)
    try:
        yield running
    finally:
        running.close()
