"""From a commit to a subscriber of each transport, all of them connected at the same time.

The web role and the engine are processes of their own, as in a lab; so is each subscriber. AMQP is left out where no
RabbitMQ is at EVENT_AMQP_URL.

Run: python -m benchmarks.transports [--events 500] [--pause 0.02]
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack

from benchmarks import throwaway
from benchmarks.processes import forked, serve, wait_until_it_answers
from benchmarks.subscriber import EXCHANGE, KINDS, Heard, listening
from benchmarks.throwaway import percentile
from tests.lab import free_port

BROKER = ("127.0.0.1", 5672)
WARM_UP = 20  # events that are not counted
PATIENCE = 60.0  # seconds until the last event has come everywhere


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two commits")
    given = parser.parse_args()
    with throwaway.lab(), ExitStack() as stack:
        heard = _set_up(stack)
        _report(_commit(given.events + WARM_UP, given.pause, heard), heard)


def _set_up(stack: ExitStack) -> Mapping[str, Heard]:
    """A lab of two processes, and who listens to it."""
    from django.conf import settings
    from django.db import connections

    from events.webhooks import lifecycle as webhooks
    from lava_lite import roles
    from tests import build

    listener = socket.create_server(("127.0.0.1", 0))
    web = f"127.0.0.1:{listener.getsockname()[1]}"
    webhook = f"127.0.0.1:{free_port()}"
    settings.EVENT_SOCKET = f"tcp://127.0.0.1:{free_port()}"
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    addresses = {"zmq": settings.EVENT_SOCKET, "ws": web, "sse": web, "webhook": webhook}
    if _has_broker():
        settings.EVENT_AMQP_ENABLED, settings.EVENT_AMQP_EXCHANGE = True, EXCHANGE
        addresses["amqp"] = "{}:{}".format(*BROKER)
    build.device()
    webhooks.add(build.user("alice"), address=f"http://{webhook}/", filter="device.#")
    connections.close_all()
    stack.enter_context(forked(lambda: serve(listener)))
    listener.close()
    wait_until_it_answers(int(web.partition(":")[2]))
    heard = {
        kind: stack.enter_context(listening(kind, addresses[kind])) for kind in KINDS if kind in addresses
    }
    stack.enter_context(forked(roles.engine))
    return heard


def _has_broker() -> bool:
    try:
        with socket.create_connection(BROKER, timeout=1):
            return True
    except OSError:
        print("amqp: there is no RabbitMQ")
        return False


def _commit(events: int, pause: float, heard: Mapping[str, Heard]) -> Heard:
    """When each event was committed. Returns when the last one has come everywhere."""
    from django.db import transaction

    from devices import lifecycle as devices
    from devices.states import DeviceHealth
    from events.models import Event

    commits: list[float] = []

    def change(number: int) -> None:
        health = (DeviceHealth.MAINTENANCE, DeviceHealth.GOOD)[number % 2]
        with transaction.atomic():
            transaction.on_commit(lambda: commits.append(time.monotonic()))
            devices.set_health("qemu01", health, by="benchmark")
        time.sleep(pause)

    # A subscriber of ZMQ hears nothing until it is connected, and says not when that is.
    tries = 0
    while not all(heard.values()):
        if tries > PATIENCE / pause:
            raise SystemExit(f"nothing comes by {[kind for kind, told in heard.items() if not told]}")
        change(tries)
        tries += 1
    commits.clear()
    first = Event.objects.count() + 1
    for number in range(events):
        change(tries + number)
    deadline = time.monotonic() + PATIENCE
    while any(first + events - 1 not in told for told in heard.values()) and time.monotonic() < deadline:
        time.sleep(pause)
    return dict(enumerate(commits, start=first))


def _report(commits: Heard, heard: Mapping[str, Heard]) -> None:
    counted = list(commits.items())[WARM_UP:]
    for kind, told in heard.items():
        delays = [(told[sequence] - when) * 1000 for sequence, when in counted if sequence in told]
        missing = len(counted) - len(delays)
        p50, p99 = percentile(delays, 50), percentile(delays, 99)
        print(
            f"commit to {kind:8} p50 {p50:6.1f} ms, p99 {p99:6.1f} ms{f'  {missing} MISSING' if missing else ''}"
        )


if __name__ == "__main__":
    main()
