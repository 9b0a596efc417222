"""A process that searches logs for a server, so that no search holds up what else the server does.

It reads queries from the socket that it is started with and answers each with what it found, both as a line of JSON.
It can be killed at any time, and ends with whoever started it, or when it has had nothing to do for IDLE_SECONDS.
From its first moment on it stands back behind all else that wants a processor, the requests of other people above all.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from jobs.logs.search import Query, search

IDLE_SECONDS = 60.0
SEARCH_SECONDS = 1.0  # for one search, which then says what it has
NICENESS = 5  # beside a server that is busy, a quarter of a processor is left for a search; of an idle one, all of it

_STALE_SECONDS = IDLE_SECONDS - 10  # of idleness, after which nobody counts on it
_PROJECT = Path(__file__).resolve().parents[2]
_PIECE = 64 * 1024  # bytes


class SearchEnded(Exception):
    """The process that searches is gone."""


class SearchProcess:
    """One process, for one search after another."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=os.environ | {"PYTHONPATH": str(_PROJECT)},
            )
        _stand_back(self._process.pid)
        self._used = time.monotonic()
        self._answer = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_fresh(self) -> bool:
        """Whether another search can be asked of it."""
        return self._process.poll() is None and time.monotonic() - self._used < _STALE_SECONDS

    def ask(self, directory: Path, query: Query) -> None:
        """Begins a search. Raises SearchEnded."""
        self._answer = b""
        request = {"directory": str(directory), "query": asdict(query), "seconds": SEARCH_SECONDS}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except ConnectionError:
            raise SearchEnded from None

    def answer(self, seconds: float) -> bytes | None:
        """What was found, as JSON; None while it is not whole after so many seconds. Raises SearchEnded."""
        while select.select([self._socket], [], [], seconds)[0]:
            piece = self._receive()
            self._answer += piece
            if piece.endswith(b"\n"):
                self._used = time.monotonic()
                return self._answer
        return None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _receive(self) -> bytes:
        with suppress(ConnectionError):
            if piece := self._socket.recv(_PIECE):
                return piece
        raise SearchEnded


def _stand_back(pid: int) -> None:
    """Done by the one who begins the process, so that its start costs nobody anything either."""
    with suppress(OSError):  # it has ended already, or the system does not let it: then it searches as it is
        os.setpriority(os.PRIO_PROCESS, pid, max(NICENESS, os.getpriority(os.PRIO_PROCESS, pid)))
        if sys.platform == "linux":
            # Who wakes up is never made to wait for the end of a batch's turn.
            os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))


def main() -> None:
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a terminal sends it to all; the server is what ends this one
    with socket.socket(fileno=sys.stdin.fileno()) as server, suppress(ConnectionError):
        requests = server.makefile("rb")
        while select.select([server], [], [], IDLE_SECONDS)[0] and (line := requests.readline()):
            server.sendall(_answered(line))


def _answered(line: bytes) -> bytes:
    request = json.loads(line)
    query = Query(**request["query"])
    found = search(Path(request["directory"]), query, seconds=request["seconds"])
    return json.dumps(asdict(found), separators=(",", ":")).encode() + b"\n"


if __name__ == "__main__":
    main()
