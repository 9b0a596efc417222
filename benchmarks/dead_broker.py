"""What a change of state costs more when nobody takes the events. Run: python -m benchmarks.dead_broker

The same verbs run while a publisher sends to ZMQ and to a broker (RabbitMQ must run on this machine, or TEST_RABBITMQ
name another), and then with each of them out of order in its own way. Rounds take turns, so that what else the machine
does falls on all alike.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import throwaway
from benchmarks.state_changes import fill, verbs

ROUNDS = 4
OF_A_ROUND = 100  # jobs, of as many as `fill` makes
LIMIT, AIM = 50.0, 5.0  # milliseconds more than with all in order
PATIENCE = 30.0  # seconds
BROKER = os.environ.get("TEST_RABBITMQ") or "amqp://guest:guest@127.0.0.1:5672/"

PUBLISHER = """
import signal, sys, threading
from lava_lite import roles
roles.set_up_django()
from django.conf import settings
from django.db import connection
connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = sys.argv[1]
from events import publisher
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
publisher.run(stop)
"""


def main() -> None:
    with throwaway.lab() as data:
        logging.disable(logging.INFO)
        times: dict[str, list[float]] = defaultdict(list)
        jobs = fill()
        for number in range(ROUNDS):
            part = jobs[number * OF_A_ROUND : (number + 1) * OF_A_ROUND]
            for place, (name, state) in enumerate(STATES.items()):
                share = part[place :: len(STATES)]
                with state(data):
                    times[name] += measure(share)
        tell(times)


def measure(jobs: list[tuple[int, str]]) -> list[float]:
    """The milliseconds of each verb, which is one transaction with its events. One that fails ends the benchmark."""
    times = []
    deeds = verbs().values()
    for job, device in jobs:
        for deed in deeds:
            began = time.perf_counter()
            deed(job, device)
            times.append(1000 * (time.perf_counter() - began))
    return times


def tell(times: dict[str, list[float]]) -> None:
    usual = throwaway.percentile(times[ALL_WELL], 50)
    for name, found in times.items():
        middle, late = throwaway.percentile(found, 50), throwaway.percentile(found, 95)
        print(
            f"{name:40} p50 {middle:6.2f} ms  p95 {late:6.2f} ms  longest {max(found):7.2f} ms"
            f"  more at p50: {middle - usual:+6.2f} ms  ({len(found)} verbs, none failed)"
        )
    print(f"limit: {LIMIT:.0f} ms more; aim: {AIM:.0f} ms more")


@contextmanager
def publishing(data: Path, broker: str) -> Iterator[subprocess.Popen[bytes]]:
    """A publisher in another process, which listens for the doorbell."""
    from django.db import connection

    environment = {
        **os.environ,
        "EVENT_AMQP_ENABLED": "true",
        "EVENT_AMQP_URL": broker,
        "EVENT_AMQP_EXCHANGE": "lava-lite-benchmark",
        "EVENT_SOCKET": f"ipc://{data}/events",
    }
    arguments = [sys.executable, "-c", PUBLISHER, str(connection.settings_dict["NAME"])]
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for_bell(data, process)
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


@contextmanager
def all_well(data: Path) -> Iterator[None]:
    with publishing(data, BROKER):
        yield


@contextmanager
def broker_refuses(data: Path) -> Iterator[None]:
    with publishing(data, f"amqp://guest:guest@127.0.0.1:{_closed_port()}/"):
        yield


@contextmanager
def broker_says_nothing(data: Path) -> Iterator[None]:
    """It takes the connection, and never answers."""
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = silent.getsockname()[1]
        stack.enter_context(publishing(data, f"amqp://guest:guest@127.0.0.1:{port}/"))
        yield


@contextmanager
def publisher_hangs(data: Path) -> Iterator[None]:
    """Its doorbell is there, and fills up. It is frozen outside of a transaction: in one, it would hold SQLite's one lock."""
    with publishing(data, BROKER) as process:
        while True:
            process.send_signal(signal.SIGSTOP)
            if _can_be_written():
                break
            process.send_signal(signal.SIGCONT)
            time.sleep(0.01)
        yield


@contextmanager
def publisher_was_killed(data: Path) -> Iterator[None]:
    """Its doorbell is left behind, and there is no broker."""
    with publishing(data, f"amqp://guest:guest@127.0.0.1:{_closed_port()}/") as process:
        process.kill()
        process.wait()
        yield


ALL_WELL = "all in order"
STATES = {
    ALL_WELL: all_well,
    "the broker refuses": broker_refuses,
    "the broker takes calls, says nothing": broker_says_nothing,
    "the publisher hangs": publisher_hangs,
    "publisher killed, no broker": publisher_was_killed,
}


def _can_be_written() -> bool:
    """Whether nobody has the lock of SQLite; PostgreSQL has none that a verb could wait for."""
    from django.db import OperationalError, connection, transaction

    if connection.vendor != "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    try:
        with transaction.atomic():
            return True
    except OperationalError:
        return False
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 20000")


def _wait_for_bell(data: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not list((data / "run").glob(f"engine.{process.pid}.*")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the publisher does not start")
        time.sleep(0.01)


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
