"""Everybody of the cast knocks at every door: nobody sees or does more than the table says.

What cannot be told from a status is told by words: no answer holds a word of a thing that is hidden from who asks.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from xmlrpc.client import Fault, dumps, loads

import pytest
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse

from accounts.models import Token
from api.xmlrpc.methods import METHODS
from events import visibility
from events.catalogue import CATALOGUE
from events.models import Event
from lava_lite.asgi import application
from tests import build
from tests.access import routes
from tests.access.conftest import Doors
from tests.access.table import (
    ADMIN_PAGES,
    EVENT_SUBJECTS,
    SOCKETS,
    STREAMS,
    TABLE,
    XMLRPC,
    Row,
    Who,
)
from tests.access.world import CAST, SUPERUSERS, Thing, World

pytestmark = pytest.mark.django_db

SAFE = ("GET", "HEAD")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
REFUSED = (401, 403, 404)
NOTHING = Thing()
NO_ROW = Row()


# The tables are complete


def test_every_address_is_in_the_table() -> None:
    assert {routes.plain(route) for route in routes.addresses()} == set(TABLE)


def test_every_model_of_the_admin_site_is_in_the_table() -> None:
    assert routes.admin_pages() == ADMIN_PAGES


def test_every_method_of_xmlrpc_is_in_the_table() -> None:
    assert set(METHODS) == set(XMLRPC)


def test_every_socket_and_stream_is_in_the_table() -> None:
    assert {pattern.pattern for pattern, _ in application.sockets} == set(SOCKETS)
    assert {pattern.pattern for pattern, _ in application.streams} == set(STREAMS)


def test_every_subject_of_events_is_in_the_table() -> None:
    assert {entry.subject for entry in CATALOGUE.values()} == set(EVENT_SUBJECTS)


# The doors


@pytest.mark.parametrize("route", routes.addresses())
def test_nobody_gets_through_a_door_that_is_not_theirs(route: str, world: World, doors: Doors) -> None:
    row = TABLE[routes.plain(route)]
    for door, method, rule in _ways(row):
        for thing in world.things.get(row.of, [NOTHING]):
            address = routes.filled(route, thing.parameters)
            answers = {name: _ask(client, method, address, row) for name, client in doors[door].items()}

            through = {name for name, answer in answers.items() if not _is_refusal(answer, row)}
            assert through == set(rule(thing)), f"{method} {address} by {door}"
            _check_words(answers, f"{address} {row.send}", world)


@pytest.mark.parametrize("route", routes.addresses())
def test_a_method_that_is_not_in_the_table_is_not_there(route: str, world: World, doors: Doors) -> None:
    row = TABLE[routes.plain(route)]
    for method in {"GET", *UNSAFE} - set(row.methods()):
        thing = world.things.get(row.of, [NOTHING])[0]
        answer = _ask(doors["token"]["admin"], method, routes.filled(route, thing.parameters))

        assert answer.status_code in (*REFUSED, 405), f"{method} {route}"


@pytest.mark.parametrize("route", [route for route in routes.addresses() if route.startswith("api/")])
def test_who_asks_an_api_what_may_be_done_breaks_nothing(route: str, world: World, doors: Doors) -> None:
    thing = world.things.get(TABLE[routes.plain(route)].of, [NOTHING])[0]

    answers = {
        name: _ask(client, "OPTIONS", routes.filled(route, thing.parameters))
        for name, client in doors["token"].items()
    }

    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code >= 500} == {}


@pytest.mark.parametrize("route", [route for route, row in TABLE.items() if row.by == "token"])
def test_what_only_a_token_opens_stays_shut_for_a_session(route: str, world: World, doors: Doors) -> None:
    row = TABLE[route]
    thing = world.things[row.of][0]
    for method in row.methods():
        answer = _ask(doors["session"]["admin"], method, routes.filled(route, thing.parameters) + "/")

        assert _is_refusal(answer, row), f"{method} {route}"


@pytest.mark.parametrize("page", sorted(ADMIN_PAGES))
def test_the_admin_site_is_for_those_with_the_right(page: str, world: World, doors: Doors) -> None:
    name = page.replace("/", "_")
    for address in (reverse(f"admin:{name}_changelist"), reverse(f"admin:{name}_add")):
        answers = {who: _ask(client, "GET", address) for who, client in doors["session"].items()}

        through = {who for who, answer in answers.items() if answer.status_code == 200}
        assert through <= SUPERUSERS
        _check_words(answers, address, world)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_no_method_of_xmlrpc_does_more_than_the_table_says(name: str, world: World) -> None:
    call = XMLRPC[name]
    for thing in world.things[call.of]:
        through = {who for who in CAST if _call(name, who, call.arguments(thing))}

        assert through == set(call.who(thing)), name


@pytest.mark.parametrize("subject", sorted(EVENT_SUBJECTS))
def test_no_event_tells_of_what_is_hidden(subject: str, world: World) -> None:
    for thing in world.things[subject]:
        key = str(thing.parameters.get("pk", thing.parameters.get("name")))
        for event in Event.objects.filter(subject=key, type__startswith=f"{subject}."):
            told = {who for who in CAST if visibility.may_see(event, world.users[who])}

            assert told == set(EVENT_SUBJECTS[subject](thing)), event.type


def _ways(row: Row) -> Iterator[tuple[str, str, Who]]:
    """Each door with each method; what is only looked at may be looked at by HEAD as well."""
    for door in row.by.split():
        for method, rule in row.methods().items():
            yield door, method, rule
            if method == "GET" and row.post is not row.get:
                yield door, "HEAD", rule


def _ask(client: Client, method: str, address: str, row: Row = NO_ROW) -> HttpResponseBase:
    """What is changed by asking is undone."""
    body = "" if row.send is None or method in SAFE else json.dumps(row.send)
    kind = "application/json" if body else "application/octet-stream"
    with build.rolled_back():
        answer: HttpResponseBase = client.generic(method, address, body, content_type=kind)
        answer.words = _text(answer)  # type: ignore[attr-defined]
    return answer


def _text(answer: HttpResponseBase) -> str:
    content = b"".join(answer) if answer.streaming else answer.content  # type: ignore[attr-defined, arg-type]
    return content.decode("utf-8", "replace")


def _is_refusal(answer: HttpResponseBase, row: Row) -> bool:
    to_login = answer.status_code == 302 and answer.headers["Location"].startswith("/login/")
    return to_login or answer.status_code in row.refusals


def _check_words(answers: dict[str, Any], asked: str, world: World) -> None:
    for who, answer in answers.items():
        # An answer may repeat what was asked for.
        betrayed = {
            word for word in world.words_hidden_from(who) if word in answer.words and word not in asked
        }
        assert not betrayed, f"{asked} tells {who} of {betrayed}"


def _call(name: str, who: str, arguments: list[object]) -> bool:
    """Whether the method does what it is for."""
    headers = {}
    if who != "anonymous":
        secret = Token.objects.issue(build.user(who))
        headers["Authorization"] = "Basic " + base64.b64encode(f"{who}:{secret}".encode()).decode()
    with build.rolled_back():
        answer = Client(headers=headers).post("/RPC2", dumps(tuple(arguments), name), content_type="text/xml")
    return not _is_refused_call(answer.content)


def _is_refused_call(reply: bytes) -> bool:
    try:
        loads(reply)
    except Fault as fault:
        return fault.faultCode in REFUSED
    return False
