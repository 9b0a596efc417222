"""A pattern of topics chooses the same events on the WebSocket, the stream, the broker, the webhook and a subscription."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from itertools import count, takewhile
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from events import custom, publisher, topics
from events.models import Event
from events.subscriptions import delivery
from events.subscriptions import lifecycle as subscriptions
from events.transports.amqp import TopicExchange
from jobs import sayings
from jobs.states import State
from tests import build
from tests.events import rabbit
from tests.events.matrix.transports import in_lavas_words
from tests.events.streaming import ADDRESS, Listening
from tests.events.webhooks.endpoint import listening
from tests.events.webhooks.office import Office, hook
from tests.serving import PATIENCE, Site, do, hear

LAST = "custom.the-last"  # which every listener hears, so that it knows when it has heard all
PATTERNS = ("job.started", "job.*", "*.changed", "#", "custom.#", "custom.*", "#.deep", "job.#.started", "*")


@pytest.fixture
def exchange(transactional_db: None, settings: Settings, exchange: rabbit.Exchange) -> rabbit.Exchange:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    return exchange


def of_the_stream(site: Site, pattern: str) -> list[str]:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    query = f"?since=0&filter={quote(f'{pattern} {LAST}')}"
    connection.request("GET", ADDRESS + query, headers={"Accept": "text/event-stream"})
    with closing(Listening(connection, connection.getresponse())) as stream:
        return _until_the_last(message.kind for message in stream.messages())


def of_the_socket(site: Site, pattern: str) -> list[str]:
    client = site.connect(f"/ws/?since=0&filter={quote(f'{pattern} {LAST}')}")
    return _until_the_last(json.loads(hear(client)[4])["event"] for _ in count())


def of_core4(site: Site, pattern: str) -> list[str]:
    client = site.connect("/core4/api/v1/event")
    client.send(json.dumps({"type": "interest", "data": [pattern, LAST], "since": 0}))
    assert hear(client)["type"] == "interest"
    return _until_the_last(hear(client)["data"]["event"] for _ in count())


def of_a_subscription(alice: User, pattern: str) -> list[str]:
    subscription = subscriptions.add(
        alice, f"topics-{PATTERNS.index(pattern)}", filter=pattern, since="oldest"
    )
    return [event.type for event in delivery.fetch(subscription, limit=500).events if event.type != LAST]


def _until_the_last(types: Iterable[str]) -> list[str]:
    return [*takewhile(lambda type: type != LAST, types)]


def happens(alice: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)
    sayings.say_for(job, alice, "flashed", "")
    sayings.say_for(job, alice, "flashed.deep", "")
    custom.say("the-last", by="ups", public=True)


def test_a_pattern_of_topics_means_the_same_on_every_transport(
    exchange: rabbit.Exchange, site: Site, alice: User
) -> None:
    queues = {pattern: exchange.bind(pattern) for pattern in PATTERNS}
    with ExitStack() as stack:
        endpoints = {pattern: stack.enter_context(listening()) for pattern in PATTERNS}
        for pattern, endpoint in endpoints.items():
            hook(alice, endpoint, pattern)
        broker = stack.enter_context(closing(TopicExchange(rabbit.URL, exchange.name)))
        publisher.prepare([broker])
        do(lambda: happens(alice))
        publisher.run_once([broker])
        office = stack.enter_context(closing(Office()))
        office.run()

        told = list(Event.objects.exclude(type=LAST).order_by("sequence"))
        for pattern in PATTERNS:
            wanted = [event for event in told if topics.matches(pattern, event.type)]
            types = [event.type for event in wanted]
            keys = [message.key for message in queues[pattern].all()]
            assert [key for key in keys if not key.startswith("tasks.") and key != LAST] == types, pattern
            assert [type for type in endpoints[pattern].types if type != LAST] == types, pattern
            assert of_the_stream(site, pattern) == types, pattern
            assert of_a_subscription(alice, pattern) == types, pattern
            assert of_core4(site, pattern) == types, pattern
            of_lava = [event.type for event in wanted if in_lavas_words(event)]
            assert of_the_socket(site, pattern) == of_lava, pattern
