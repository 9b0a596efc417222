"""The lab's web server as it is, in a thread of this process, so that a test reaches what it is made of."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from django.db import connections
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.client import ClientConnection, connect

from events import live, publisher
from lava_lite.asgi import front
from lava_lite.bridge import Bridge
from lava_lite.server import Server
from tests.events.meanwhile import close_readers

PATIENCE = 20.0  # seconds


@dataclass(kw_only=True)
class Site:
    port: int
    server: uvicorn.Server
    clients: ExitStack = field(default_factory=ExitStack)

    def connect(
        self, path: str, *, agent: str | None = None, headers: dict[str, str] | None = None
    ) -> ClientConnection:
        """A client of its own on this path, which is closed with the site."""
        opening = connect(
            f"ws://127.0.0.1:{self.port}{path}",
            user_agent_header=agent,
            additional_headers=headers or {},
            compression=None,
            proxy=None,
            open_timeout=PATIENCE,
            close_timeout=1,
            ping_interval=None,
        )
        client: ClientConnection = self.clients.enter_context(opening)
        return client

    @property
    def sockets(self) -> int:
        """Connections that the server has."""
        return len(self.server.server_state.connections)

    @property
    def listeners(self) -> int:
        """Streams of events that have begun, after something had happened in the lab."""
        return sum(listener.cursor > 0 for listener in live.live.listeners)


@contextmanager
def serving(**options: Any) -> Iterator[Site]:
    """`options`: of uvicorn, beside those of the lab."""
    application = front()
    _gives_connections_back(application._pages)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(application, **options)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    site = Site(port=listener.getsockname()[1], server=server)
    try:
        yield site
    finally:
        site.clients.close()
        server.should_exit = True
        thread.join(PATIENCE)
        _in_a_thread(lambda: asyncio.run(close_readers()))
    assert not thread.is_alive()


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    with serving() as running:
        yield running


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def token(secret: str) -> dict[str, str]:
    return {"Authorization": f"Token {secret}"}


def do(deed: Callable[[], Any]) -> Any:
    """Something happens in the lab, and on PostgreSQL is numbered."""
    result = deed()
    publisher.run_once([])
    return result


def hear(client: ClientConnection) -> Any:
    """The next frame."""
    return json.loads(client.recv(PATIENCE))


def farewell(client: ClientConnection) -> tuple[list[Any], int, str]:
    """What was still told, and the code and the reason with which the server closed."""
    told = []
    try:
        while True:
            told.append(hear(client))
    except ConnectionClosed as closed:
        last = closed.rcvd or Close(0, "the connection was cut")
        return told, int(last.code), last.reason


def _in_a_thread(deed: Callable[[], None]) -> None:
    """In one that has no event loop, as this one may have where a browser is driven."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(deed).result(PATIENCE)


def _gives_connections_back(bridge: Bridge) -> None:
    """When all is answered, as the database of the test is to go then."""
    close_bridge = bridge.close

    def close() -> None:
        everyone = threading.Barrier(bridge._pool._max_workers, timeout=PATIENCE)

        def close_connections() -> None:
            everyone.wait()
            connections.close_all()

        for done in [bridge._pool.submit(close_connections) for _ in range(bridge._pool._max_workers)]:
            done.result(PATIENCE)
        close_bridge()

    bridge.close = close  # type: ignore[method-assign]
