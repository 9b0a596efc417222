"""From a commit to a thousand WebSockets or event streams: how long until each has heard of it, and what memory each takes.

Run: python -m benchmarks.event_sockets [--sockets 1000] [--events 150] [--pause 0.1] [core4|sse]
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import crowd, throwaway
from benchmarks.events_latency import _publishing
from benchmarks.processes import forked, processor, resident, serve, wait_until_it_answers
from benchmarks.throwaway import percentile

LIMIT_MS = 200
WARM_UP = 10  # events that are not counted
STREAM = "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n"
OPENED = {"lava": b" 101 ", "core4": b" 101 ", "sse": b" 200 "}
INTEREST = b'{"type": "interest", "data": ["queue", "device.#"]}'
SEQUENCE = b"sequence"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dialect", nargs="?", choices=("lava", "core4", "sse"), default="lava")
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--events", type=int, default=150)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between two commits")
    given = parser.parse_args()
    crowd.allow_many_files()
    with throwaway.lab():
        measure(given.dialect, given.sockets, given.events, given.pause)


def measure(dialect: str, sockets: int, events: int, pause: float) -> None:
    from django.db import connections

    from tests import build

    build.device()
    connections.close_all()
    listener = socket.create_server(("127.0.0.1", 0), backlog=sockets)
    port = listener.getsockname()[1]
    with forked(lambda: serve(listener)) as server:
        listener.close()
        wait_until_it_answers(port)
        before = resident(server)
        with crowd.crowd(sockets, port, partial(_Client, dialect, port), _sequences) as listeners:
            memory = (resident(server) - before) / sockets
            began = processor(server)
            commits = _commit(events + WARM_UP, pause)
            busy = (processor(server) - began) / len(commits)
            heard = listeners.heard()
    print(
        f"{sockets:,} sockets ({dialect}): {memory / 1024:.1f} KiB each, {busy * 1000:.0f} ms of CPU an event"
    )
    _report(commits, heard, sockets)


def _report(commits: dict[int, float], heard: crowd.Heard, sockets: int) -> None:
    counted = list(commits)[WARM_UP:]
    each = [(when - commits[number]) * 1000 for number in counted for when in heard.get(number, [])]
    last = [(max(heard[number]) - commits[number]) * 1000 for number in counted if number in heard]
    complete = all(len(heard.get(number, [])) == sockets for number in counted)
    for what, delays in (("each socket", each), ("the last socket", last)):
        p50, p99 = percentile(delays, 50), percentile(delays, 99)
        mark = "" if p99 < LIMIT_MS else "  OVER"
        print(f"commit to {what}: p50 {p50:.1f} ms, p99 {p99:.1f} ms (limit {LIMIT_MS} ms){mark}")
    print("every socket heard every event once" if complete else "EVENTS ARE MISSING")


def _commit(events: int, pause: float) -> dict[int, float]:
    """When each event was committed, by its sequence."""
    from django.db import transaction

    from devices import lifecycle as devices
    from devices.states import DeviceHealth
    from events import numbering

    commits: list[float] = []
    with _publishing():
        first = numbering.last_number() + 1
        for number in range(events):
            with transaction.atomic():
                transaction.on_commit(lambda: commits.append(time.monotonic()))
                devices.set_health(
                    "qemu01", (DeviceHealth.MAINTENANCE, DeviceHealth.GOOD)[number % 2], by="benchmark"
                )
            time.sleep(pause)
        time.sleep(1)
    return dict(enumerate(commits, start=first))


class _Client(crowd.Client):
    def __init__(self, dialect: str, port: int, told: crowd.Told) -> None:
        path = {"lava": "/ws/", "core4": "/api/v1/event", "sse": ""}[dialect]
        asked = crowd.HANDSHAKE if path else STREAM
        super().__init__(asked.format(path=path, port=port), SEQUENCE, told)
        self._dialect = dialect

    def opened(self, answer: bytes) -> None:
        assert OPENED[self._dialect] in answer, answer
        if self._dialect == "core4":
            # Masked with zeros, as a client must mask.
            self.transport.write(bytes([0x81, 0x80 | len(INTEREST), 0, 0, 0, 0]) + INTEREST)


def _sequences(data: bytes) -> Iterator[int]:
    """Each frame of an event has it once, or twice in core4's words."""
    seen = []
    for part in data.split(SEQUENCE)[1:]:
        digits = part.lstrip(b'\\": ')
        number = int(digits[: len(digits) - len(digits.lstrip(b"0123456789"))])
        if number not in seen:
            seen.append(number)
            yield number


if __name__ == "__main__":
    main()
