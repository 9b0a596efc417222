"""The processes of a benchmark: the web role and those who ask it, and what each costs."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def serve(listener: socket.socket) -> None:
    """The web role, as the lab has it."""
    from lava_lite import roles

    roles.web(listener)


def wait_until_it_answers(port: int) -> None:
    """It: the web role that listens there."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /api/v1/system/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        while client.recv(65536):
            pass


def resident(pid: int) -> int:
    """Bytes of a process that are its own."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not say how much memory a process has")


def processor(pid: int) -> float:
    """Seconds of a processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def forked(work: Callable[[], None]) -> Iterator[int]:
    """A process that does this, until it has or is no longer wanted."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            sys.stdout.flush()
            os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
