"""How fast a backlog of events goes out: to a ZMQ subscriber, through an AMQP broker and to a webhook, in other processes.

The backlog is what 20,000 events of jobs look like: each is two messages for the broker. RabbitMQ must run on this
machine, or TEST_RABBITMQ name another.

Run: python -m benchmarks.events_relay
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks import throwaway

if TYPE_CHECKING:
    from events.transports import Transport

BACKLOG = 20_000
OF_A_JOB = 100  # events
TO_WEBHOOK = 2_000  # of them
PATIENCE = 300  # seconds
URL = os.environ.get("TEST_RABBITMQ") or "amqp://guest:guest@127.0.0.1:5672/"

# Each prints when it is ready, and when it heard so many events.
ZMQ_SUBSCRIBER = """
import sys, time, zmq

sub = zmq.Context().socket(zmq.SUB)
sub.setsockopt(zmq.SUBSCRIBE, b"")
sub.setsockopt(zmq.RCVHWM, 0)
sub.connect(sys.argv[1])
print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    sub.recv_multipart()
print(time.monotonic(), flush=True)
"""
AMQP_CONSUMER = """
import sys, time
from urllib.parse import urlsplit
import amqp

at = urlsplit(sys.argv[1])
connection = amqp.Connection(f"{at.hostname}:{at.port}", at.username, at.password, virtual_host=at.path[1:] or "/")
connection.connect()
channel = connection.channel()
channel.exchange_declare(sys.argv[2], "topic", durable=True, auto_delete=False)
queue = channel.queue_declare(exclusive=True).queue
channel.queue_bind(queue, sys.argv[2], "#")
heard = 0

def hear(message):
    global heard
    heard += message.delivery_info["routing_key"].startswith("tasks.")

channel.basic_consume(queue, no_ack=True, callback=hear)
print("ready", flush=True)
while heard < int(sys.argv[3]):
    connection.drain_events()
print(time.monotonic(), flush=True)
channel.exchange_delete(sys.argv[2])
"""


def main() -> None:
    with throwaway.lab():
        from events.transports.amqp import TopicExchange
        from events.transports.zmq import PublicSocket
        from tests.events.listening import free_address

        make_backlog()
        address, exchange = free_address(), f"benchmark-{uuid.uuid4().hex}"
        relay("zmq", PublicSocket(address), (ZMQ_SUBSCRIBER, address))
        relay("amqp, public", TopicExchange(URL, exchange), (AMQP_CONSUMER, URL, exchange))
        relay("amqp, all", TopicExchange(URL, exchange, tells_all=True), (AMQP_CONSUMER, URL, exchange))
        relay_to_webhook(free_address().removeprefix("tcp://"))


def make_backlog() -> None:
    """Events of public jobs, and nothing else."""
    from django.db import transaction

    from events import outbox
    from events.models import Event
    from events.outbox import Cause, News
    from tests import build

    jobs = [build.job().pk for _ in range(BACKLOG // OF_A_JOB)]
    data = Event.objects.filter(type="job.submitted")[0].data | {"previous_state": "Scheduled"}
    Event.objects.all().delete()
    for pk in jobs:
        news = [News(type="job.started", subject=str(pk), data=data)] * OF_A_JOB
        with transaction.atomic():
            outbox.record_all(news, cause=Cause(kind="worker", actor="worker01"), job_id=pk, attempt=1)


def relay(name: str, transport: Transport, listener: tuple[str, ...]) -> None:
    from events import publisher
    from events.models import Position

    with closing(transport), _running("-c", *listener, str(BACKLOG)) as process:
        publisher.number()
        publisher.prepare([transport])
        publisher.run_once([transport])  # it is connected, and has nothing to send
        Position.objects.filter(pk=transport.name).update(sequence=_first() - 1, published=0)
        began, worked = time.monotonic(), time.process_time()
        publisher.run_once([transport])
        sent, worked = time.monotonic() - began, time.process_time() - worked
        heard = float(process.stdout.readline()) - began
    print(
        f"{name}: {BACKLOG / sent:,.0f} events/s sent, {BACKLOG / heard:,.0f} heard; "
        f"a processor of the publisher's own would send {BACKLOG / worked:,.0f}"
    )


def relay_to_webhook(address: str) -> None:
    """Each message is a request of its own, answered before the next one is sent."""
    from django.conf import settings

    from events.models import Webhook
    from events.webhooks import lifecycle
    from events.webhooks.sender import Sender
    from tests import build

    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with _running("-m", "benchmarks.subscriber", "webhook", address), closing(Sender()) as sender:
        webhook = lifecycle.add(build.user("alice"), address=f"http://{address}/", filter="job.#")
        end = webhook.sequence
        Webhook.objects.update(sequence=end - TO_WEBHOOK)
        began, worked = time.monotonic(), time.process_time()
        while Webhook.objects.get().sequence < end:
            sender.run_once()
            sender.settle()
        sent, worked = time.monotonic() - began, time.process_time() - worked
    print(
        f"webhook: {TO_WEBHOOK / sent:,.0f} events/s; "
        f"a processor of the sender's own would send {TO_WEBHOOK / worked:,.0f}"
    )


def _first() -> int:
    from events.models import Event

    return Event.objects.order_by("sequence").values_list("sequence", flat=True)[0] or 0


@contextmanager
def _running(*arguments: str) -> Iterator[Any]:
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as process:
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            timer.cancel()
            process.kill()


if __name__ == "__main__":
    main()
