"""A fetch that waits: it is answered as soon as there is something, holds no thread, and loses nothing."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.models import Token
from core import asgi
from core.asgi import Message, Receive, Scope, Send
from core.tally import tally
from events import live
from events.models import Subscription
from events.subscriptions import lifecycle
from events.subscriptions.waiting import DIALECT, Waiting
from jobs.states import State
from tests import build
from tests.events.meanwhile import run
from tests.events.subscriptions.office import WANTED, run_out, say
from tests.lab import eventually
from tests.serving import PATIENCE, Site, do

FETCH = "/api/v1/subscriptions/bridge/fetch/"
THREADS = 8  # of the bridge to Django


class Fetching:
    """One request in a thread of its own."""

    def __init__(self, site: Site, secret: str, **body: Any) -> None:
        self.status = 0
        self.body: dict[str, Any] = {}
        self.took = 0.0
        self._connection = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE * 2)
        headers = {"Authorization": f"Token {secret}", "Content-Type": "application/json"}
        self._connection.request("POST", FETCH, body=json.dumps(body), headers=headers)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        begun = time.monotonic()
        with closing(self._connection), self._connection.getresponse() as answer:
            self.status, self.body = answer.status, json.loads(answer.read())
        self.took = time.monotonic() - begun

    def answered(self) -> Fetching:
        self._thread.join(PATIENCE * 2)
        assert self.status, "it was not answered"
        return self

    @property
    def numbers(self) -> list[int]:
        return [int(event["sequence"]) for event in self.body["events"]]


def waiting_now() -> int:
    return int(tally.counts("lava_lite_listeners").get((DIALECT,), 0))


def answers(part: str) -> int:
    found = tally.durations("lava_lite_http_request_seconds").get((part, "2xx"))
    return sum(found.counts) if found else 0


@contextmanager
def waiting(site: Site, secret: str, seconds: float = PATIENCE) -> Iterator[Fetching]:
    """A fetch that has found nothing and waits."""
    fetching = Fetching(site, secret, wait=seconds)
    assert eventually(waiting_now)
    yield fetching
    fetching.answered()


NOTHING = b'{"events": []}'


class Client:
    """Of an ASGI application: it stays after its request."""

    def __init__(self, body: bytes) -> None:
        self.told: list[Message] = []
        self._messages: list[Message] = [{"type": "http.request", "body": body}]

    async def receive(self) -> Message:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop()

    async def send(self, message: Message) -> None:
        self.told.append(message)


async def with_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await asgi.answer(send, 200, [], NOTHING)


def asked_by(secret: str) -> Scope:
    return {
        "method": "POST",
        "headers": [(b"authorization", f"Token {secret}".encode())],
        "query_string": b"",
        "url_route": {"kwargs": {"name": "bridge"}},
    }


@pytest.fixture
def secret(site: Site, alice: User) -> str:
    lifecycle.add(alice, "bridge", filter=WANTED)
    return Token.objects.issue(alice)


def test_it_is_answered_when_something_happens_that_is_for_it(site: Site, secret: str) -> None:
    with waiting(site, secret) as fetching:
        say("other")
        say("hidden")
        number = say("wanted")

    assert fetching.numbers == [number]
    assert fetching.took < PATIENCE


def test_it_is_answered_at_once_if_there_is_something(site: Site, secret: str) -> None:
    number = say("wanted")

    assert Fetching(site, secret, wait=PATIENCE).answered().numbers == [number]


def test_without_anything_it_is_answered_when_its_time_is_over(site: Site, secret: str) -> None:
    fetching = Fetching(site, secret, wait=0.3).answered()

    assert (fetching.status, fetching.body["events"], fetching.body["ack"]) == (200, [], None)
    assert fetching.took >= 0.25


def test_the_time_for_which_one_waits_is_not_counted_among_the_answers_of_the_api(
    site: Site, secret: str
) -> None:
    before = {part: answers(part) for part in ("api", "waiting")}

    Fetching(site, secret).answered()

    assert eventually(lambda: answers("waiting") == before["waiting"] + 1)
    assert answers("api") == before["api"]


def test_many_that_wait_hold_up_nobody(site: Site, secret: str) -> None:
    many = [Fetching(site, secret, wait=PATIENCE) for _ in range(3 * THREADS)]
    assert eventually(lambda: waiting_now() == len(many))

    assert Fetching(site, secret).answered().status == 200

    number = say("wanted")
    assert {tuple(each.answered().numbers) for each in many} == {(number,)}


@pytest.mark.parametrize("end", ["token revoked", "user deactivated"])
def test_who_may_not_come_in_any_more_is_answered_soon(
    end: str, site: Site, secret: str, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WELCOME_SECONDS", 0.05)
    with waiting(site, secret) as fetching:
        if end == "token revoked":
            Token.objects.all().delete()
        else:
            User.objects.filter(pk=alice.pk).update(is_active=False)

    assert (fetching.status, fetching.took < PATIENCE) == (401, True)


def test_who_has_lost_a_right_is_told_nothing_of_what_it_hides(site: Site, alice: User, bob: User) -> None:
    lifecycle.add(bob, "bridge", filter="job.#")
    secret = Token.objects.issue(bob)
    with waiting(site, secret) as fetching:
        bob.groups.clear()
        do(lambda: build.job(submitter=alice, state=State.RUNNING, visibility={"group": ["kernel"]}))
        shown = do(lambda: build.job(submitter=alice, device="qemu02"))

    assert {event["data"]["job"] for event in fetching.body["events"]} == {shown.pk}


def test_one_that_expires_while_it_is_waited_for_says_so_at_the_next_fetch(site: Site, secret: str) -> None:
    with waiting(site, secret) as fetching:
        run_out(Subscription.objects.get())
        say("wanted")

    assert fetching.status == 410


def test_who_leaves_is_forgotten_and_what_happens_is_told_to_the_next(site: Site, secret: str) -> None:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    headers = {"Authorization": f"Token {secret}", "Content-Type": "application/json"}
    connection.request("POST", FETCH, body=json.dumps({"wait": PATIENCE}), headers=headers)
    assert eventually(waiting_now)

    connection.close()

    assert eventually(lambda: not waiting_now())
    number = say("wanted")
    assert Fetching(site, secret).answered().numbers == [number]


@pytest.mark.django_db(transaction=True)
def test_who_waits_when_the_server_ends_is_answered(alice: User) -> None:
    lifecycle.add(alice, "bridge", filter=WANTED)
    secret = Token.objects.issue(alice)
    app, told = Waiting(otherwise=with_nothing), list[Message]()

    async def story() -> None:
        client = Client(json.dumps({"wait": PATIENCE}).encode())
        answering = asyncio.create_task(app(asked_by(secret), client.receive, client.send))
        while not waiting_now():
            await asyncio.sleep(0.01)
        app.close()
        await answering
        told.extend(client.told)

    run(story())

    assert [message.get("status") or message["body"] for message in told] == [200, NOTHING]


@pytest.mark.parametrize(
    ("body", "status"),
    [({"wait": 31}, 400), ({"wait": -1}, 400), ({"wait": "long"}, 400), ({"limit": 0, "wait": 5}, 400)],
)
def test_what_makes_no_sense_is_refused_at_once(
    body: dict[str, Any], status: int, site: Site, secret: str
) -> None:
    fetching = Fetching(site, secret, **body).answered()

    assert (fetching.status, fetching.took < 5) == (status, True)


def test_a_look_at_the_address_is_answered_by_django(site: Site, secret: str) -> None:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
    connection.request("GET", FETCH, headers={"Authorization": f"Token {secret}"})

    with closing(connection), connection.getresponse() as answer:
        assert answer.status == 405
