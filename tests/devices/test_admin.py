"""Devices, types, workers and tags in the admin site."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.admin_base import MOST_AT_ONCE
from devices.models import Alias, Device, DeviceRight, DeviceType, DeviceTypeRight, Right, Tag, Worker
from devices.states import DeviceHealth, WorkerHealth
from events.models import Event
from jobs.states import State
from tests import build
from tests.build import events_of

LIST = reverse("admin:devices_device_changelist")
WORKERS = reverse("admin:devices_worker_changelist")

# What a form of a device holds when nothing was changed in it.
NO_RIGHTS = {"rights-TOTAL_FORMS": "0", "rights-INITIAL_FORMS": "0"}
FORM = {"device_type": "qemu", "worker": "worker01", "description": "", "dictionary": "", **NO_RIGHTS}

RETRY = {"retry_attempts": "3", "retry_delay": "90", "retry_backoff": "2", "retry_max_delay": "1:00:00"}
CHECKS = {"health_check": "", "health_frequency": "24", "health_denominator": "0"}
OF_TYPE = {"aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0", **FORM, **CHECKS, **RETRY}


@pytest.fixture
def site(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def act(site: Client, action: str, *names: str, address: str = LIST, **fields: Any) -> Any:
    """As the page that asks sends it when somebody has confirmed."""
    form = {"action": action, "_selected_action": names, "confirmed": "yes", **fields}
    return site.post(address, form, follow=True)


def delete(site: Client, model: str, *names: str) -> Any:
    form = {"action": "delete_selected", "_selected_action": names, "post": "yes"}
    return site.post(reverse(f"admin:devices_{model}_changelist"), form, follow=True)


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def change(model: str, name: str) -> str:
    return reverse(f"admin:devices_{model}_change", args=[name])


def test_an_action_asks_for_a_reason_before_it_changes_anything(site: Client) -> None:
    device = build.device("qemu01")

    answer = site.post(LIST, {"action": "maintenance", "_selected_action": ["qemu01"]})

    page = answer.content.decode()
    assert 'name="reason"' in page
    assert "Take out for maintenance?" in page
    device.refresh_from_db()
    assert device.health == DeviceHealth.GOOD


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("maintenance", DeviceHealth.GOOD, DeviceHealth.MAINTENANCE),
        ("good", DeviceHealth.MAINTENANCE, DeviceHealth.GOOD),
        ("retire", DeviceHealth.GOOD, DeviceHealth.RETIRED),
    ],
)
def test_an_action_changes_the_health_with_reason_name_and_event(
    site: Client, action: str, before: DeviceHealth, after: DeviceHealth
) -> None:
    device = build.device("qemu01", health=before)

    act(site, action, "qemu01", reason="new power supply")

    device.refresh_from_db()
    assert (device.health, device.health_reason, device.health_by) == (after, "new power supply", "admin")
    event = Event.objects.get(type="device.changed")
    assert (event.actor, event.data["reason"], event.data["health"]) == (
        "admin",
        "new power supply",
        after.label,
    )


def test_an_action_on_several_devices_changes_each_once(site: Client) -> None:
    devices = [build.device(f"qemu0{number}") for number in range(3)]

    answer = act(site, "maintenance", "qemu00", "qemu01", "qemu02", reason="move of the rack")

    assert said(answer) == ["Maintenance now: qemu00, qemu01, qemu02"]
    assert set(Device.objects.values_list("health", flat=True)) == {DeviceHealth.MAINTENANCE}
    assert [events_of(device) for device in devices] == [["device.added", "device.changed"]] * 3


def test_an_action_that_fails_for_one_device_changes_none(
    site: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.device("qemu01")
    build.device("qemu02")
    save = Device.save

    def break_at_the_second(device: Device, *args: Any, **kwargs: Any) -> None:
        if device.name == "qemu02":
            raise RuntimeError("the disk is full")
        save(device, *args, **kwargs)

    monkeypatch.setattr(Device, "save", break_at_the_second)

    with pytest.raises(RuntimeError, match="the disk is full"):
        act(site, "maintenance", "qemu01", "qemu02", reason="x")

    assert set(Device.objects.values_list("health", flat=True)) == {DeviceHealth.GOOD}
    assert not Event.objects.filter(type="device.changed").exists()


def test_a_change_of_health_is_in_the_history_of_the_device(site: Client) -> None:
    build.device("qemu01")

    act(site, "maintenance", "qemu01", reason="smells of smoke")

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.get_username()) == ("qemu01", "admin")
    assert "smells of smoke" in entry.get_change_message()


def test_retiring_a_busy_device_cancels_its_job(site: Client) -> None:
    job = build.job(state=State.RUNNING)

    act(site, "retire", "qemu01", reason="broken")

    job.refresh_from_db()
    assert job.state == State.CANCELING
    assert Device.objects.get().health == DeviceHealth.RETIRED


def test_maintenance_lets_the_job_on_the_device_go_on(site: Client) -> None:
    job = build.job(state=State.RUNNING)

    act(site, "maintenance", "qemu01")

    job.refresh_from_db()
    assert job.state == State.RUNNING


def test_more_devices_than_a_form_can_carry_are_refused_with_the_limit(
    site: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.admin_base.MOST_AT_ONCE", 2)
    for number in range(3):
        build.device(f"qemu0{number}")

    answer = site.post(
        LIST, {"action": "maintenance", "_selected_action": ["qemu00", "qemu01", "qemu02"]}, follow=True
    )

    assert said(answer) == ["Nothing was changed: 3 were chosen; choose at most 2 at once."]
    assert MOST_AT_ONCE < 1000, "Django takes no more fields in one form"


def test_who_may_only_look_is_offered_no_action(client: Client, mallory: User) -> None:
    build.device("qemu01")
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.add(Permission.objects.get(codename="view_device"))
    client.force_login(mallory)

    act(client, "maintenance", "qemu01")

    assert Device.objects.get().health == DeviceHealth.GOOD
    assert "Take out for maintenance" not in client.get(change("device", "qemu01")).content.decode()


def test_a_new_device_is_in_maintenance_unless_something_else_is_said(site: Client) -> None:
    build.device_type()
    build.worker()

    form = site.get(reverse("admin:devices_device_add")).context["adminform"].form
    site.post(
        reverse("admin:devices_device_add"), {**FORM, "name": "qemu01", "health": form["health"].value()}
    )

    device = Device.objects.get()
    assert (device.health, device.health_by) == (DeviceHealth.MAINTENANCE, "admin")
    event = Event.objects.get(type="device.added")
    assert (event.subject, event.actor) == ("qemu01", "admin")


def test_a_new_device_cannot_be_made_looping(site: Client) -> None:
    build.device_type()

    answer = site.post(
        reverse("admin:devices_device_add"),
        {**FORM, "worker": "", "name": "qemu01", "health": DeviceHealth.LOOPING.value},
    )

    assert "is not one of the available choices" in answer.content.decode()
    assert not Device.objects.exists()


def test_the_form_of_a_device_changes_neither_its_state_nor_its_health_nor_its_name(site: Client) -> None:
    build.job(state=State.RUNNING)
    posted = {
        **FORM,
        "name": "other",
        "health": "5",
        "state": "0",
        "health_by": "x",
        "description": "shelf 3",
    }

    site.post(change("device", "qemu01"), posted)

    device = Device.objects.get()
    assert (device.name, device.description) == ("qemu01", "shelf 3")
    assert (device.state, device.health) == (2, DeviceHealth.GOOD)
    assert events_of(device) == ["device.added", "device.changed", "device.changed"]


@pytest.mark.parametrize(("field", "value"), [("worker", "worker02"), ("device_type", "panda")])
def test_a_busy_device_keeps_its_worker_and_its_type(site: Client, field: str, value: str) -> None:
    build.worker("worker02")
    build.device_type("panda")
    build.job(state=State.RUNNING)

    answer = site.post(change("device", "qemu01"), {**FORM, field: value})

    assert "this can be changed when it is idle" in answer.content.decode()
    device = Device.objects.get()
    assert (device.worker_id, device.device_type_id) == ("worker01", "qemu")


@pytest.mark.parametrize(
    ("text", "fault"), [("a: [", "Not valid YAML"), ("- shell", "Expected a mapping")], ids=["broken", "list"]
)
def test_a_dictionary_that_no_worker_could_read_is_refused(site: Client, text: str, fault: str) -> None:
    build.device("qemu01")

    answer = site.post(change("device", "qemu01"), {**FORM, "dictionary": text})

    assert fault in answer.content.decode()
    assert Device.objects.get().dictionary == ""


def test_a_busy_device_is_not_deleted_and_the_answer_names_its_job(site: Client) -> None:
    job = build.job(state=State.RUNNING)

    answer = site.post(reverse("admin:devices_device_delete", args=["qemu01"]), {"post": "yes"}, follow=True)

    assert said(answer) == [
        f"Nothing was changed: qemu01 runs job {job.pk}; cancel the job first, then delete the device"
    ]
    assert Device.objects.filter(pk="qemu01").exists()


def test_deleting_many_devices_deletes_none_if_one_is_busy(site: Client) -> None:
    build.device("aaa")
    build.job(state=State.RUNNING)

    answer = delete(site, "device", "aaa", "qemu01")

    assert "cancel the job first" in said(answer)[0]
    assert Device.objects.count() == 2
    assert not Event.objects.filter(type="device.deleted").exists()


def test_an_idle_device_is_deleted_with_an_event_that_names_the_administrator(site: Client) -> None:
    build.device("qemu01")

    delete(site, "device", "qemu01")

    assert not Device.objects.exists()
    assert Event.objects.get(type="device.deleted").actor == "admin"


def test_a_device_type_in_use_is_not_deleted(site: Client) -> None:
    build.job()

    answer = delete(site, "devicetype", "qemu")

    assert "has 1 devices and 1 jobs. Retire the devices instead" in said(answer)[0]
    assert DeviceType.objects.exists()


def test_an_unused_device_type_is_deleted(site: Client) -> None:
    build.device_type("panda")

    delete(site, "devicetype", "panda")

    assert not DeviceType.objects.exists()


def test_a_tag_that_waiting_jobs_ask_for_is_not_deleted(site: Client) -> None:
    tag = build.tag("usb")
    build.device("qemu01", tags=("usb",))
    build.job(tags=["usb"])

    answer = delete(site, "tag", str(tag.pk))

    assert "1 waiting jobs ask for usb" in said(answer)[0]
    assert Tag.objects.exists()


def test_a_tag_that_nobody_waits_for_is_deleted(site: Client) -> None:
    tag = build.tag("usb")
    build.device("qemu01", tags=("usb",))

    delete(site, "tag", str(tag.pk))

    assert not Tag.objects.exists()
    assert Device.objects.exists()


def test_a_new_worker_comes_with_a_token_that_is_shown_once(site: Client) -> None:
    answer = site.post(
        reverse("admin:devices_worker_add"), {"name": "rack1", "health": "0", "job_limit": "0"}
    )

    found = re.search(r'id="secret">(\w+)<', answer.content.decode())
    assert found
    assert Worker.objects.get().has_token(found[1])
    assert Event.objects.get(type="worker.added").actor == "admin"


def test_a_new_worker_s_page_has_the_lines_for_its_machine(site: Client, settings: Settings) -> None:
    settings.LAB_URL = "https://lab.example.org"
    answer = site.post(
        reverse("admin:devices_worker_add"), {"name": "rack1", "health": "0", "job_limit": "0"}
    )

    text = unescape(answer.content.decode())
    found = re.search(r'^TOKEN="--token (\w+)"$', text, re.MULTILINE)
    assert found
    assert Worker.objects.get().has_token(found[1])
    assert 'WORKER_NAME="--name rack1"\nURL="https://lab.example.org"\n' in text


def test_a_new_token_of_a_worker_ends_its_old_one(site: Client) -> None:
    old = build.worker_token("worker01")

    answer = act(site, "new_token", "worker01", address=WORKERS)

    found = re.search(r'id="secret">(\w+)<', answer.content.decode())
    assert found
    worker = Worker.objects.get()
    assert worker.has_token(found[1])
    assert not worker.has_token(old)


def test_looking_at_the_page_that_asks_leaves_the_old_token(site: Client) -> None:
    old = build.worker_token("worker01")

    site.post(WORKERS, {"action": "new_token", "_selected_action": ["worker01"]})

    assert Worker.objects.get().has_token(old)


def test_tokens_are_made_for_one_worker_at_a_time(site: Client) -> None:
    build.worker("worker01")
    build.worker("worker02")

    answer = act(site, "new_token", "worker01", "worker02", address=WORKERS)

    assert "choose one worker" in said(answer)[0]


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("maintenance", WorkerHealth.ACTIVE, WorkerHealth.MAINTENANCE),
        ("active", WorkerHealth.MAINTENANCE, WorkerHealth.ACTIVE),
        ("retire", WorkerHealth.ACTIVE, WorkerHealth.RETIRED),
    ],
)
def test_an_action_changes_the_health_of_workers_with_a_reason(
    site: Client, action: str, before: WorkerHealth, after: WorkerHealth
) -> None:
    build.worker("worker01", health=before)
    build.worker("worker02", health=before)

    answer = act(site, action, "worker01", "worker02", address=WORKERS, reason="new disk")

    assert said(answer) == [f"{after.label} now: worker01, worker02"]
    assert set(Worker.objects.values_list("health", flat=True)) == {after}
    told = Event.objects.filter(type="worker.changed")
    assert {(event.actor, event.data["reason"]) for event in told} == {("admin", "new disk")}
    noted = LogEntry.objects.filter(object_id="worker01").get()
    assert noted.get_change_message() == f"{after.label}: new disk"


def test_the_form_of_a_worker_does_not_change_its_health(site: Client) -> None:
    worker = build.worker("worker01")

    site.post(
        change("worker", "worker01"), {"description": "", "health": "1", "state": "1", "job_limit": "0"}
    )

    worker.refresh_from_db()
    assert (worker.health, worker.state) == (WorkerHealth.ACTIVE, 0)


def test_a_worker_that_devices_hang_on_is_not_deleted(site: Client) -> None:
    build.device("qemu01")

    answer = delete(site, "worker", "worker01")

    assert "1 devices hang on worker01. Retire it instead" in said(answer)[0]
    assert Worker.objects.exists()


def test_a_worker_saved_without_a_change_of_health_is_no_event(site: Client) -> None:
    worker = build.worker("worker01")

    site.post(change("worker", "worker01"), {"description": "rack 1", "health": "0", "job_limit": "2"})

    worker.refresh_from_db()
    assert (worker.description, worker.job_limit) == ("rack 1", 2)
    assert events_of(worker) == ["worker.added"]


def test_states_are_words_with_an_icon_and_a_colour(site: Client) -> None:
    build.device("qemu01", health=DeviceHealth.BAD)

    page = site.get(LIST).content.decode()

    assert re.search(r'<span class="status bad "><svg class="icon".*?</svg>Bad</span>', page)


@pytest.mark.parametrize(
    "kind",
    ["device", "devicetype", "worker", "tag", "alias", "healthchange", "deviceright", "devicetyperight"],
)
def test_every_list_takes_as_many_queries_for_twenty_as_it_may_for_one(
    site: Client, django_assert_max_num_queries: DjangoAssertNumQueries, kind: str
) -> None:
    for number in range(20):
        name = f"x{number:02}"
        device = build.device(name, device_type=name, worker=name, tags=(name,))
        Alias.objects.create(name=f"alias-{name}", device_type=device.device_type)
        give(name, Right.CHANGE, device)
        DeviceTypeRight.objects.create(
            group=build.group(name), device_type=device.device_type, right=Right.CHANGE
        )

    with django_assert_max_num_queries(8):
        answer = site.get(reverse(f"admin:devices_{kind}_changelist"))

    assert len(answer.context["cl"].result_list) == 20


def staff_in(group_name: str, user: User, *permissions: str) -> User:
    """`user` as staff in a group, with these permissions and no more."""
    user.is_staff = True
    user.save()
    user.groups.add(build.group(group_name))
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def give(group_name: str, right: Right, device: Device) -> None:
    DeviceRight.objects.create(group=build.group(group_name), device=device, right=right)


def test_staff_look_after_the_devices_of_their_group_and_no_others(client: Client, mallory: User) -> None:
    give("rack", Right.CHANGE, build.device("qemu01"))
    build.device("qemu02")
    client.force_login(staff_in("rack", mallory))

    mine = act(client, "maintenance", "qemu01", reason="fan")
    others = act(client, "maintenance", "qemu01", "qemu02", reason="fan")

    assert said(mine) == ["Maintenance now: qemu01"]
    assert said(others) == ["Nothing was changed: you do not look after qemu02"]
    assert Device.objects.get(pk="qemu02").health == DeviceHealth.GOOD
    assert client.post(change("device", "qemu02"), {**FORM, "description": "x"}).status_code == 403


@pytest.mark.parametrize(("permissions", "dictionary"), [([], ""), (["change_device"], "executor: shell")])
def test_the_configuration_of_a_device_is_for_staff_who_may_change_all(
    client: Client, mallory: User, permissions: list[str], dictionary: str
) -> None:
    give("rack", Right.CHANGE, build.device("qemu01"))
    client.force_login(staff_in("rack", mallory, *permissions))

    told = client.post(
        change("device", "qemu01"), FORM | {"description": "warm", "dictionary": "executor: shell"}
    )

    device = Device.objects.get()
    assert told.status_code == 302
    assert (device.description, device.dictionary) == ("warm", dictionary)


def test_a_hidden_device_and_its_history_are_hidden_from_staff(client: Client, mallory: User) -> None:
    give("secret", Right.VIEW, build.device("hidden01", device_type="hidden"))
    DeviceTypeRight.objects.create(
        group=build.group("secret"), device_type=build.device_type("hidden"), right=Right.VIEW
    )
    build.device("qemu01")
    models = ("device", "devicetype", "alias", "healthchange", "deviceright", "devicetyperight")
    client.force_login(
        staff_in(
            "rack", mallory, "change_devicetype", *(f"view_{model}" for model in models if model != "device")
        )
    )
    give("rack", Right.CHANGE, Device.objects.get(pk="qemu01"))

    for model in models:
        answer = client.get(reverse(f"admin:devices_{model}_changelist"))
        assert answer.status_code == 200
        assert "hidden" not in re.sub(
            r"<input[^>]*>|visually-hidden|\bhidden\b(?=[^<]*>)", "", answer.content.decode()
        )
    assert client.get(change("device", "hidden01")).status_code == 302


def test_who_oversees_the_inventory_sees_hidden_devices(client: Client, mallory: User) -> None:
    give("secret", Right.VIEW, build.device("hidden01"))
    client.force_login(staff_in("rack", mallory, "view_device"))

    assert "hidden01" in client.get(LIST).content.decode()


def test_a_hidden_device_with_jobs_is_not_deleted_as_that_would_show_them(site: Client) -> None:
    build.job(state=State.FINISHED)
    give("secret", Right.VIEW, Device.objects.get())

    answer = delete(site, "device", "qemu01")

    assert "so are its 1 jobs, which would be shown to all without it" in said(answer)[0]
    assert Device.objects.exists()


def test_a_device_with_a_long_history_is_deleted_with_it(site: Client) -> None:
    build.device("qemu01")
    act(site, "maintenance", "qemu01")

    page = site.post(LIST, {"action": "delete_selected", "_selected_action": ["qemu01"]}).content.decode()
    delete(site, "device", "qemu01")

    assert "Lines of their history: 2" in page
    assert not Device.objects.exists()


def test_the_history_of_one_device_is_a_click_away(site: Client) -> None:
    build.device("qemu01")
    build.device("qemu02")
    page = site.get(change("device", "qemu01")).content.decode()

    found = re.search(r'href="([^"]+)">1 changes<', page)

    assert found
    listed = site.get(found[1]).context["cl"].result_list
    assert [line.device_id for line in listed] == ["qemu01"]


def test_an_alias_cannot_have_the_name_of_a_device_type(site: Client) -> None:
    build.device_type("panda")
    build.device_type("qemu")

    answer = site.post(reverse("admin:devices_alias_add"), {"name": "panda", "device_type": "qemu"})

    assert "There is a device type of this name" in answer.content.decode()
    assert not Alias.objects.exists()


def test_a_device_type_cannot_have_the_name_of_an_alias(site: Client) -> None:
    Alias.objects.create(name="panda", device_type=build.device_type("qemu"))
    none = {"aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0", **NO_RIGHTS}

    answer = site.post(reverse("admin:devices_devicetype_add"), {"name": "panda", **none})

    assert "That is an alias of qemu." in answer.content.decode()
    assert not DeviceType.objects.filter(pk="panda").exists()


def test_a_group_is_given_a_right_on_the_page_of_a_device(site: Client) -> None:
    build.device("qemu01")
    row = {"rights-0-group": build.group("rack").pk, "rights-0-right": "2", "rights-TOTAL_FORMS": "1"}

    site.post(change("device", "qemu01"), {**FORM, **row})

    right = DeviceRight.objects.get()
    assert (right.group.name, right.right) == ("rack", Right.SUBMIT)
    assert LogEntry.objects.get().get_change_message() == "Added right on a device “rack: submit qemu01”."


def test_a_type_says_in_its_page_how_its_jobs_are_tried_again(site: Client) -> None:
    build.device_type("qemu")

    site.post(change("devicetype", "qemu"), OF_TYPE)

    qemu = DeviceType.objects.get()
    assert (qemu.retry_attempts, qemu.retry_delay) == (3, timedelta(seconds=90))


@pytest.mark.parametrize(
    ("model", "name"), [("device", "qemu01"), ("devicetype", "qemu"), ("worker", "worker01")]
)
def test_what_somebody_else_saved_meanwhile_is_not_overwritten(site: Client, model: str, name: str) -> None:
    build.device("qemu01")
    address = change(model, name)
    opened = site.get(address).context["adminform"].form
    none = {**OF_TYPE, "job_limit": "0"}
    mine = {**none, "seen": opened["seen"].value(), "display": "on"}
    site.post(address, {**none, "description": "theirs", "display": "on"})

    refused = site.post(address, {**mine, "description": "mine"})

    assert "Somebody else changed this while you had it open." in refused.content.decode()
    again = site.get(address).context["adminform"].form
    assert again["description"].value() == "theirs"
    saved = site.post(address, {**mine, "description": "both", "seen": again["seen"].value()})
    assert saved.status_code == 302


def test_closed_devices_are_freed_with_a_reason(site: Client) -> None:
    build.given_up()

    without = act(site, "free", "qemu01")
    freed = act(site, "free", "qemu01", reason="the board is off")

    assert said(without) == ["Nothing was changed: Give a reason: how do you know that nothing runs there?"]
    assert said(freed) == ["Free now: qemu01"]
    assert not Device.objects.get().is_closed


def test_a_device_that_a_job_has_is_not_freed(site: Client) -> None:
    build.given_up()
    build.job(state=State.RUNNING, device="qemu02")

    answer = act(site, "free", "qemu01", "qemu02", reason="the board is off")

    assert "cancel the job instead of freeing the device" in said(answer)[0]
    assert Device.objects.get(pk="qemu01").is_closed


def test_devices_are_checked_with_a_reason(site: Client) -> None:
    build.device_type("qemu", health_check=build.definition())
    build.device("qemu01")
    build.device("qemu02", health=DeviceHealth.BAD)

    checked = act(site, "check", "qemu01", "qemu02", reason="after the move")

    assert said(checked) == ["Checked next: qemu01, qemu02"]
    assert set(Device.objects.values_list("health", flat=True)) == {DeviceHealth.UNKNOWN}


def test_devices_without_a_check_are_not_checked_and_it_is_said_why(site: Client) -> None:
    build.device("qemu01")

    answers = [act(site, action, "qemu01", reason="why not") for action in ("check", "loop")]

    for answer in answers:
        assert "devices of type qemu are not checked" in said(answer)[0]
    assert Device.objects.get().health == DeviceHealth.GOOD


def test_a_health_check_is_set_and_its_faults_are_told_with_their_lines(site: Client) -> None:
    build.device("qemu01")
    none = {**OF_TYPE, "display": "on"}

    refused = site.post(
        change("devicetype", "qemu"), {**none, "health_check": build.definition(device_type="bbb")}
    )
    saved = site.post(change("devicetype", "qemu"), {**none, "health_check": build.definition()})

    assert "device_type: expected qemu, whose health check this is (line 2)" in refused.content.decode()
    assert saved.status_code == 302
    assert DeviceType.objects.get().is_checked
