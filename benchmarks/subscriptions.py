"""A subscription over HTTP: from a commit to a fetch that waits for it, and how fast a backlog is fetched and acknowledged.

Run: python -m benchmarks.subscriptions
"""

from __future__ import annotations

import json
import socket
import threading
import time
from http.client import HTTPConnection
from typing import Any

from benchmarks import throwaway
from benchmarks.events_latency import _publishing
from benchmarks.processes import forked, serve, wait_until_it_answers
from benchmarks.throwaway import percentile

EVENTS = 300
PAUSE = 0.05  # seconds between two commits
BACKLOG = 10_000
BATCH = 500


class Consumer:
    def __init__(self, port: int, secret: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self._headers = {"Authorization": f"Token {secret}", "Content-Type": "application/json"}

    def post(self, deed: str, **body: Any) -> Any:
        address = f"/api/v1/subscriptions/benchmark/{deed}/"
        self._connection.request("POST", address, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        found = json.loads(answer.read())
        assert answer.status == 200, found
        return found


def main() -> None:
    with throwaway.lab():
        secret = _subscribed()
        listener = socket.create_server(("127.0.0.1", 0))
        with forked(lambda: serve(listener)):
            port = listener.getsockname()[1]
            listener.close()
            wait_until_it_answers(port)
            measure_latency(Consumer(port, secret))
            measure_backlog(Consumer(port, secret))


def measure_latency(consumer: Consumer) -> None:
    heard: dict[int, float] = {}
    commits: dict[int, float] = {}
    with _publishing():
        writer = threading.Thread(target=_commit, args=(commits,))
        writer.start()
        while len(heard) < EVENTS:
            fetched = consumer.post("fetch", wait=10)
            now = time.monotonic()
            heard |= {int(event["sequence"]): now for event in fetched["events"]}
            if fetched["ack"]:
                consumer.post("ack", **fetched["ack"])
        writer.join()
    delays = [(heard[number] - commits[number]) * 1000 for number in heard]
    print(
        f"commit to a fetch that waits: p50 {percentile(delays, 50):.1f} ms, p99 {percentile(delays, 99):.1f} ms"
    )


def measure_backlog(consumer: Consumer) -> None:
    from django.db import connections

    from events import publisher

    for _ in range(BACKLOG // BATCH):
        _record(BATCH)
    publisher.run_once([])
    connections.close_all()
    began, number = time.monotonic(), 0
    while number < BACKLOG:
        fetched = consumer.post("fetch", limit=BATCH)
        number += len(fetched["events"])
        consumer.post("ack", **fetched["ack"])
    print(f"a backlog, {BATCH} at once: {number / (time.monotonic() - began):,.0f} events/s")


def _subscribed() -> str:
    """The secret of a token of who is subscribed."""
    from django.db import connections

    from accounts.models import Scope, Token
    from events.subscriptions import lifecycle
    from tests import build

    user = build.user("alice")
    lifecycle.add(user, "benchmark", filter="custom.#")
    secret = Token.objects.issue(user, scope=Scope.READ)
    connections.close_all()
    return secret


def _commit(commits: dict[int, float]) -> None:
    from django.db import connections

    from events import numbering

    first = numbering.last_number() + 1
    for number in range(first, first + EVENTS):
        _record(1)
        commits[number] = time.monotonic()
        time.sleep(PAUSE)
    connections.close_all()


def _record(number: int) -> None:
    from django.db import transaction

    from events import custom

    with transaction.atomic():
        for _ in range(number):
            custom.say("measured", by="benchmark", public=True)


if __name__ == "__main__":
    main()
