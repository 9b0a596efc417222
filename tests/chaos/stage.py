"""A lab on PostgreSQL with every transport, who listens to it, and its work."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import psycopg

from tests.chaos import servers
from tests.chaos.listeners import (
    Core4Socket,
    History,
    LavaSocket,
    Listener,
    Queue,
    Stream,
    Subscriber,
    Webhook,
)
from tests.chaos.servers import PostgreSQL, RabbitMQ
from tests.events.cable import Cable
from tests.events.webhooks import endpoint
from tests.lab import Lab, eventually
from tests.statements.visitors import JSON, definition

EXCHANGE = "pulp.api.v2"
DEVICES = ("local-01", "local-02", "local-03")
LINES = 60  # that a job prints
AT_WORK = 6  # jobs that are always wanted
TO_REST = 300.0  # seconds until all jobs have ended, and until everybody has caught up
LOOK = 0.2  # seconds between two looks
SMALL = 16 * 1024  # bytes on their way in a line to a listener, so that who does not read is soon felt
FINISHED = 5  # a job's state in the table


@dataclass(kw_only=True)
class Stage:
    """A running lab with everything around it."""

    lab: Lab
    database: PostgreSQL
    broker: RabbitMQ
    to_broker: Cable  # between the lab and it
    to_zmq: Cable
    listeners: list[Listener]
    webhook: Webhook
    begin: int  # after this event began those who hear of no earlier ones
    witness: Path  # where jobs write down that they run

    @property
    def everybody(self) -> list[Listener | Webhook]:
        return [*self.listeners, self.webhook]

    @property
    def last_words(self) -> list[str]:
        """Of what the lab said, which is gone with its directory."""
        return self.lab.errors.read_text().splitlines()[-200:]

    @property
    def subscriber(self) -> Subscriber:
        return next(each for each in self.listeners if isinstance(each, Subscriber))


@contextmanager
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        directory = stack.enter_context(servers.open_directory())
        database = stack.enter_context(servers.postgresql(directory))
        broker = stack.enter_context(servers.rabbitmq(directory))
        to_broker = stack.enter_context(Cable(("127.0.0.1", broker.port)))
        lab = Lab(
            directory,
            DATABASE_URL=database.url,
            EVENT_AMQP_ENABLED="true",
            EVENT_AMQP_URL=f"amqp://guest:guest@127.0.0.1:{to_broker.port}/",
            EVENT_AMQP_EXCHANGE=EXCHANGE,
            EVENT_AMQP_AUDIENCE="all",
            WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
        )

        def line(port: int) -> Cable:
            return stack.enter_context(Cable(("127.0.0.1", port), buffer=SMALL))

        queue = Queue(line(broker.port), broker, EXCHANGE)
        queue.declare()
        lab.start()
        stack.callback(lab.stop)
        to_zmq = line(int(lab.zmq.rpartition(":")[2]))
        listeners = [kind(line(lab.port), lab.token) for kind in (LavaSocket, Core4Socket, Stream, History)]
        listeners += [queue, Subscriber(to_zmq, lab.token, line(lab.port))]
        assert eventually(lambda: not unfinished(database), TO_REST, pause=LOOK), "the first job does not end"
        webhook = Webhook(stack.enter_context(endpoint.listening()))
        post(lab, "/api/v1/webhooks/", {"address": webhook.address, "filter": "", "description": "chaos"})
        witness = directory / "witness"
        witness.mkdir()
        for listener in listeners:
            listener.start()
        yield Stage(
            lab=lab,
            database=database,
            broker=broker,
            to_broker=to_broker,
            to_zmq=to_zmq,
            listeners=listeners,
            webhook=webhook,
            begin=database.number("SELECT max(sequence) FROM events_event"),
            witness=witness,
        )


class Load:
    """Jobs all the time, for whichever device is next: each prints numbered lines and says that it runs."""

    def __init__(self, lab: Lab, database: PostgreSQL, witness: Path) -> None:
        self.accepted: set[str] = set()  # names of jobs
        self._lab = lab
        self._database = database
        self._witness = witness
        self._asked = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(LOOK):
            with suppress(OSError, psycopg.Error):  # the lab or its database may be away
                if len(unfinished(self._database)) < AT_WORK:
                    self._submit()

    def _submit(self) -> None:
        """A name is used once: whether it was taken is not known of one that was cut off."""
        self._asked += 1
        name, device = f"counted-{self._asked}", DEVICES[self._asked % len(DEVICES)]
        body = json.dumps({"definition": self._definition(name, device)}).encode()
        status, _ = self._lab.request("POST", "/api/v0.2/jobs/", body, JSON)
        if status == HTTPStatus.CREATED:
            self.accepted.add(name)

    def _definition(self, name: str, device: str) -> str:
        busy = self._witness / f"busy-{device}"
        return definition(
            name,
            f"mkdir {busy} || touch {self._witness}/beside-{name}",
            f"echo {name} >> {self._witness}/begun",
            f"set +x; for i in $(seq {LINES}); do echo line $i;"
            ' [ $((i % 2)) = 0 ] || lava-test-event "printed: line $i"; sleep 0.02; done',
            "lava-test-case counted --result pass",
            f"rmdir {busy}",
            lava_lite={"device": device},
        )


def unfinished(database: PostgreSQL) -> list[object]:
    return [pk for (pk,) in database.ask(f"SELECT id FROM jobs_job WHERE state != {FINISHED}")]


def post(lab: Lab, path: str, body: dict[str, str]) -> None:
    status, answer = lab.request("POST", path, json.dumps(body).encode(), JSON)
    assert status == HTTPStatus.CREATED, answer
