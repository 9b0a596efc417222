"""The pages of a user's webhooks. What is sent is in test_sender."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from events.models import Delivery, Webhook
from events.webhooks import lifecycle
from tests import build
from tests.events.webhooks.endpoint import Answer, Endpoint
from tests.events.webhooks.office import refused

pytestmark = pytest.mark.django_db

PAGE = "/account/webhooks/"


@pytest.fixture
def alices(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def webhook(endpoint: Endpoint, alice: User) -> Webhook:
    return lifecycle.add(alice, address=endpoint.address, filter="job.#", description="CI")


def at(webhook: Webhook, rest: str = "") -> str:
    return f"{PAGE}{webhook.uuid}/{rest}"


def page(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    return answer.content.decode()


def secret_on(html: str) -> str:
    found = re.search(r'id="secret"[^>]*>([^<]+)<', html)
    assert found is not None
    return found[1]


def test_a_webhook_is_made_and_its_secret_is_shown_in_the_answer(alices: Client, endpoint: Endpoint) -> None:
    answer = alices.post(PAGE, {"address": endpoint.address, "filter": "job.#", "description": "CI"})

    webhook = Webhook.objects.get()
    assert answer.status_code == 200
    assert secret_on(answer.content.decode()) == webhook.secret
    assert "no-store" in answer.headers["Cache-Control"]
    assert webhook.secret not in page(alices, at(webhook))
    assert "CI" in page(alices, PAGE)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"address": ""}, "This field is required"),
        ({"address": "http://10.0.0.1/"}, "WEBHOOK_ALLOWED_NETWORKS"),
        ({"filter": "color=red"}, "there is no &#x27;color&#x27;"),
        ({"description": "x" * 201}, "at most 200 characters"),
    ],
)
def test_what_cannot_be_a_webhook_is_not_made(
    alices: Client, endpoint: Endpoint, fields: dict[str, str], complaint: str
) -> None:
    answer = alices.post(PAGE, {"address": endpoint.address, **fields})

    assert answer.status_code == 400
    assert complaint in answer.content.decode()
    assert not Webhook.objects.exists()


def test_one_too_many_is_not_made(
    alices: Client, webhook: Webhook, endpoint: Endpoint, settings: Settings
) -> None:
    settings.WEBHOOKS_PER_PERSON = 1

    answer = alices.post(PAGE, {"address": endpoint.address})

    assert answer.status_code == 400
    assert "You have 1 webhooks, as many as one person may have; delete one first." in answer.content.decode()


def test_the_page_shows_why_something_did_not_arrive(
    alices: Client, webhook: Webhook, endpoint: Endpoint
) -> None:
    endpoint.answer = Answer(status=500, body=b"<b>no disk</b>")

    answer = alices.post(at(webhook, "test/"), follow=True)

    html = answer.content.decode()
    assert "It did not arrive. It answered 500." in html
    assert "webhook.ping" in html
    assert "&lt;b&gt;no disk&lt;/b&gt;" in html


def test_an_event_is_sent_again_from_the_log(alices: Client, webhook: Webhook, endpoint: Endpoint) -> None:
    build.device()
    delivery = refused(webhook, type="device.added")
    assert "Rejected" in page(alices, at(webhook))

    answer = alices.post(at(webhook, f"deliveries/{delivery.pk}/resend/"), follow=True)

    assert "Sent; it answered 204." in answer.content.decode()
    assert [request.id for request in endpoint.requests] == [str(delivery.message_id)]


def test_what_cannot_be_sent_again_says_why(alices: Client, webhook: Webhook, endpoint: Endpoint) -> None:
    ping = lifecycle.ping(webhook, by=webhook.user)

    answer = alices.post(at(webhook, f"deliveries/{ping.pk}/resend/"), follow=True)

    assert "Nothing was sent: only events are sent again" in answer.content.decode()
    assert len(endpoint.requests) == 1


def test_it_is_paused_and_resumed(alices: Client, webhook: Webhook) -> None:
    paused = alices.post(at(webhook, "pause/"), follow=True).content.decode()
    resumed = alices.post(at(webhook, "resume/"), follow=True).content.decode()

    assert "Paused. What happens meanwhile is sent when you resume it." in paused
    assert "Resumed. It goes on from where it stopped." in resumed
    assert build.audit_trail()[-2:] == ["alice: CI: Paused", "alice: CI: Resumed"]


def test_who_disabled_it_and_why_is_shown(alices: Client, webhook: Webhook, admin: User) -> None:
    lifecycle.disable([webhook], by=admin, reason="it floods the log")

    html = page(alices, at(webhook))

    assert "Disabled by admin: it floods the log" in html
    assert "it floods the log" in page(alices, PAGE)


def test_it_is_changed(alices: Client, webhook: Webhook, endpoint: Endpoint) -> None:
    assert 'value="job.#"' in page(alices, at(webhook, "change/"))

    alices.post(at(webhook, "change/"), {"address": endpoint.address, "filter": "device.#"})

    webhook.refresh_from_db()
    assert (webhook.filter, webhook.description) == ("device.#", "")


def test_a_wrong_change_changes_nothing(alices: Client, webhook: Webhook) -> None:
    answer = alices.post(at(webhook, "change/"), {"address": "http://10.0.0.1/"})

    webhook.refresh_from_db()
    assert answer.status_code == 400
    assert webhook.filter == "job.#"


def test_the_secret_is_shown_when_asked_for_and_renewed(alices: Client, webhook: Webhook) -> None:
    shown = alices.post(at(webhook, "secret/"))
    renewed = alices.post(at(webhook, "new-secret/"))

    assert secret_on(shown.content.decode()) == webhook.secret
    assert secret_on(renewed.content.decode()) == Webhook.objects.get().secret != webhook.secret
    assert "no-store" in shown.headers["Cache-Control"]
    assert "For a day everything is signed with the old one as well." in renewed.content.decode()
    assert alices.get(at(webhook, "secret/")).status_code == 405


def test_it_is_deleted_after_a_question(alices: Client, webhook: Webhook) -> None:
    assert "Delete this webhook?" in page(alices, at(webhook, "delete/"))

    answer = alices.post(at(webhook, "delete/"), follow=True)

    assert "Deleted: CI. Nothing is sent there any more." in answer.content.decode()
    assert not Webhook.objects.exists()


def test_a_stranger_finds_nothing(client: Client, webhook: Webhook, mallory: User) -> None:
    client.force_login(mallory)

    assert str(webhook.uuid) not in page(client, PAGE)
    page(client, at(webhook), status=404)
    assert client.post(at(webhook, "secret/")).status_code == 404
    page(client, f"{PAGE}{uuid4()}/", status=404)


def test_a_long_log_comes_in_pages_with_a_fixed_number_of_queries(
    alices: Client, webhook: Webhook, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    first = lifecycle.ping(webhook, by=webhook.user)
    copies = [
        Delivery(
            webhook=webhook,
            message_id=first.message_id,
            type=f"test.number{number}",
            number=1,
            time=first.time,
            duration=first.duration,
            outcome="failed",
        )
        for number in range(60)
    ]
    Delivery.objects.bulk_create(copies)

    with django_assert_max_num_queries(6):
        html = page(alices, at(webhook))

    assert "test.number59" in html
    older = re.search(r'rel="next" href="([^"]+)"', html)
    assert older is not None
    assert "test.number0 " in page(alices, at(webhook, older[1].replace("&amp;", "&")))


def test_the_account_leads_to_its_webhooks(alices: Client) -> None:
    assert f'href="{PAGE}"' in page(alices, "/account/")
