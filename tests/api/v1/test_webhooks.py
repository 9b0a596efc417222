"""Webhooks by their address, filter and log. What is sent is in tests/events/webhooks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connections
from pytest_django import Settings

from accounts.models import Scope, Token
from events import retention
from events.models import Delivery, Event, Webhook
from events.webhooks import lifecycle
from events.webhooks.models import WebhookState
from tests import build
from tests.api.conftest import Login
from tests.events.webhooks.endpoint import Answer, Endpoint, listening, signatures_by
from tests.events.webhooks.office import refused
from tests.lab import eventually

WEBHOOKS = "/api/v1/webhooks/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(settings: Settings) -> Iterator[Endpoint]:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with listening() as found:
        yield found


@pytest.fixture
def webhook(endpoint: Endpoint, alice: User) -> Webhook:
    return lifecycle.add(alice, address=endpoint.address, description="CI")


def at(webhook: Webhook, rest: str = "") -> str:
    return f"{WEBHOOKS}{webhook.uuid}/{rest}"


def test_a_webhook_is_made_and_its_secret_shown(endpoint: Endpoint, alice: User, login: Login) -> None:
    client = login(alice)

    made = client.post(WEBHOOKS, {"address": endpoint.address, "filter": "job.#", "description": "CI"})

    webhook = Webhook.objects.get()
    body = made.json()
    assert made.status_code == 201
    assert made["Location"].endswith(f"{WEBHOOKS}{webhook.uuid}/")
    assert (body["address"], body["filter"], body["state"]) == (endpoint.address, "job.#", "active")
    assert body["secret"] == webhook.secret
    assert UUID(body["uuid"]) == webhook.uuid
    assert "secret" not in client.get(WEBHOOKS).json()["items"][0]
    assert "secret" not in client.get(at(webhook)).json()
    assert "alice: CI: Webhook to 127.0.0.1" in build.audit_trail()


@pytest.mark.parametrize(
    ("body", "field", "complaint"),
    [
        ({}, "address", "required"),
        ({"address": "ftp://ci.example.org/"}, "address", "expected an address such as"),
        ({"address": "http://10.0.0.1/"}, "address", "WEBHOOK_ALLOWED_NETWORKS"),
        ({"address": "http://alice:x@127.0.0.1/"}, "address", "leave the name and password out"),
        ({"address": "http://127.0.0.1/", "filter": "color=red"}, "filter", "there is no 'color'"),
        ({"address": "http://127.0.0.1/", "filter": "job..#"}, "filter", "no topic"),
        ({"address": "http://127.0.0.1/", "description": "x" * 201}, "description", "200 characters"),
        ({"address": "http://127.0.0.1/", "secret": "mine"}, "secret", "expected one of"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused(
    endpoint: Endpoint, alice: User, login: Login, body: dict[str, str], field: str, complaint: str
) -> None:
    answer = login(alice).post(WEBHOOKS, body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert complaint in answer.json()["errors"][field][0]
    assert not Webhook.objects.exists()


def test_nobody_has_more_than_the_lab_allows(
    webhook: Webhook, endpoint: Endpoint, alice: User, login: Login, settings: Settings
) -> None:
    settings.WEBHOOKS_PER_PERSON = 1

    answer = login(alice).post(WEBHOOKS, {"address": endpoint.address})

    assert answer.status_code == 409
    assert "delete one first" in answer.json()["detail"]


def test_a_webhook_is_changed_in_part(
    webhook: Webhook, endpoint: Endpoint, alice: User, login: Login
) -> None:
    answer = login(alice).patch(at(webhook), {"filter": "device.#"})

    webhook.refresh_from_db()
    assert (answer.status_code, answer.json()["filter"]) == (200, "device.#")
    assert (webhook.filter, webhook.address) == ("device.#", endpoint.address)
    assert "alice: CI: Changed: filter" in build.audit_trail()


def test_it_is_paused_and_resumed(webhook: Webhook, alice: User, login: Login) -> None:
    client = login(alice)

    assert client.patch(at(webhook), {"state": "paused"}).json()["state"] == "paused"
    assert client.patch(at(webhook), {"state": "active"}).json()["state"] == "active"
    assert client.patch(at(webhook), {"state": "disabled"}).status_code == 400
    assert build.audit_trail()[-2:] == ["alice: CI: Paused", "alice: CI: Resumed"]


def test_why_it_is_disabled_is_told_and_its_user_switches_it_on_again(
    webhook: Webhook, alice: User, admin: User, login: Login
) -> None:
    lifecycle.disable([webhook], by=admin, reason="it floods the log")
    client = login(alice)

    shown = client.get(at(webhook)).json()
    again = client.patch(at(webhook), {"state": "active"}).json()

    assert (shown["state"], shown["reason"]) == ("disabled", "Disabled by admin: it floods the log")
    assert (again["state"], again["reason"]) == ("active", "")


def test_the_secret_is_shown_again_and_renewed(webhook: Webhook, alice: User, login: Login) -> None:
    client = login(alice)
    old = client.get(at(webhook, "secret/")).json()["secret"]

    new = client.post(at(webhook, "secret/")).json()["secret"]

    assert old == webhook.secret != new
    assert client.get(at(webhook, "secret/")).json()["secret"] == new
    assert "alice: CI: New secret" in build.audit_trail()


def test_a_ping_says_at_once_what_came_back(
    webhook: Webhook, endpoint: Endpoint, alice: User, login: Login
) -> None:
    endpoint.answer = Answer(status=200, body=b"hello")

    told = login(alice).post(at(webhook, "test/")).json()

    (request,) = endpoint.requests
    assert request.type == "lava_lite.webhook.ping"
    assert request.headers["webhook-signature"] == signatures_by(webhook.secret, request)
    assert (told["outcome"], told["status"], told["answer"]) == ("delivered", 200, "hello")
    assert (told["message_id"], told["by_hand"], told["sequence"]) == (request.id, True, None)


def test_a_ping_that_fails_changes_nothing_but_the_log(
    webhook: Webhook, endpoint: Endpoint, alice: User, login: Login
) -> None:
    endpoint.answer = Answer(status=500)
    client = login(alice)

    told = client.post(at(webhook, "test/")).json()

    assert (told["outcome"], told["status"]) == ("failed", 500)
    assert client.get(at(webhook)).json()["failing_since"] is None
    assert len(client.get(at(webhook, "deliveries/")).json()["items"]) == 1


def test_an_event_is_sent_again_with_the_same_id(
    webhook: Webhook, endpoint: Endpoint, alice: User, login: Login
) -> None:
    build.device()
    delivery = refused(webhook, type="device.added")
    before = Webhook.objects.get().sequence

    told = login(alice).post(at(webhook, f"deliveries/{delivery.pk}/resend/")).json()

    (request,) = endpoint.requests
    assert request.id == str(Event.objects.get(type="device.added").uid)
    assert (told["outcome"], told["number"], told["by_hand"]) == ("delivered", 2, True)
    assert Webhook.objects.get().sequence == before


def test_what_is_not_kept_or_not_seen_any_more_is_not_sent_again(
    endpoint: Endpoint, alice: User, bob: User, login: Login
) -> None:
    webhook = lifecycle.add(bob, address=endpoint.address)
    build.job(submitter=alice, visibility={"group": ["kernel"]})
    build.device("qemu02")
    hidden = refused(webhook, type="job.submitted")
    gone = refused(webhook, type="device.added", subject="qemu02")
    retention.clear(Event.objects.filter(subject="qemu02"))
    bob.groups.clear()
    client = login(bob)

    answers = [client.post(at(webhook, f"deliveries/{each.pk}/resend/")) for each in (hidden, gone)]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert endpoint.requests == []


@pytest.mark.django_db(transaction=True)
def test_slow_endpoints_do_not_take_all_threads_of_the_lab(
    endpoint: Endpoint, alice: User, login: Login
) -> None:
    webhook = lifecycle.add(alice, address=endpoint.address)
    release = threading.Event()
    endpoint.answer = Answer(wait=release)
    client = login(alice)
    threads = [threading.Thread(target=_ping, args=(webhook, alice)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(endpoint.requests) == 2)

    answer = client.post(at(webhook, "test/"))

    release.set()
    for thread in threads:
        thread.join(20)
    assert answer.status_code == 409
    assert "try again in some seconds" in answer.json()["detail"]


def test_the_log_is_found_by_outcome(webhook: Webhook, alice: User, login: Login) -> None:
    build.device()
    refused(webhook, type="device.added")
    client = login(alice)
    client.post(at(webhook, "test/"))

    found = client.get(at(webhook, "deliveries/?outcome=rejected")).json()["items"]

    assert [(each["type"], each["about"], each["status"]) for each in found] == [
        ("device.added", "qemu01", 404)
    ]


def test_a_webhook_is_deleted_with_its_log(webhook: Webhook, alice: User, login: Login) -> None:
    client = login(alice)
    client.post(at(webhook, "test/"))

    assert client.delete(at(webhook)).status_code == 204

    assert not Webhook.objects.exists()
    assert not Delivery.objects.exists()
    assert "alice: CI: Deleted the webhook to 127.0.0.1" in build.audit_trail()


def test_a_stranger_has_no_part_in_it(webhook: Webhook, mallory: User, login: Login) -> None:
    stranger = login(mallory)

    assert stranger.get(WEBHOOKS).json()["items"] == []
    assert stranger.get(at(webhook)).status_code == 404
    assert stranger.get(at(webhook, "secret/")).status_code == 404
    assert stranger.post(at(webhook, "test/")).status_code == 404
    assert stranger.delete(at(webhook)).status_code == 404
    assert Webhook.objects.get().state == WebhookState.ACTIVE


@pytest.mark.parametrize(
    ("method", "rest", "status"),
    [("get", "", 200), ("get", "deliveries/", 200), ("get", "secret/", 403), ("patch", "", 403)],
)
def test_a_token_to_read_sees_the_log_and_not_the_secret(
    webhook: Webhook, alice: User, login: Login, method: str, rest: str, status: int
) -> None:
    client = login(alice)
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.issue(alice, scope=Scope.READ)}")

    assert getattr(client, method)(at(webhook, rest)).status_code == status


def _ping(webhook: Webhook, by: User) -> None:
    try:
        lifecycle.ping(webhook, by=by)
    finally:
        connections.close_all()
