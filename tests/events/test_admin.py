"""Events in the admin site."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from events.models import Event, Subscription
from events.subscriptions import lifecycle as subscriptions
from events.webhooks import lifecycle
from tests import build

LIST = reverse("admin:events_event_changelist")
WEBHOOKS = reverse("admin:events_webhook_changelist")
SUBSCRIPTIONS = reverse("admin:events_subscription_changelist")


def test_an_event_shows_its_payload(client: Client, admin: User) -> None:
    build.device("qemu01")
    event = Event.objects.get(type="device.added")
    client.force_login(admin)

    page = client.get(reverse("admin:events_event_change", args=[event.pk])).content.decode()

    assert "&quot;device&quot;: &quot;qemu01&quot;" in page


def test_nobody_adds_changes_or_deletes_an_event(client: Client, admin: User) -> None:
    build.device("qemu01")
    event = Event.objects.get(type="device.added")
    client.force_login(admin)

    answers = [
        client.post(reverse("admin:events_event_add"), {"type": "x"}),
        client.post(reverse("admin:events_event_change", args=[event.pk]), {"type": "x"}),
        client.post(reverse("admin:events_event_delete", args=[event.pk]), {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert Event.objects.get(pk=event.pk).type == "device.added"


def test_the_list_can_be_narrowed_to_one_type(client: Client, admin: User) -> None:
    build.device("qemu01")
    build.job()
    client.force_login(admin)

    answer = client.get(LIST, {"type": "job.submitted"})

    assert [event.type for event in answer.context["cl"].result_list] == ["job.submitted"]


def test_a_choice_is_made_from_the_newest_events_and_says_so(
    client: Client, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.admin.LOOKED_THROUGH", 2)
    for number in range(3):
        build.device(f"qemu{number:02}")
    client.force_login(admin)

    whole, chosen = client.get(LIST), client.get(LIST, {"type": "device.added"})

    assert whole.context["cl"].result_count == Event.objects.count()
    assert [event.subject for event in chosen.context["cl"].result_list] == ["qemu02", "qemu01"]
    assert "Chosen from the newest 2 events" in chosen.content.decode()


def test_the_list_of_events_takes_a_fixed_number_of_queries(
    client: Client, admin: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        build.device(f"qemu{number:02}")
    client.force_login(admin)

    with django_assert_max_num_queries(5):
        assert client.get(LIST).status_code == 200


def test_events_are_for_superusers_as_hidden_subjects_are_among_them(client: Client, mallory: User) -> None:
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.add(Permission.objects.get(codename="view_event"))
    client.force_login(mallory)

    assert client.get(LIST).status_code == 403


def test_an_administrator_disables_a_webhook_and_its_user_learns_why(
    client: Client, admin: User, alice: User, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    webhook = lifecycle.add(alice, address="http://127.0.0.1:9/", description="CI")
    client.force_login(admin)
    deed = {"action": "disable", "_selected_action": [webhook.pk]}

    asked = client.post(WEBHOOKS, deed)
    assert "Disable webhooks?" in asked.content.decode()
    client.post(WEBHOOKS, {**deed, "confirmed": "yes", "reason": "it floods the log"})

    webhook.refresh_from_db()
    assert (webhook.state, webhook.reason) == ("disabled", "Disabled by admin: it floods the log")
    assert "admin: CI: Disabled: it floods the log" in build.audit_trail()


def test_an_administrator_is_not_shown_the_secret_of_a_webhook(
    client: Client, admin: User, alice: User
) -> None:
    webhook = lifecycle.add(alice, address="http://127.0.0.1:9/")
    client.force_login(admin)

    page = client.get(reverse("admin:events_webhook_change", args=[webhook.pk])).content.decode()

    assert "http://127.0.0.1:9/" in page
    assert "whsec_" not in page


def test_an_administrator_ends_a_subscription_and_its_user_learns_why(
    client: Client, admin: User, alice: User
) -> None:
    bridge = subscriptions.add(alice, "bridge")
    client.force_login(admin)
    deed = {"action": "end", "_selected_action": [bridge.pk]}

    asked = client.post(SUBSCRIPTIONS, deed)
    assert "End subscriptions?" in asked.content.decode()
    client.post(SUBSCRIPTIONS, {**deed, "confirmed": "yes", "reason": "the bridge is gone"})

    bridge.refresh_from_db()
    assert (bridge.state, bridge.why) == ("expired", "Ended by admin: the bridge is gone")
    assert "admin: bridge: Ended: the bridge is gone" in build.audit_trail()


def test_the_subscriptions_are_found_by_state(client: Client, admin: User, alice: User) -> None:
    subscriptions.expire([subscriptions.add(alice, "old")], by=admin, reason="")
    subscriptions.add(alice, "bridge")
    client.force_login(admin)

    found = {
        state: [each.name for each in client.get(SUBSCRIPTIONS, query).context["cl"].result_list]
        for state, query in (("any", {}), *((word, {"state": word}) for word in ("active", "expired")))
    }

    assert found == {"any": ["bridge", "old"], "active": ["bridge"], "expired": ["old"]}


def test_an_administrator_deletes_a_subscription(client: Client, admin: User, alice: User) -> None:
    bridge = subscriptions.add(alice, "bridge")
    client.force_login(admin)

    client.post(reverse("admin:events_subscription_delete", args=[bridge.pk]), {"post": "yes"})

    assert not Subscription.objects.exists()
