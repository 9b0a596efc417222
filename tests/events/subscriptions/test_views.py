"""The page of a user's subscriptions. What is told by them is in test_delivery."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from events.models import Subscription
from events.subscriptions import lifecycle
from tests.events.subscriptions.office import WANTED, fetched, forget, run_out, say

pytestmark = pytest.mark.django_db

PAGE = "/account/subscriptions/"
FIELDS = {"name": "bridge", "filter": "job.#", "days": "7", "since": "now"}


@pytest.fixture
def alices(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def bridge(alice: User) -> Subscription:
    return lifecycle.add(alice, "bridge", filter=WANTED)


def page(client: Client, address: str = PAGE, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    return answer.content.decode()


def test_a_subscription_is_made(alices: Client) -> None:
    html = alices.post(PAGE, FIELDS, follow=True).content.decode()

    made = Subscription.objects.get()
    assert (made.name, made.filter, made.days, made.user.username) == ("bridge", "job.#", 7, "alice")
    assert "Subscribed: bridge." in html


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"name": "my bridge"}, "Letters, digits"),
        ({"filter": "color=red"}, "there is no &#x27;color&#x27;"),
        ({"days": "0"}, "greater than or equal to 1"),
        ({"since": "yesterday"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_a_subscription_is_not_made(
    alices: Client, fields: dict[str, str], complaint: str
) -> None:
    answer = alices.post(PAGE, FIELDS | fields)

    assert answer.status_code == 400
    assert complaint in answer.content.decode()
    assert not Subscription.objects.exists()


def test_one_too_many_is_not_made(alices: Client, bridge: Subscription, settings: Settings) -> None:
    settings.SUBSCRIPTIONS_PER_PERSON = 1

    answer = alices.post(PAGE, FIELDS | {"name": "other"})

    assert answer.status_code == 400
    assert "You have 1 subscriptions, as many as one person may have; delete one first." in (
        answer.content.decode()
    )


def test_the_page_shows_how_far_each_has_got(alices: Client, bridge: Subscription) -> None:
    assert "fetched </span>never" in page(alices)
    say("wanted")
    say("other")
    fetched(bridge)

    html = page(alices)

    assert "behind by </span>2<" in html
    assert "fetched </span>never" not in html
    assert "Active" in html


def test_one_that_is_in_use_has_no_button_that_would_skip_something(
    alices: Client, bridge: Subscription
) -> None:
    say("wanted")

    assert 'name="since" value=' not in page(alices)


@pytest.mark.parametrize(("since", "told"), [("here", [2]), ("oldest", [1, 2]), ("now", [])])
def test_one_that_is_expired_is_shown_with_the_reason_and_begins_anew(
    since: str, told: list[int], alices: Client, alice: User
) -> None:
    assert say("wanted") == 1
    bridge = lifecycle.add(alice, "bridge", filter=WANTED)
    say("wanted")
    run_out(bridge)

    html = page(alices)
    assert "Expired" in html
    assert "Nothing was fetched for 7 days." in html
    assert f'name="since" value="{since}"' in html
    alices.post(f"{PAGE}bridge/renew/", {"since": since})

    assert fetched(bridge) == told


def test_one_whose_events_are_gone_says_so_and_cannot_go_on_where_it_was(
    alices: Client, bridge: Subscription
) -> None:
    numbers = [say("wanted") for _ in range(3)]
    forget(at_most=1)

    html = page(alices)
    refused = alices.post(f"{PAGE}bridge/renew/", {"since": "here"}, follow=True).content.decode()
    alices.post(f"{PAGE}bridge/renew/", {"since": "oldest"})

    assert "Some of what it has not told is not kept any more." in html
    assert 'value="here"' not in html
    assert "Nothing was changed. Events cannot be told after 0" in refused
    assert fetched(bridge) == numbers[-1:]


def test_it_does_not_begin_anew_where_nobody_said(alices: Client, bridge: Subscription) -> None:
    before = Subscription.objects.get().generation

    html = alices.post(f"{PAGE}bridge/renew/", {"since": "yesterday"}, follow=True).content.decode()

    assert "Nothing was changed" in html
    assert Subscription.objects.get().generation == before


def test_it_is_deleted_by_who_has_been_asked(alices: Client, bridge: Subscription) -> None:
    assert "Delete this subscription?" in page(alices, f"{PAGE}bridge/delete/")
    assert Subscription.objects.exists()

    alices.post(f"{PAGE}bridge/delete/")

    assert not Subscription.objects.exists()


def test_a_stranger_finds_nothing_of_it(client: Client, bridge: Subscription, mallory: User) -> None:
    client.force_login(mallory)

    assert "You have no subscription." in page(client)
    assert page(client, f"{PAGE}bridge/delete/", 404)
    assert client.post(f"{PAGE}bridge/renew/", {"since": "now"}).status_code == 404
    assert client.post(f"{PAGE}bridge/delete/").status_code == 404


def test_the_page_takes_a_fixed_number_of_queries(
    alices: Client, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(15):
        lifecycle.add(alice, f"bridge-{number}")

    with django_assert_max_num_queries(6):
        page(alices)


def test_the_account_leads_to_it(alices: Client) -> None:
    assert f'href="{PAGE}"' in page(alices, "/account/")
