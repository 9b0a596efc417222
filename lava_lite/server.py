"""The server under the web role: uvicorn, told how to end, and what streams must know of their connections."""

from __future__ import annotations

import gc
import logging
import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from events import sse
from lava_lite.front import Front
from lava_lite.patience import PatientWebSocket

# A collection of all that lives takes a tenth of a second with a thousand sockets, and would come each second.
COLLECT_AFTER = (10_000, 20, 50)
LAST_ANSWERS = 3  # seconds that answers under way have when the web role ends
PING_SECONDS = 20.0  # between pings on a quiet socket, and then until a missing answer counts
LONGEST_FRAME = 64 * 1024  # bytes that a client may send at once


class Connection(HttpToolsProtocol):
    """Of HTTP."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        # For a stream whose listener cannot be told anything any more.
        self.scope["extensions"] = {sse.TRANSPORT: {"transport": self.transport}}


class Server(uvicorn.Server):
    def __init__(self, front: Front, *, stopping: Iterable[signal.Signals] = (), **more: Any) -> None:
        """`more`: options of uvicorn that the lab does not choose, or chooses otherwise."""
        super().__init__(uvicorn.Config(front, **(options() | more)))
        self._front = front
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own way raises the signal once more when all has ended, which would look like a crash.
        for number in self._stopping:
            signal.signal(number, self.handle_exit)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._front.close_streams()
        await super().shutdown(sockets)


def run(front: Front, listener: socket.socket, *, stopping: Iterable[signal.Signals]) -> None:
    """Serve until one of the signals has come."""
    gc.set_threshold(*COLLECT_AFTER)
    Server(front, stopping=stopping).run(sockets=[listener])


def options() -> dict[str, Any]:
    """How uvicorn serves the lab."""
    return {
        "loop": "asyncio",
        "http": Connection,
        "ws": PatientWebSocket,
        "ws_per_message_deflate": False,  # its buffers would be most of what a quiet socket costs
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PING_SECONDS,
        "ws_max_size": LONGEST_FRAME,
        "lifespan": "on",
        "log_config": None,
        "log_level": logging.WARNING,
        "access_log": False,
        "server_header": False,
        "proxy_headers": settings.SERVED,
        "timeout_graceful_shutdown": LAST_ANSWERS,
    }
