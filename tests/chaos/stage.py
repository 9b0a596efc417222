"""A lab on PostgreSQL with every transport, who listens to it, and its work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.chaos import servers
from tests.chaos.listeners import Consumer, History, Listener, Stream
from tests.chaos.load import LOOK, TO_REST, post, unfinished
from tests.chaos.messages import Queue, Subscriber, Webhook
from tests.chaos.servers import PostgreSQL, RabbitMQ
from tests.chaos.sockets import Core4Socket, LavaSocket
from tests.events.cable import Cable
from tests.events.webhooks import endpoint
from tests.lab import Lab, eventually

EXCHANGE = "pulp.api.v2"
SMALL = 16 * 1024  # bytes on their way in a line to a listener, so that who does not read is soon felt

One = TypeVar("One", bound=Listener | Webhook)
Kind = type[Listener] | type[Webhook]
Cast = Mapping[Kind, int]

ONE_OF_EACH: Cast = dict.fromkeys(
    (LavaSocket, Core4Socket, Stream, History, Consumer, Queue, Subscriber, Webhook), 1
)
TWENTY: Cast = {
    LavaSocket: 3,
    Core4Socket: 3,
    Stream: 4,
    History: 2,
    Consumer: 2,
    Queue: 2,
    Subscriber: 2,
    Webhook: 2,
}


@dataclass(kw_only=True)
class Stage:
    """A running lab with everything around it."""

    lab: Lab
    database: PostgreSQL
    broker: RabbitMQ
    to_broker: Cable  # between the lab and it
    listeners: list[Listener]
    webhooks: list[Webhook]
    begin: int  # after this event began those who hear of no earlier ones
    witness: Path  # where jobs write down that they run

    @property
    def everybody(self) -> list[Listener | Webhook]:
        return [*self.listeners, *self.webhooks]

    @property
    def subscribers(self) -> list[Subscriber]:
        return [each for each in self.listeners if isinstance(each, Subscriber)]

    @property
    def last_words(self) -> list[str]:
        """Of what the lab said, which is gone with its directory."""
        return self.lab.errors.read_text().splitlines()[-200:]


@contextmanager
def stage(cast: Cast) -> Iterator[Stage]:
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
        queues = _named(cast, Queue, lambda: Queue(_line(stack, broker.port), broker, EXCHANGE))
        for queue in queues:
            queue.declare()
        lab.start()
        stack.callback(lab.stop)
        assert eventually(lambda: not unfinished(database), TO_REST, pause=LOOK), "the first job does not end"
        listeners: list[Listener] = [*queues, *_of_lab(stack, lab, cast)]
        webhooks = _named(cast, Webhook, lambda: Webhook(stack.enter_context(endpoint.listening())))
        for webhook in webhooks:
            post(
                lab,
                "/api/v1/webhooks/",
                {"address": webhook.address, "filter": "", "description": webhook.name},
            )
        witness = directory / "witness"
        witness.mkdir()
        for listener in listeners:
            listener.start()
        yield Stage(
            lab=lab,
            database=database,
            broker=broker,
            to_broker=to_broker,
            listeners=listeners,
            webhooks=webhooks,
            begin=database.number("SELECT max(sequence) FROM events_event"),
            witness=witness,
        )


def _of_lab(stack: ExitStack, lab: Lab, cast: Cast) -> list[Listener]:
    """Those who ask the lab itself."""

    def line() -> Cable:
        return _line(stack, lab.port)

    def subscriber() -> Subscriber:
        return Subscriber(_line(stack, int(lab.zmq.rpartition(":")[2])), lab.token, line())

    found: list[Listener] = [*_named(cast, Subscriber, subscriber)]
    for kind in (LavaSocket, Core4Socket, Stream, History, Consumer):
        found += _named(cast, kind, lambda kind=kind: kind(line(), lab.token))  # type: ignore[misc]
    for each in found:
        if isinstance(each, Consumer):
            post(lab, "/api/v1/subscriptions/", {"name": each.name, "since": "oldest"})
    return found


def _line(stack: ExitStack, port: int) -> Cable:
    return stack.enter_context(Cable(("127.0.0.1", port), buffer=SMALL))


def _named(cast: Cast, kind: type[One], make: Callable[[], One]) -> list[One]:
    """As many as the cast has; each has a name of its own."""
    made = [make() for _ in range(cast[kind])]
    for number, each in enumerate(made, start=1):
        each.name = f"{each.kind}-{number}" if len(made) > 1 else each.kind
    return made
