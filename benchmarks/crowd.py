"""Many clients in a process of their own: what each of them heard, and when."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from benchmarks.processes import forked

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

Heard = dict[int, list[float]]  # by the number of what was told, when each client had it
Told = list[tuple[bytes, float]]  # as it came, and when


class Client(asyncio.Protocol):
    """Knows no more of what it speaks than it must, so that what is measured is the lab."""

    def __init__(self, request: str, mark: bytes, told: Told) -> None:
        self._request = request.encode()
        self._mark = mark  # of what counts
        self._told = told
        self.is_ready = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if not self.is_ready.is_set():
            self.is_ready.set()
            self.opened(data)
        if self._mark in data:
            self._told.append((data, now))

    def opened(self, answer: bytes) -> None:
        """The first that it is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """All its clients are connected."""

    _lines: IO[str]
    _stop: int

    def heard(self) -> Heard:
        """By all of them; they have gone then."""
        os.write(self._stop, b"x")
        heard: Heard = {}
        for line in self._lines:
            number, when = line.split()
            heard.setdefault(int(number), []).append(float(when))
        return heard


@contextmanager
def crowd(
    count: int, port: int, client: Callable[[Told], Client], numbers: Callable[[bytes], Iterator[int]]
) -> Iterator[Crowd]:
    """`numbers`: of what is told by some bytes."""
    reading, writing = os.pipe()
    stopped, stop = os.pipe()

    def work() -> None:
        told: Told = []
        asyncio.run(_listen(count, port, lambda: client(told), writing, stopped))
        with os.fdopen(writing, "w") as lines:
            for data, when in told:
                lines.writelines(f"{number} {when}\n" for number in numbers(data))

    with forked(work):
        os.close(writing)
        with os.fdopen(reading) as lines:
            assert lines.readline() == "ready\n"
            yield Crowd(_lines=lines, _stop=stop)


async def _listen(count: int, port: int, client: Callable[[], Client], ready: int, stopped: int) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(count):
        _, each = await loop.create_connection(client, "127.0.0.1", port)
        await each.is_ready.wait()
    await asyncio.sleep(1)
    os.write(ready, b"ready\n")
    told = asyncio.Event()
    loop.add_reader(stopped, told.set)
    await told.wait()
    await asyncio.sleep(1)


def allow_many_files() -> None:
    """As many as this machine lets a process open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
