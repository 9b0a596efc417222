"""The admin site as a whole: every page of every model, and what its forms let nobody write."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from accounts.models import RemoteToken, Token
from devices.models import Alias, DeviceRight, DeviceTypeRight, Right, Tag
from events.subscriptions import lifecycle as subscriptions
from events.webhooks import lifecycle as webhooks
from jobs.states import State
from lava_lite.admin_site import SECTIONS
from tests import build

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
# Written by the verbs and by the lab alone. A new one may be given a name, and a device a first health.
GUARDED = {
    "auth.User": {"username", "is_active", "last_login", "date_joined"},
    "accounts.RemoteToken": {"user", "name", "secret"},
    "accounts.Token": {"user", "digest", "created", "last_used"},
    "devices.Device": {"name", "state", "health", "health_reason", "health_by", "health_since", "last_used"},
    "devices.DeviceType": {"name"},
    "devices.Alias": {"name"},
    "devices.Tag": {"name"},
    "devices.Worker": {"name", "state", "health", "version", "last_ping", "token_digest"},
    "devices.DeviceRight": {"group", "device"},
    "devices.DeviceTypeRight": {"group", "device_type"},
    "auth.Group": set(),
}
FREE_WHEN_NEW = {"name", "username", "user", "group", "device", "device_type", "secret"}
READ_ONLY = {
    "admin.LogEntry",
    "devices.HealthChange",
    "events.Event",
    "events.Subscription",
    "events.Webhook",
    "jobs.Attempt",
    "jobs.Job",
}


@pytest.fixture
def site(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def full(site: Client, alice: User) -> Client:
    """At least one row of everything."""
    device = build.job(submitter=alice, state=State.FINISHED).device
    assert device is not None
    build.job(submitter=alice, state=State.RUNNING)
    group = build.group()
    Alias.objects.create(name="x86", device_type=device.device_type)
    DeviceRight.objects.create(group=group, device=device, right=Right.VIEW)
    DeviceTypeRight.objects.create(group=group, device_type=device.device_type, right=Right.CHANGE)
    Token.objects.issue(alice, description="laptop")
    RemoteToken.objects.create(user=alice, name="store", secret="hush")
    build.tag("usb")
    webhooks.add(alice, address="http://127.0.0.1:9/")
    subscriptions.add(alice, "bridge")
    act = {"action": "maintenance", "_selected_action": [device.pk], "confirmed": "yes"}
    site.post(reverse("admin:devices_device_changelist"), act)
    return site


def address(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def fields_of(answer: Any) -> set[str]:
    """All that the form of a page would write."""
    return set(answer.context["adminform"].form.fields)


def test_every_model_has_its_place_on_the_first_page() -> None:
    shown = {entry.model for entries in SECTIONS.values() for entry in entries}

    assert shown == {model._meta.label for model in MODELS}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_page_of_a_model_opens_and_no_form_writes_what_is_guarded(full: Client, model: Any) -> None:
    label = model._meta.label
    row = model._default_manager.first()

    answers = [full.get(address(model, "changelist")), full.get(address(model, "change", row.pk))]
    new = full.get(address(model, "add"))

    assert [answer.status_code for answer in answers] == [200, 200]
    if label in READ_ONLY:
        assert new.status_code == 403
        assert fields_of(answers[1]) == set()
        return
    assert new.status_code == 200
    assert fields_of(answers[1]) & GUARDED[label] == set()
    assert fields_of(new) & GUARDED[label] <= FREE_WHEN_NEW | (
        {"health"} if label == "devices.Device" else set()
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_can_be_searched_for_anything(full: Client, model: Any) -> None:
    for words in ("qemu01", "1", "99999999999999999999", "%_'\"", "ü\N{RIGHT-TO-LEFT OVERRIDE}", "job:1 x"):
        answer = full.get(address(model, "changelist"), {"q": words})

        assert answer.status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_names_its_filters_and_each_can_be_chosen(full: Client, model: Any) -> None:
    page = full.get(address(model, "changelist"))

    for shown in page.context["cl"].filter_specs:
        for choice in shown.choices(page.context["cl"]):
            answer = full.get(address(model, "changelist") + choice["query_string"])
            assert answer.status_code == 200, choice


@pytest.mark.parametrize("path", ["nowhere", "99999999999999999999999", "%00", "a/b", "_3A"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_row_that_is_not_there_is_never_an_error_of_the_server(full: Client, model: Any, path: str) -> None:
    answer = full.get(f"{address(model, 'changelist')}{path}/change/")

    assert answer.status_code in (302, 404)


def test_the_first_page_tells_what_each_thing_is_for(full: Client) -> None:
    page = full.get(reverse("admin:index")).content.decode()

    for title, entries in SECTIONS.items():
        assert f">{title}</h2>" in page
        assert all(entry.purpose.replace("'", "&#x27;") in page for entry in entries)
    assert "Audit trail" in page
    assert "Maintenance: no reason given" in page


def test_staff_see_on_the_first_page_only_what_they_may_open(client: Client, mallory: User) -> None:
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.add(Permission.objects.get(codename="view_tag"))
    client.force_login(mallory)

    page = client.get(reverse("admin:index"))

    assert [section["name"] for section in page.context["app_list"]] == ["Devices"]
    assert [model["object_name"] for model in page.context["app_list"][0]["models"]] == ["Tag"]


def test_staff_without_any_permission_read_what_to_do(client: Client, mallory: User) -> None:
    mallory.is_staff = True
    mallory.save()
    client.force_login(mallory)

    assert "Ask a superuser" in client.get(reverse("admin:index")).content.decode()


def test_who_is_no_staff_is_asked_to_log_in(client: Client, mallory: User) -> None:
    client.force_login(mallory)

    for model in MODELS:
        assert client.get(address(model, "changelist")).status_code == 302


def test_the_last_page_of_a_list_has_its_last_rows(client: Client, admin: User) -> None:
    Tag.objects.bulk_create(Tag(name=f"tag-{number:03}") for number in range(103))
    client.force_login(admin)

    pages = [client.get(f"/admin/devices/tag/?p={page}").context["cl"].result_list for page in (1, 2, 3)]

    assert [tag.name for page in pages for tag in page] == [f"tag-{number:03}" for number in range(103)]


def test_each_row_has_a_box_to_choose_it_by(client: Client, admin: User) -> None:
    build.device("qemu01")
    client.force_login(admin)

    text = client.get("/admin/devices/device/").content.decode()

    assert 'name="_selected_action" value="qemu01" class="action-select" aria-label="Choose qemu01"' in text
