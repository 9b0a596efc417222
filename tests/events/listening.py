"""Who listens to a socket of ZMQ, and the addresses of such sockets."""

from __future__ import annotations

import queue
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from events.transports.zmq import PublicSocket
from tests.events.subscriber import Heard, printing, read

PATIENCE = 20.0  # seconds


class Subscriber:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def take(self, count: int) -> list[Heard]:
        """The next messages; AssertionError if they do not come."""
        heard: list[Heard] = []
        deadline = time.monotonic() + PATIENCE
        while len(heard) < count:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"only {len(heard)} of {count} messages came: {heard}") from None
            heard.append(read(line))
        return heard

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)


@contextmanager
def subscriber(address: str) -> Iterator[Subscriber]:
    with printing(address) as process:
        yield Subscriber(process)


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def is_free(address: str) -> bool:
    """Whether nobody listens there. A socket of ZMQ lets go of its address a moment after it was closed."""
    host, port = address.removeprefix("tcp://").split(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
            probe.listen()
        except OSError:
            return False
        return True


def bound(address: str) -> PublicSocket:
    """A public socket to which somebody has subscribed."""
    transport = PublicSocket(address)
    transport.bind()
    assert transport._socket is not None
    assert transport._socket.poll(int(PATIENCE * 1000)), "nobody subscribed"
    return transport
