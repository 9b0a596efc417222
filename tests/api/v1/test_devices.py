from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from devices import lifecycle
from devices.models import Alias, Device, Right
from devices.states import DeviceHealth, WorkerState
from jobs.states import State
from tests import build
from tests.api.conftest import Login

DEVICES = "/api/v1/devices/"
TYPES = "/api/v1/device-types/"
WORKERS = "/api/v1/workers/"


def names(client: APIClient, address: str) -> list[str]:
    return [item["name"] for item in client.get(address).json()["items"]]


# Devices.


def test_a_device_is_shown_with_its_job_and_what_was_said_of_it(alice: User, anyone: APIClient) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)
    lifecycle.maintenance("qemu01", by="alice", reason="fan is loud")

    shown = anyone.get(f"{DEVICES}qemu01/").json()

    assert (shown["state"], shown["health"], shown["job"]) == ("Running", "Maintenance", job.pk)
    assert (shown["health_reason"], shown["health_by"]) == ("fan is loud", "alice")
    assert (shown["worker"], shown["worker_state"], shown["may_change"]) == ("worker01", "Online", False)
    assert shown["url"] == "http://testserver/device/qemu01/"


def test_a_device_without_a_worker_has_none(anyone: APIClient) -> None:
    build.device(worker=None)

    shown = anyone.get(f"{DEVICES}qemu01/").json()

    assert (shown["worker"], shown["worker_state"], shown["last_used"]) == (None, None, None)


def test_a_job_that_is_hidden_is_not_named_by_its_device(alice: User, mallory: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, visibility="personal")

    assert login(alice).get(f"{DEVICES}qemu01/").json()["job"] == job.pk
    assert login(mallory).get(f"{DEVICES}qemu01/").json()["job"] is None


def test_devices_are_narrowed_by_what_they_are(anyone: APIClient) -> None:
    build.device("rpi01", device_type="rpi", tags=("usb",))
    build.device("qemu01", health=DeviceHealth.MAINTENANCE)
    build.device("qemu02", worker="worker02")
    build.device("qemu03", health=DeviceHealth.RETIRED)

    assert names(anyone, DEVICES) == ["qemu01", "qemu02", "rpi01"]
    assert names(anyone, f"{DEVICES}?all=1") == ["qemu01", "qemu02", "qemu03", "rpi01"]
    assert names(anyone, f"{DEVICES}?health=maintenance,retired&all=true") == ["qemu01", "qemu03"]
    assert names(anyone, f"{DEVICES}?worker=worker02") == ["qemu02"]
    assert names(anyone, f"{DEVICES}?device_type=rpi") == names(anyone, f"{DEVICES}?tag=usb") == ["rpi01"]
    assert names(anyone, f"{DEVICES}?q=EMU") == ["qemu01", "qemu02"]
    assert names(anyone, f"{DEVICES}?state=Running") == []


def test_pages_of_devices_lead_to_all_and_back(anyone: APIClient) -> None:
    for number in range(1, 6):
        build.device(f"qemu0{number}")

    first = anyone.get(f"{DEVICES}?limit=2").json()
    second = anyone.get(first["next"]).json()
    third = anyone.get(second["next"]).json()
    back = anyone.get(second["previous"]).json()

    shown = [device["name"] for page in (first, second, third) for device in page["items"]]
    assert shown == ["qemu01", "qemu02", "qemu03", "qemu04", "qemu05"]
    assert (first["previous"], third["next"], back["previous"]) == (None, None, None)
    assert back["items"] == first["items"]


@pytest.mark.parametrize("address", [DEVICES, TYPES, WORKERS])
def test_an_inventory_list_takes_the_same_number_of_queries_however_long_it_is(
    alice: User, login: Login, address: str
) -> None:
    client = login(alice)
    build.device("device0", device_type="type0", worker="worker0")
    client.get(address)  # notes the use of the token
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for number in range(1, 8):
        build.device(f"device{number}", device_type=f"type{number}", worker=f"worker{number}", tags=("usb",))

    with CaptureQueriesContext(connection) as many:
        assert len(client.get(address).json()["items"]) == 8

    assert len(many) == len(few) <= 8


# Their health.


def test_who_looks_after_a_device_takes_it_out_and_brings_it_back(
    group: Group, alice: User, login: Login
) -> None:
    build.device()
    build.right(group, "qemu", Right.CHANGE)
    client = login(alice)

    out = client.post(f"{DEVICES}qemu01/health/", {"health": "Maintenance", "reason": "fan"}).json()
    back = client.post(f"{DEVICES}qemu01/health", {"health": "Good"}).json()

    assert (out["health"], out["health_reason"], out["may_change"]) == ("Maintenance", "fan", True)
    assert (back["health"], back["health_reason"]) == ("Good", "")
    assert "alice: qemu01: Maintenance: fan" in build.audit_trail()


def test_who_looks_after_a_closed_device_frees_it(group: Group, alice: User, login: Login) -> None:
    build.given_up(submitter=alice)
    build.right(group, "qemu", Right.CHANGE)
    client = login(alice)

    closed = client.get(f"{DEVICES}qemu01/").json()
    freed = client.post(f"{DEVICES}qemu01/free/", {"reason": "the board is off"}).json()

    assert closed["closed_since"] is not None
    assert (freed["state"], freed["closed_since"]) == ("Idle", None)
    assert "alice: qemu01: Freed: the board is off" in build.audit_trail()


def test_a_device_is_freed_for_a_reason_only(admin: User, login: Login) -> None:
    build.given_up()

    answer = login(admin).post(f"{DEVICES}qemu01/free/", {})

    assert answer.status_code == 400
    assert Device.objects.get().is_closed


def test_a_device_that_a_job_has_is_not_freed(admin: User, login: Login) -> None:
    job = build.job(state=State.RUNNING)

    answer = login(admin).post(f"{DEVICES}qemu01/free/", {"reason": "sure"})

    assert answer.status_code == 409
    assert f"in use by job {job.pk}" in answer.json()["detail"]


def test_a_stranger_takes_no_device_out_and_reads_why(group: Group, mallory: User, login: Login) -> None:
    build.device()
    build.right(group, "qemu", Right.CHANGE)

    answer = login(mallory).post(f"{DEVICES}qemu01/health/", {"health": "Maintenance"})

    assert answer.status_code == 403
    assert answer.json()["detail"] == "You do not look after qemu01."
    assert Device.objects.get().health == DeviceHealth.GOOD


@pytest.mark.parametrize("body", [{}, {"health": "Fine"}, {"health": "Good", "why": "x"}, ["Good"]])
def test_a_health_that_nobody_may_set_is_refused(admin: User, login: Login, body: object) -> None:
    build.device()

    answer = login(admin).post(f"{DEVICES}qemu01/health/", body)

    assert answer.status_code == 400
    assert answer.json()["type"].endswith("#problem-invalid-value")


def test_several_devices_are_taken_out_at_once(admin: User, login: Login) -> None:
    for name in ("qemu01", "qemu02", "qemu03"):
        build.device(name)
    body = {"devices": ["qemu02", "qemu01"], "health": "Maintenance", "reason": "power cut"}

    answer = login(admin).post(f"{DEVICES}health/", body)

    assert answer.status_code == 200
    assert [device["name"] for device in answer.json()["items"]] == ["qemu01", "qemu02"]
    assert Device.objects.filter(health=DeviceHealth.MAINTENANCE).count() == 2


def test_of_several_devices_none_is_changed_if_one_is_missing(admin: User, login: Login) -> None:
    build.device()
    body = {"devices": ["qemu01", "nosuch"], "health": "Maintenance"}

    answer = login(admin).post(f"{DEVICES}health/", body)

    assert answer.status_code == 404
    assert "nosuch" in answer.json()["detail"]
    assert Device.objects.get().health == DeviceHealth.GOOD


def test_the_history_tells_who_said_what_the_latest_first(admin: User, anyone: APIClient) -> None:
    build.device()
    lifecycle.maintenance("qemu01", by="alice", reason="fan")
    lifecycle.good("qemu01", by="bob")

    good, out, added = anyone.get(f"{DEVICES}qemu01/history/").json()["items"]

    assert (good["previous"], good["health"], good["by"]) == ("Maintenance", "Good", "bob")
    assert (out["previous"], out["health"], out["reason"]) == ("Good", "Maintenance", "fan")
    assert (added["previous"], added["health"]) == (None, "Good")


def test_a_hidden_device_is_nowhere(group: Group, alice: User, mallory: User, login: Login) -> None:
    build.device()
    build.right(group, "qemu01", Right.VIEW)
    client = login(mallory)

    assert names(client, DEVICES) == []
    assert client.get(f"{DEVICES}qemu01/").status_code == 404
    assert client.get(f"{DEVICES}qemu01/history/").status_code == 404
    assert client.post(f"{DEVICES}qemu01/health/", {"health": "Good"}).status_code == 404
    assert client.get(f"{TYPES}qemu/").json()["devices"] == 0
    assert client.get(f"{TYPES}qemu/availability/").json()["devices"] == 0
    assert names(login(alice), DEVICES) == ["qemu01"]


# Types and workers.


def test_a_type_is_shown_with_its_aliases_and_devices(anyone: APIClient) -> None:
    build.device("qemu01")
    build.device("qemu02", health=DeviceHealth.RETIRED)
    Alias.objects.create(name="kvm", device_type_id="qemu")

    assert anyone.get(f"{TYPES}qemu/").json() == {
        "name": "qemu",
        "url": "http://testserver/device-type/qemu/",
        "description": "",
        "aliases": ["kvm"],
        "devices": 1,
        "retry": {"attempts": 1, "delay": 60.0, "backoff": 2.0, "max_delay": 3600.0},
    }


def test_who_looks_after_a_type_says_how_its_jobs_are_tried_again(
    group: Group, alice: User, login: Login
) -> None:
    build.device()
    build.right(group, "qemu", Right.CHANGE)

    answer = login(alice).post(f"{TYPES}qemu/retry/", {"attempts": 3, "delay": 90.5})

    retry = {"attempts": 3, "delay": 90.5, "backoff": 2.0, "max_delay": 3600.0}
    assert (answer.status_code, answer.json()["retry"]) == (200, retry)
    assert build.audit_trail() == ["alice: qemu: Changed retry_attempts, retry_delay"]


def test_a_stranger_does_not_say_how_jobs_are_tried_again(mallory: User, login: Login) -> None:
    build.device()

    assert login(mallory).post(f"{TYPES}qemu/retry/", {"attempts": 3}).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"attempts": 0}, "attempts"),
        ({"attempts": 1.5}, "attempts"),
        ({"delay": -1}, "delay"),
        ({"delay": "1 h"}, "delay"),
        ({"backoff": 0.5}, "backoff"),
        ({"backoff": True}, "backoff"),
        ({"max_delay": 1e12}, "max_delay"),
        ({"tries": 3}, "tries"),
    ],
    ids=str,
)
def test_a_retry_that_cannot_be_is_refused_with_its_field(
    body: dict[str, object], field: str, admin: User, login: Login
) -> None:
    build.device()

    answer = login(admin).post(f"{TYPES}qemu/retry/", body, format="json")

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_a_type_that_is_not_displayed_is_shown_but_not_listed(anyone: APIClient) -> None:
    build.device_type("old", display=False)

    assert names(anyone, TYPES) == []
    assert anyone.get(f"{TYPES}old/").status_code == 200


def test_availability_counts_each_device_once(alice: User, anyone: APIClient) -> None:
    build.worker("offline", state=WorkerState.OFFLINE)
    build.device("qemu02")
    build.device("qemu03", health=DeviceHealth.MAINTENANCE)
    build.device("qemu04", health=DeviceHealth.BAD)
    build.device("qemu05", worker="offline")
    build.device("qemu06", health=DeviceHealth.RETIRED)
    build.job(submitter=alice, state=State.RUNNING)

    assert anyone.get(f"{TYPES}qemu/availability/").json() == {
        "device_type": "qemu",
        "devices": 5,
        "free": 1,
        "busy": 1,
        "reserved": 0,
        "offline": 1,
        "maintenance": 1,
        "bad": 1,
        "queued": 0,
        "running": 1,
        "expected_wait": 0.0,
    }


def test_a_worker_is_shown_with_how_many_devices_it_has(anyone: APIClient) -> None:
    build.device()

    shown = anyone.get(f"{WORKERS}worker01").json()

    assert (shown["state"], shown["health"], shown["devices"]) == ("Online", "Active", 1)
    assert names(anyone, f"{WORKERS}?state=offline") == []
    assert names(anyone, f"{WORKERS}?health=active") == ["worker01"]
