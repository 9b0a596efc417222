"""Subscriptions by their name. What is told by them is in tests/events/subscriptions."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Scope, Token
from events import numbering
from events.models import Subscription
from events.subscriptions import lifecycle
from tests import build
from tests.api.conftest import Login
from tests.events.subscriptions.office import WANTED, forget, run_out, say

SUBSCRIPTIONS = "/api/v1/subscriptions/"
BRIDGE = f"{SUBSCRIPTIONS}bridge/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def bridge(alice: User) -> Subscription:
    return lifecycle.add(alice, "bridge", filter=WANTED)


def sequences(answer: Any) -> list[int]:
    return [int(event["sequence"]) for event in answer.json()["events"]]


def test_a_subscription_is_made_and_shown(alice: User, login: Login) -> None:
    client = login(alice)
    say("other")

    made = client.post(SUBSCRIPTIONS, {"name": "bridge", "filter": "job.#", "days": 3, "since": "oldest"})

    body = made.json()
    assert (made.status_code, made["Location"]) == (201, f"http://testserver{BRIDGE}")
    assert (body["name"], body["filter"], body["days"]) == ("bridge", "job.#", 3)
    assert (body["state"], body["reason"], body["sequence"], body["lag"]) == ("active", "", 0, 1)
    assert client.get(BRIDGE).json() == client.get(SUBSCRIPTIONS).json()["items"][0] == body
    assert "alice: bridge: Subscribed to job.#" in build.audit_trail()


@pytest.mark.parametrize(
    ("body", "field", "complaint"),
    [
        ({}, "name", "required"),
        ({"name": "my bridge"}, "name", "a letter or digit first"),
        ({"name": ".."}, "name", "a letter or digit first"),
        ({"name": 1}, "name", "valid string"),
        ({"name": "x" * 65}, "name", "64 characters"),
        ({"name": "bridge", "filter": "color=red"}, "filter", "there is no 'color'"),
        ({"name": "bridge", "filter": "job..#"}, "filter", "no topic"),
        ({"name": "bridge", "days": 0}, "days", "greater than or equal to 1"),
        ({"name": "bridge", "days": 366}, "days", "less than or equal to 365"),
        ({"name": "bridge", "since": "yesterday"}, "since", "expected the sequence of an event"),
        ({"name": "bridge", "since": -1}, "since", "expected the sequence of an event"),
        ({"name": "bridge", "since": True}, "since", "expected the sequence of an event"),
        ({"name": "bridge", "cursor": 1}, "cursor", "expected one of"),
    ],
)
def test_what_cannot_be_a_subscription_is_refused(
    alice: User, login: Login, body: dict[str, Any], field: str, complaint: str
) -> None:
    answer = login(alice).post(SUBSCRIPTIONS, body, format="json")

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert complaint in answer.json()["errors"][field][0]
    assert not Subscription.objects.exists()


def test_a_name_is_given_once_by_each_user(
    bridge: Subscription, alice: User, bob: User, login: Login
) -> None:
    answers = [login(user).post(SUBSCRIPTIONS, {"name": "bridge"}) for user in (alice, bob)]

    assert [answer.status_code for answer in answers] == [409, 201]
    assert "you have a subscription bridge already" in answers[0].json()["detail"].lower()


def test_nobody_has_more_than_the_lab_allows(
    bridge: Subscription, alice: User, login: Login, settings: Settings
) -> None:
    settings.SUBSCRIPTIONS_PER_PERSON = 1

    answer = login(alice).post(SUBSCRIPTIONS, {"name": "other"})

    assert answer.status_code == 409
    assert "delete one first" in answer.json()["detail"]


def test_what_is_fetched_is_acknowledged_by_sending_back_what_came_with_it(
    bridge: Subscription, alice: User, login: Login
) -> None:
    client = login(alice)
    numbers = [say("wanted") for _ in range(3)]

    first = client.post(f"{BRIDGE}fetch/", {"limit": 2}, format="json")
    again = client.post(f"{BRIDGE}fetch/", {"limit": 2}, format="json")
    shown = client.post(f"{BRIDGE}ack/", again.json()["ack"], format="json")
    rest = client.post(f"{BRIDGE}fetch/", format="json")

    assert sequences(first) == sequences(again) == numbers[:2]
    assert (shown.status_code, shown.json()["sequence"], shown.json()["lag"]) == (200, numbers[1], 1)
    assert sequences(rest) == numbers[2:]
    assert rest.json()["events"][0] == client.get(f"/api/v1/events/{numbers[2]}/").json()


def test_a_fetch_that_finds_nothing_has_nothing_to_acknowledge(
    bridge: Subscription, alice: User, login: Login
) -> None:
    last = say("other")

    body = login(alice).post(f"{BRIDGE}fetch/", format="json").json()

    assert (body["events"], body["ack"], body["sequence"], body["lag"]) == ([], None, last, 0)


def test_an_acknowledgement_by_who_was_overtaken_is_a_conflict(
    bridge: Subscription, alice: User, login: Login
) -> None:
    client = login(alice)
    number = say("wanted")
    overtaken = client.post(f"{BRIDGE}fetch/", format="json").json()["ack"]
    client.post(f"{BRIDGE}fetch/", format="json")

    answer = client.post(f"{BRIDGE}ack/", overtaken, format="json")

    assert answer.status_code == 409
    assert "fetch again" in answer.json()["detail"]
    assert sequences(client.post(f"{BRIDGE}fetch/", format="json")) == [number]


def test_an_acknowledgement_beyond_what_was_told_is_wrong(
    bridge: Subscription, alice: User, login: Login
) -> None:
    client = login(alice)
    number = say("wanted")
    ack = client.post(f"{BRIDGE}fetch/", format="json").json()["ack"]

    answer = client.post(f"{BRIDGE}ack/", ack | {"sequence": number + 1}, format="json")

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["sequence"])


def test_one_that_is_expired_says_when_and_why_and_is_renewed(
    bridge: Subscription, alice: User, login: Login
) -> None:
    client = login(alice)
    number = say("wanted")
    run_out(bridge)

    shown, refused = client.get(BRIDGE).json(), client.post(f"{BRIDGE}fetch/", format="json")
    renewed = client.post(f"{BRIDGE}renew/", {"since": refused.json()["sequence"]}, format="json")

    assert (shown["state"], shown["reason"]) == ("expired", "Nothing was fetched for 7 days.")
    assert (refused.status_code, refused["Content-Type"]) == (410, "application/problem+json")
    assert refused.json()["type"].endswith("#problem-subscription-expired")
    assert refused.json()["expired"].startswith(shown["expires"][:19])
    assert (renewed.status_code, renewed.json()["state"]) == (200, "active")
    assert sequences(client.post(f"{BRIDGE}fetch/", format="json")) == [number]
    assert f"alice: bridge: Began anew after event {number - 1}" in build.audit_trail()


def test_one_begins_anew_only_where_it_is_told_to(bridge: Subscription, alice: User, login: Login) -> None:
    number = say("wanted")
    client = login(alice)

    answer = client.post(f"{BRIDGE}renew/", format="json")

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["since"])
    assert sequences(client.post(f"{BRIDGE}fetch/", format="json")) == [number]


def test_events_that_are_gone_are_a_reset_that_leads_to_a_snapshot(
    bridge: Subscription, alice: User, login: Login
) -> None:
    client = login(alice)
    numbers = [say("wanted") for _ in range(3)]
    forget(at_most=1)

    refused = client.post(f"{BRIDGE}fetch/", format="json")

    assert refused.status_code == 410
    assert refused.json()["oldest_sequence"] == numbers[-1]
    taken = client.get(refused.json()["snapshot"]).json()["snapshot"]
    client.post(f"{BRIDGE}renew/", {"since": taken["as_of_sequence"]}, format="json")
    after = say("wanted")
    assert sequences(client.post(f"{BRIDGE}fetch/", format="json")) == [after]


def test_it_is_changed_in_part(bridge: Subscription, alice: User, login: Login) -> None:
    client = login(alice)

    changed = client.patch(BRIDGE, {"days": 30}).json()

    assert (changed["filter"], changed["days"]) == (WANTED, 30)
    assert changed["expires"] > client.get(BRIDGE).json()["created"]
    assert client.patch(BRIDGE, {"filter": "device.#"}).json()["filter"] == "device.#"
    assert build.audit_trail()[-2:] == ["alice: bridge: Changed: days", "alice: bridge: Changed: filter"]


def test_it_is_deleted(bridge: Subscription, alice: User, login: Login) -> None:
    client = login(alice)

    assert client.delete(BRIDGE).status_code == 204
    assert client.post(f"{BRIDGE}fetch/", format="json").status_code == 404
    assert "alice: bridge: Deleted the subscription bridge" in build.audit_trail()


def test_a_stranger_has_no_part_in_it(bridge: Subscription, mallory: User, login: Login) -> None:
    stranger = login(mallory)
    say("wanted")

    assert stranger.get(SUBSCRIPTIONS).json()["items"] == []
    assert stranger.get(BRIDGE).status_code == 404
    assert stranger.post(f"{BRIDGE}fetch/", format="json").status_code == 404
    assert stranger.post(f"{BRIDGE}ack/", {"sequence": 1, "generation": 1}, format="json").status_code == 404
    assert stranger.post(f"{BRIDGE}renew/", format="json").status_code == 404
    assert stranger.delete(BRIDGE).status_code == 404


@pytest.mark.parametrize(
    ("method", "rest", "status"),
    [
        ("get", "", 200),
        ("post", "fetch/", 200),
        ("post", "ack/", 200),
        ("post", "renew/", 403),
        ("patch", "", 403),
        ("delete", "", 403),
    ],
)
def test_a_token_to_read_fetches_and_acknowledges_and_changes_nothing_else(
    bridge: Subscription, alice: User, login: Login, method: str, rest: str, status: int
) -> None:
    client = login(alice)
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.issue(alice, scope=Scope.READ)}")
    body = {"sequence": 0, "generation": 0} if rest == "ack/" else {}

    assert getattr(client, method)(f"{BRIDGE}{rest}", body, format="json").status_code == status


@pytest.mark.parametrize("end", ["token revoked", "user deactivated"])
def test_who_may_not_come_in_any_more_is_told_nothing(
    end: str, bridge: Subscription, alice: User, login: Login
) -> None:
    client = login(alice)
    say("wanted")

    if end == "token revoked":
        Token.objects.all().delete()
    else:
        User.objects.filter(pk=alice.pk).update(is_active=False)

    assert client.post(f"{BRIDGE}fetch/", format="json").status_code == 401


def test_a_fetch_asks_as_often_for_many_events_as_for_few(
    bridge: Subscription, alice: User, login: Login, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = login(alice)
    for _ in range(50):
        say("wanted")

    with django_assert_max_num_queries(20):
        assert len(sequences(client.post(f"{BRIDGE}fetch/", format="json"))) == 50


def test_the_list_asks_once_how_far_the_lab_is(
    alice: User, login: Login, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(10):
        lifecycle.add(alice, f"bridge-{number}")
    say("other")
    client = login(alice)

    with django_assert_max_num_queries(8):
        assert {each["lag"] for each in client.get(SUBSCRIPTIONS).json()["items"]} == {1}
    assert numbering.last_number() == 1
