"""A subscriber in a process of its own: the one that LAVA's announcement of its events showed in 2017."""

from __future__ import annotations

import ast
import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from events.transports.zmq import PublicSocket

PATIENCE = 20.0  # seconds

# As it was printed, but for `connect` and `print`.
PROGRAM = """
import zmq

ctx = zmq.Context()
sub = ctx.socket(zmq.SUB)
sub.setsockopt(zmq.SUBSCRIBE, b"")
sub.connect("{address}")

while True:
    msg = sub.recv_multipart()
    print(msg, flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One message of five frames."""

    topic: str
    uuid: str
    time: str
    user: str
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.topic.rpartition(".")[2]


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


def read(line: str) -> Heard:
    frames = [frame.decode() for frame in ast.literal_eval(line)]
    assert len(frames) == 5, frames
    topic, uuid, when, user, data = frames
    return Heard(topic=topic, uuid=uuid, time=when, user=user, data=json.loads(data))


@contextmanager
def subscriber(address: str) -> Iterator[Subscriber]:
    program = PROGRAM.format(address=address)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Subscriber(process)
        finally:
            process.kill()


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
