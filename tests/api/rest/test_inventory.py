"""The inventory is added to, changed and taken from."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings
from rest_framework.test import APIClient

from devices.models import Alias, Device, DeviceRight, DeviceType, DeviceTypeRight, Right, Tag, Worker
from devices.states import DeviceHealth, WorkerHealth
from jobs.states import State
from tests import build
from tests.api.conftest import Login
from tests.devices.test_templates import BOARD, HERE

ROOT = "/api/v0.2"
REFUSED = {"detail": "Authentication credentials were not provided."}


@pytest.fixture
def stock(db: None) -> None:
    """One row of each kind: qemu01 of type qemu with the alias kvm, on worker01, with the tag usb."""
    build.device(tags=("usb",))
    Alias.objects.create(name="kvm", device_type_id="qemu")


@pytest.fixture
def keeper(stock: None, bob: User) -> User:
    """bob, whose group looks after qemu01."""
    DeviceRight.objects.create(device_id="qemu01", group=build.group(), right=Right.CHANGE)
    return bob


def notes() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


# Each kind is added, changed and deleted.

KINDS: list[tuple[str, type[Any], dict[str, Any], dict[str, Any]]] = [
    ("devices", Device, {"hostname": "rpi01", "device_type": "qemu"}, {"description": "on the shelf"}),
    ("devicetypes", DeviceType, {"name": "rpi"}, {"description": "Raspberry Pi"}),
    ("aliases", Alias, {"name": "pi", "device_type": "qemu"}, {"device_type": "qemu"}),
    ("workers", Worker, {"hostname": "worker02"}, {"description": "upstairs"}),
    ("tags", Tag, {"name": "hdmi"}, {"description": "has a display"}),
]


@pytest.mark.parametrize(("path", "model", "new", "changes"), KINDS, ids=lambda each: str(each)[:12])
def test_an_administrator_adds_changes_and_deletes(
    stock: None,
    admin: User,
    login: Login,
    path: str,
    model: type[Any],
    new: dict[str, Any],
    changes: dict[str, Any],
) -> None:
    client, count = login(admin), model.objects.count()

    added = client.post(f"{ROOT}/{path}/", new)
    assert added.status_code == 201
    assert {**added.json(), **new} == added.json()
    row = f"{ROOT}/{path}/{added.json().get('id') or next(iter(new.values()))}/"
    changed = client.patch(row, changes)
    assert (changed.status_code, {**changed.json(), **changes}) == (200, changed.json())
    assert client.put(row, new).status_code == 200
    assert client.get(row).json() == changed.json()
    assert client.delete(row).status_code == 204
    assert model.objects.count() == count
    assert notes()[0] == "Added"
    assert notes()[-1] == "Deleted"


@pytest.mark.parametrize(("path", "model", "new", "changes"), KINDS, ids=lambda each: str(each)[:12])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_who_has_no_right_to_changes_nothing(
    stock: None,
    alice: User,
    anyone: APIClient,
    login: Login,
    method: str,
    path: str,
    model: type[Any],
    new: dict[str, Any],
    changes: dict[str, Any],
) -> None:
    row = model.objects.get()
    address = f"{ROOT}/{path}/" if method == "post" else f"{ROOT}/{path}/{row.pk}/"
    body = new if method == "post" else {**new, next(iter(new)): row.name}

    nobody = getattr(anyone, method)(address, body)
    hers = getattr(login(alice), method)(address, body)

    assert (nobody.status_code, nobody.json()) == (403, REFUSED)
    assert hers.status_code == 403
    assert hers.json()["detail"].startswith("you ")
    assert model.objects.get().pk == row.pk
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(("path", "model", "new", "changes"), KINDS, ids=lambda each: str(each)[:12])
def test_a_name_is_taken_once_and_kept_for_ever(
    stock: None,
    admin: User,
    login: Login,
    path: str,
    model: type[Any],
    new: dict[str, Any],
    changes: dict[str, Any],
) -> None:
    client, field, row = login(admin), next(iter(new)), model.objects.get()

    again = client.post(f"{ROOT}/{path}/", {**new, field: row.name})
    renamed = client.patch(f"{ROOT}/{path}/{row.pk}/", {field: "other"})
    odd = client.post(f"{ROOT}/{path}/", {**new, field: "a b"})

    for answer, words in ((again, "already"), (renamed, "for ever"), (odd, "letters, digits")):
        assert answer.status_code == 400
        assert words in answer.json()[field][0]


@pytest.mark.parametrize("path", ["aliases", "aliases/kvm", "tags", "tags/1"])
def test_aliases_and_tags_are_for_those_who_have_logged_in(stock: None, anyone: APIClient, path: str) -> None:
    answer = anyone.get(f"{ROOT}/{path}/")

    assert (answer.status_code, answer.json()) == (403, REFUSED)


def test_aliases_and_tags_are_listed(stock: None, alice: User, login: Login) -> None:
    tag = Tag.objects.get()

    assert login(alice).get(f"{ROOT}/aliases/").json()["results"] == [{"name": "kvm", "device_type": "qemu"}]
    assert login(alice).get(f"{ROOT}/tags/?name=usb").json()["results"] == [
        {"id": tag.pk, "name": "usb", "description": ""}
    ]


def test_an_alias_of_a_hidden_type_is_hidden(stock: None, alice: User, login: Login, mallory: User) -> None:
    DeviceTypeRight.objects.create(device_type_id="qemu", group=build.group(), right=Right.VIEW)

    assert login(mallory).get(f"{ROOT}/aliases/").json()["count"] == 0
    assert login(mallory).get(f"{ROOT}/aliases/kvm/").status_code == 404
    assert login(alice).get(f"{ROOT}/aliases/kvm/").status_code == 200


def test_an_alias_is_not_the_name_of_a_type(stock: None, admin: User, login: Login) -> None:
    answer = login(admin).post(f"{ROOT}/aliases/", {"name": "qemu", "device_type": "qemu"})

    assert (answer.status_code, list(answer.json())) == (400, ["name"])


# Devices.


def test_a_new_device_is_in_maintenance_until_somebody_says_more(
    stock: None, admin: User, login: Login
) -> None:
    usb = Tag.objects.get().pk
    new = {"hostname": "rpi01", "device_type": "qemu", "worker_host": "worker01", "tags": [usb]}

    answer = login(admin).post(f"{ROOT}/devices/", new)

    assert (answer.json()["health"], answer.json()["worker_host"], answer.json()["tags"]) == (
        "Maintenance",
        "worker01",
        [usb],
    )
    device = Device.objects.get(pk="rpi01")
    assert device.health_by == "admin"
    assert build.events_of(device) == ["device.added"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"device_type": "nosuch"}, "device_type"),
        ({"device_type": ""}, "device_type"),
        ({"worker_host": "nosuch"}, "worker_host"),
        ({"tags": [999]}, "tags"),
        ({"tags": ["usb"]}, "tags"),
        ({"health": "Fine"}, "health"),
        ({"health": "Retired"}, "health"),
        ({"health": 3}, "health"),
        ({"hostname": ""}, "hostname"),
        ({"hostname": "x" * 201}, "hostname"),
        ({"hostname": "a\x00"}, "hostname"),
        ({"hostname": {}}, "hostname"),
    ],
)
def test_a_device_that_cannot_be_is_refused(
    stock: None, admin: User, login: Login, wrong: dict[str, Any], field: str
) -> None:
    answer = login(admin).post(f"{ROOT}/devices/", {"hostname": "rpi01", "device_type": "qemu", **wrong})

    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not Device.objects.filter(pk="rpi01").exists()


def test_a_health_that_is_patched_is_said_by_the_verb(stock: None, admin: User, login: Login) -> None:
    answer = login(admin).patch(f"{ROOT}/devices/qemu01/", {"health": "MAINTENANCE"})

    device = Device.objects.get()
    assert (answer.status_code, answer.json()["health"]) == (200, "Maintenance")
    assert (device.health, device.health_by) == (DeviceHealth.MAINTENANCE, "admin")
    assert notes() == ["Maintenance: no reason given"]


def test_who_looks_after_a_device_changes_it_but_not_its_place(
    keeper: User, mallory: User, login: Login
) -> None:
    build.worker("worker02")

    assert login(keeper).patch(f"{ROOT}/devices/qemu01/", {"description": "warm"}).status_code == 200
    moved = login(keeper).patch(f"{ROOT}/devices/qemu01/", {"worker_host": "worker02"})
    assert moved.status_code == 403
    assert "those who may change all devices" in moved.json()["message"]
    assert login(keeper).delete(f"{ROOT}/devices/qemu01/").status_code == 403
    assert login(mallory).patch(f"{ROOT}/devices/qemu01/", {"description": "x"}).status_code == 403


def test_a_busy_device_stays_where_it_is(stock: None, admin: User, login: Login) -> None:
    build.job(state=State.RUNNING)

    moved = login(admin).patch(f"{ROOT}/devices/qemu01/", {"worker_host": ""})
    deleted = login(admin).delete(f"{ROOT}/devices/qemu01/")

    assert (moved.status_code, deleted.status_code) == (409, 409)
    assert "when it is idle" in moved.json()["message"]
    assert Device.objects.get().worker_id == "worker01"


def test_what_is_still_needed_is_not_deleted(stock: None, admin: User, login: Login) -> None:
    build.job(tags=["usb"])

    for path in ("devicetypes/qemu", "workers/worker01", f"tags/{Tag.objects.get().pk}"):
        assert login(admin).delete(f"{ROOT}/{path}/").status_code == 409


def test_a_device_is_taken_out_with_a_reason(keeper: User, login: Login) -> None:
    body = {"health": "MAINTENANCE", "reason": "new cable"}

    answer = login(keeper).post(f"{ROOT}/devices/qemu01/set_health/", body)

    device = Device.objects.get()
    assert (answer.status_code, answer.json()) == (202, {"message": "OK"})
    assert (device.health, device.health_reason, device.health_by) == (
        DeviceHealth.MAINTENANCE,
        "new cable",
        "bob",
    )


def test_a_stranger_takes_no_device_out_and_reads_why(keeper: User, mallory: User, login: Login) -> None:
    answer = login(mallory).post(f"{ROOT}/devices/qemu01/set_health/", {"health": "GOOD"})

    assert answer.status_code == 403
    assert answer.json() == {"detail": "you do not look after qemu01"}


@pytest.mark.parametrize("path", ["devices/qemu01", "workers/worker01"])
@pytest.mark.parametrize("health", ["Fine", "", None, 1, {}, []])
def test_a_health_that_is_none_is_refused_with_those_that_are(
    stock: None, admin: User, login: Login, path: str, health: object
) -> None:
    answer = login(admin).post(f"{ROOT}/{path}/set_health/", {"health": health})

    assert (answer.status_code, list(answer.json())) == (400, ["health"])


@pytest.mark.parametrize("path", ["devices/nosuch", "workers/nosuch"])
def test_what_is_not_there_has_no_health(stock: None, admin: User, login: Login, path: str) -> None:
    assert login(admin).post(f"{ROOT}/{path}/set_health/", {"health": "Good"}).status_code == 404


# Dictionaries.


def test_who_may_change_all_devices_reads_and_sets_a_dictionary(
    stock: None, admin: User, login: Login
) -> None:
    client = login(admin)

    assert client.get(f"{ROOT}/devices/qemu01/dictionary/").content == b""
    told = client.post(f"{ROOT}/devices/qemu01/dictionary/", {"dictionary": "arch: arm64\n"})
    shown = client.get(f"{ROOT}/devices/qemu01/dictionary/")

    assert told.status_code == 200
    assert shown["Content-Type"] == "application/yaml"
    assert shown.content == b"arch: arm64\n"
    assert notes() == ["Changed dictionary (arch)"]


def test_who_looks_after_a_device_reads_its_dictionary_and_cannot_have_commands_run_by_it(
    keeper: User, login: Login
) -> None:
    address = f"{ROOT}/devices/qemu01/dictionary/"

    told = login(keeper).post(address, {"dictionary": "executor: shell\n"})

    assert login(keeper).get(address).status_code == 200
    assert told.status_code == 403
    assert told.json()["message"] == ("the dictionary of qemu01 is for those who may change all devices")
    assert Device.objects.get().dictionary == ""


def test_what_a_worker_gets_is_shown_when_asked_for(keeper: User, login: Login) -> None:
    DeviceType.objects.filter(pk="qemu").update(dictionary="arch: amd64\n")

    shown = login(keeper).get(f"{ROOT}/devices/qemu01/dictionary/?render=true")

    assert shown.content == b"arch: amd64\n"


def test_a_dictionary_is_shown_rendered_with_the_context_of_a_job(
    keeper: User, login: Login, settings: Settings
) -> None:
    settings.DEVICE_TEMPLATES = [str(HERE)]
    Device.objects.update(dictionary=BOARD)
    address = f"{ROOT}/devices/qemu01/dictionary/?render=1&context="

    shown = login(keeper).get(address + "{memory: 2048}")
    wrong = login(keeper).get(address + "[memory]")

    assert b"- -m 2048\n" in shown.content
    assert (wrong.status_code, list(wrong.json())) == (400, ["context"])


def test_a_template_is_validated_for_users_only(
    stock: None, admin: User, login: Login, anyone: APIClient, settings: Settings
) -> None:
    settings.DEVICE_TEMPLATES = [str(HERE)]
    told = [
        client.generic("POST", f"{ROOT}/devices/validate/", BOARD.encode(), content_type="text/plain").json()
        for client in (login(admin), anyone)
    ]

    assert told[0]["message"] == "Device dictionary valid."
    assert told[1]["message"].endswith("templates are rendered for users only; log in")


def test_a_dictionary_is_hidden_from_who_does_not_look_after_the_device(
    keeper: User, mallory: User, login: Login, anyone: APIClient
) -> None:
    address = f"{ROOT}/devices/qemu01/dictionary/"

    assert login(mallory).get(address).status_code == 403
    assert login(mallory).post(address, {"dictionary": ""}).status_code == 403
    assert anyone.get(address).status_code == 403


@pytest.mark.parametrize("text", ["a: b: c", "- x", "\x1b"])
def test_a_dictionary_that_is_none_is_refused(stock: None, admin: User, login: Login, text: str) -> None:
    answer = login(admin).post(f"{ROOT}/devices/qemu01/dictionary/", {"dictionary": text})

    assert (answer.status_code, list(answer.json())) == (400, ["dictionary"])


@pytest.mark.parametrize(
    ("text", "words"),
    [(b"arch: arm64", "valid."), (b"", "valid."), (b"- x", "expected a mapping"), (b"a: b: c", "line 1")],
)
@pytest.mark.parametrize("kind", ["text/plain", "application/yaml", "text/plain; charset=utf-8"])
def test_a_dictionary_is_validated(anyone: APIClient, kind: str, text: bytes, words: str) -> None:
    answer = anyone.generic("POST", f"{ROOT}/devices/validate/", text, content_type=kind)

    assert answer.status_code == 200
    assert words in answer.json()["message"]


def test_a_dictionary_that_is_no_text_is_refused(anyone: APIClient) -> None:
    answer = anyone.generic("POST", f"{ROOT}/devices/validate/", b"\xff", content_type="text/plain")

    assert answer.status_code == 400


# Workers.


def test_a_new_worker_gets_its_token_once(stock: None, admin: User, login: Login) -> None:
    answer = login(admin).post(f"{ROOT}/workers/", {"hostname": "worker02", "job_limit": 2})

    worker = Worker.objects.get(pk="worker02")
    assert answer.status_code == 201
    assert worker.has_token(answer.json()["token"])
    assert "token" not in login(admin).get(f"{ROOT}/workers/worker02/").json()


def test_a_worker_is_taken_out_with_a_reason(stock: None, admin: User, alice: User, login: Login) -> None:
    body = {"health": "MAINTENANCE", "reason": "new disk"}

    assert login(alice).post(f"{ROOT}/workers/worker01/set_health/", body).status_code == 403
    answer = login(admin).post(f"{ROOT}/workers/worker01/set_health/", body)

    assert (answer.status_code, answer.json()) == (202, {"message": "OK"})
    assert Worker.objects.get().health == WorkerHealth.MAINTENANCE
    assert notes() == ["Maintenance: new disk"]


# Rights and people.


def test_an_administrator_gives_changes_and_takes_rights(
    stock: None, group: Group, admin: User, login: Login
) -> None:
    client = login(admin)
    for kind, key, pk in (("devicetypes", "devicetype", "qemu"), ("devices", "device", "qemu01")):
        address = f"{ROOT}/permissions/{kind}/"
        body = {"name": f"view_{key}", "group": group.pk, key: pk}

        added = client.post(address, body)
        again = client.post(address, {**body, "name": f"change_{key}"})
        row = f"{address}{added.json()['id']}/"
        changed = client.patch(row, {"name": f"submit_to_{key}"})

        assert added.json() == {"id": added.json()["id"], **body}
        assert again.status_code == 400
        assert changed.json()["name"] == f"submit_to_{key}"
        assert client.get(address).json()["results"] == [changed.json()]
        assert client.delete(row).status_code == 204
    assert not DeviceRight.objects.exists()
    assert not DeviceTypeRight.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"name": "own_device"}, {"name": "view_devicetype"}, {"group": 999}, {"device": "nosuch"}, {"name": []}],
)
def test_a_right_that_cannot_be_is_refused(
    stock: None, group: Group, admin: User, login: Login, wrong: dict[str, Any]
) -> None:
    body = {"name": "view_device", "group": group.pk, "device": "qemu01", **wrong}

    answer = login(admin).post(f"{ROOT}/permissions/devices/", body)

    assert (answer.status_code, list(answer.json())) == (400, list(wrong))


@pytest.mark.parametrize("path", ["permissions/devices", "permissions/devicetypes", "groups", "users"])
def test_rights_and_people_are_shown_to_administrators_only(
    alice: User, admin: User, anyone: APIClient, login: Login, path: str
) -> None:
    alice.user_permissions.set(Permission.objects.all())

    assert anyone.get(f"{ROOT}/{path}/").json() == REFUSED
    assert login(alice).get(f"{ROOT}/{path}/").status_code == 403
    assert login(admin).get(f"{ROOT}/{path}/").status_code == 200


def test_users_are_shown_with_their_groups_and_no_secret(
    alice: User, group: Group, admin: User, login: Login
) -> None:
    shown = login(admin).get(f"{ROOT}/users/{alice.pk}/").json()
    listed = login(admin).get(f"{ROOT}/users/?groups__name=kernel&username=alice").json()

    assert (shown["username"], shown["groups"], shown["is_superuser"]) == ("alice", [group.pk], False)
    assert "password" not in shown
    assert listed["results"] == [shown]
    assert login(admin).get(f"{ROOT}/groups/{group.pk}/").json() == {"id": group.pk, "name": "kernel"}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "hostname", "name", "device_type", "worker_host", "tags", "health", "reason", "description", "job_limit",
    "display", "group", "device", "devicetype", "dictionary", "definition", "strict", "job_ids", "priority",
    "failure_comment",
)  # fmt: skip
ADDRESSES = (
    "jobs/", "jobs/1/", "jobs/batch_cancel/", "jobs/validate/", "jobs/validate_testdef/", "devices/",
    "devices/qemu01/", "devices/qemu01/dictionary/", "devices/qemu01/set_health/", "devicetypes/",
    "devicetypes/qemu/", "aliases/", "aliases/kvm/", "workers/", "workers/worker01/",
    "workers/worker01/set_health/", "tags/", "permissions/devices/", "permissions/devicetypes/",
)  # fmt: skip


@hypothesis_settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    address=st.sampled_from(ADDRESSES),
    method=st.sampled_from(["post", "put", "patch"]),
    body=VALUES | st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5),
)
def test_no_body_breaks_the_server(
    stock: None, admin: User, anyone: APIClient, address: str, method: str, body: object
) -> None:
    anyone.force_authenticate(admin)
    with build.rolled_back():
        answer = getattr(anyone, method)(f"{ROOT}/{address}", body, format="json")

    assert answer.status_code in (200, 201, 202, 400, 404, 405, 409)


@pytest.mark.parametrize("path", ["devicetypes/qemu/template", "remote-artifact-tokens"])
def test_what_is_not_offered_yet_is_not_found(stock: None, admin: User, login: Login, path: str) -> None:
    answer = login(admin).get(f"{ROOT}/{path}/")

    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize(
    ("word", "good"),
    [("config", "dispatcher_ip: 10.0.0.1\n"), ("env", "purge: true\n"), ("env-dut", "removes: [PATH]\n")],
)
def test_a_file_of_a_worker_is_set_by_who_looks_after_workers(
    stock: None, admin: User, mallory: User, login: Login, word: str, good: str
) -> None:
    address, field = f"{ROOT}/workers/worker01/{word}/", word.replace("-", "_")

    told = login(admin).post(address, {field: good})
    refused = login(admin).post(address, {field: "- a list"})

    assert (told.status_code, login(admin).get(address).content) == (200, good.encode())
    assert (refused.status_code, list(refused.json())) == (400, [field])
    assert login(admin).post(address, {}).status_code == 400
    assert (
        login(mallory).get(address).status_code
        == login(mallory).post(address, {field: ""}).status_code
        == 403
    )
