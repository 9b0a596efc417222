"""From a commit to a ZMQ subscriber in another process, and how fast a backlog goes out.

Run: python -m benchmarks.events_latency
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import throwaway
from benchmarks.subscriber import Heard, listening
from benchmarks.throwaway import percentile
from tests.lab import free_port

EVENTS = 1000
PAUSE = 0.005  # seconds between two commits
BACKLOG = 20_000
LOOK = 0.01  # seconds


def main() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with throwaway.lab():
        from django.conf import settings

        settings.EVENT_SOCKET = address
        with listening("zmq", address) as heard:
            measure_latency(heard)
            measure_backlog(heard)


def measure_latency(heard: Heard) -> None:
    from django.db import transaction

    from devices import lifecycle as devices
    from devices.states import DeviceHealth
    from events.models import Event
    from tests import build

    build.device()
    commits: list[float] = []
    with _publishing():
        _warm_up(heard)
        first = Event.objects.count() + 1
        for number in range(EVENTS):
            health = (DeviceHealth.MAINTENANCE, DeviceHealth.GOOD)[number % 2]
            with transaction.atomic():
                transaction.on_commit(lambda: commits.append(time.monotonic()))
                devices.set_health("qemu01", health, by="benchmark")
            time.sleep(PAUSE)
        _wait_for(heard, first + EVENTS - 1)
    delays = [(heard[first + number] - commit) * 1000 for number, commit in enumerate(commits)]
    print(f"commit to subscriber: p50 {percentile(delays, 50):.1f} ms, p99 {percentile(delays, 99):.1f} ms")


def measure_backlog(heard: Heard) -> None:
    from django.db import transaction

    from events import outbox
    from events.models import Event
    from events.outbox import Cause

    last = Event.objects.count() + BACKLOG
    data = {"hostname": "worker01", "state": "Online", "health": "Active"}
    for _ in range(BACKLOG // 500):
        with transaction.atomic():
            for _ in range(500):
                outbox.record("worker.changed", subject="worker01", data=data, cause=Cause(kind="timer"))
    began = time.monotonic()
    with _publishing():
        _wait_for(heard, last)
    print(f"backlog of {BACKLOG:,}: {BACKLOG / (heard[last] - began):,.0f} events/s")


def _warm_up(heard: Heard) -> None:
    """Until the publisher is bound and the subscriber is there."""
    from devices import lifecycle as devices
    from devices.states import DeviceHealth

    for number in range(1000):
        if heard:
            return
        devices.set_health("qemu01", (DeviceHealth.BAD, DeviceHealth.GOOD)[number % 2], by="benchmark")
        time.sleep(LOOK)
    raise SystemExit("the subscriber hears nothing")


def _wait_for(heard: Heard, sequence: int) -> None:
    deadline = time.monotonic() + 300
    while sequence not in heard:
        if time.monotonic() > deadline:
            raise SystemExit(f"event {sequence} did not come")
        time.sleep(LOOK)


@contextmanager
def _publishing() -> Iterator[None]:
    """A publisher in a thread of this process."""
    from django.db import connections

    from events import publisher

    stop = threading.Event()

    def publish() -> None:
        try:
            publisher.run(stop)
        finally:
            connections.close_all()

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
