"""A subscriber in a process of its own: the one that LAVA's announcement of its events showed in 2017."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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


@contextmanager
def printing(address: str) -> Iterator[subprocess.Popen[str]]:
    """The program, for as long as it is wanted: `read` understands the lines that it prints."""
    program = PROGRAM.format(address=address)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read(line: str) -> Heard:
    frames = [frame.decode() for frame in ast.literal_eval(line)]
    assert len(frames) == 5, frames
    topic, uuid, when, user, data = frames
    return Heard(topic=topic, uuid=uuid, time=when, user=user, data=json.loads(data))
