"""One subscriber of each transport: `python -m benchmarks.subscriber zmq|amqp|ws|sse|webhook ADDRESS`.

Says `ready` when it listens, then a line for each event: its sequence, and when it came. ADDRESS is what a client of the
transport takes, a host and a port for the last three.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EXCHANGE = "pulp.api.v2"

Heard = dict[int, float]  # by sequence, when


def main() -> None:
    kind, address = sys.argv[1:]
    KINDS[kind](address)


def ready() -> None:
    print("ready", flush=True)


def heard(event: dict[str, Any]) -> None:
    print(int(event["sequence"]), time.monotonic(), flush=True)


def by_zmq(address: str) -> None:
    import zmq

    client = zmq.Context().socket(zmq.SUB)
    client.setsockopt(zmq.SUBSCRIBE, b"")
    client.setsockopt(zmq.RCVHWM, 0)
    client.connect(address)
    ready()
    while True:
        heard(json.loads(client.recv_multipart()[4]))


def by_amqp(address: str) -> None:
    import amqp

    connection = amqp.Connection(address)
    connection.connect()
    channel = connection.channel()
    channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
    queue = channel.queue_declare(exclusive=True).queue
    channel.queue_bind(queue, EXCHANGE, "device.#")
    channel.basic_consume(queue, callback=lambda message: heard(json.loads(message.body)), no_ack=True)
    ready()
    while True:
        connection.drain_events()


def by_websocket(address: str) -> None:
    from websockets.sync.client import connect

    with connect(f"ws://{address}/ws/", compression=None, proxy=None) as client:
        ready()
        for frame in client:
            heard(json.loads(json.loads(frame)[4]))


def by_stream(address: str) -> None:
    import http.client

    connection = http.client.HTTPConnection(address)
    connection.request("GET", "/api/v1/events", headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    ready()
    for line in iter(response.readline, b""):
        if line.startswith(b"data:"):
            told = json.loads(line.removeprefix(b"data:"))
            if "sequence" in told:
                heard(told)


def by_webhook(address: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: Any) -> None:
            pass

    host, port = address.split(":")
    with ThreadingHTTPServer((host, int(port)), Handler) as server:
        ready()
        server.serve_forever()


KINDS: dict[str, Callable[[str], None]] = {
    "zmq": by_zmq,
    "amqp": by_amqp,
    "ws": by_websocket,
    "sse": by_stream,
    "webhook": by_webhook,
}


@contextmanager
def listening(kind: str, address: str) -> Iterator[Heard]:
    """What such a process hears while it runs, by the clock that all processes of the machine share."""
    heard: Heard = {}
    command = [sys.executable, "-m", __name__, kind, address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        stdout = process.stdout
        assert stdout is not None
        if stdout.readline() != "ready\n":
            raise SystemExit(f"{kind}: the subscriber at {address} does not listen")

        def read() -> None:
            for line in stdout:
                sequence, when = line.split()
                heard.setdefault(int(sequence), float(when))

        threading.Thread(target=read, daemon=True).start()
        try:
            yield heard
        finally:
            process.kill()


if __name__ == "__main__":
    main()
