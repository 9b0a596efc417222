from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices import lifecycle
from devices.models import Device
from devices.states import DeviceHealth, WorkerState
from jobs.models import Job
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


@pytest.fixture
def caretaker(bob: User) -> User:
    bob.user_permissions.add(Permission.objects.get(codename="change_device"))
    return bob


def test_a_lab_without_devices_says_so(client: Client) -> None:
    assert "No device yet." in page(client, "/devices/")


def test_the_list_shows_health_reason_state_and_job(client: Client) -> None:
    job = build.job(state=State.RUNNING)
    build.device("qemu02", tags=("usb", "hdmi"))
    lifecycle.maintenance("qemu02", by="admin", reason="fan is loud")

    html = page(client, "/devices/")

    assert f'<a href="/job/{job.pk}/">#{job.pk}</a>' in html
    assert "Maintenance" in html
    assert "fan is loud" in html
    assert "hdmi, usb" in html


def test_the_list_leaves_out_retired_devices(client: Client) -> None:
    build.device("old-board")
    lifecycle.retire("old-board", by="admin")

    assert "old-board" not in page(client, "/devices/")


def test_a_device_whose_worker_is_away_says_so(client: Client) -> None:
    build.worker(state=WorkerState.OFFLINE)
    build.device()

    for address in ("/devices/", "/device/qemu01/", "/"):
        assert "Worker offline" in page(client, address)


def test_the_list_asks_the_database_as_often_for_many_devices_as_for_one(client: Client) -> None:
    build.device("board-0", tags=("usb",))
    with CaptureQueriesContext(connection) as for_one:
        page(client, "/devices/")
    for number in range(1, 10):
        build.device(f"board-{number}", tags=("usb",))
    with CaptureQueriesContext(connection) as for_many:
        page(client, "/devices/")

    assert len(for_many) == len(for_one)


def test_the_page_of_a_device_shows_who_changed_its_health_and_why(client: Client) -> None:
    build.device()
    lifecycle.maintenance("qemu01", by="carol", reason="new relay on Tuesday")

    html = page(client, "/device/qemu01/")

    assert "new relay on Tuesday" in html
    assert "by carol" in html


def test_the_page_of_a_device_shows_its_last_jobs(client: Client) -> None:
    build.job(state=State.FINISHED, name="yesterday")
    build.job(state=State.RUNNING, name="today")

    html = page(client, "/device/qemu01/")

    jobs = html.partition("Last jobs")[2]
    assert 0 < jobs.index("today") < jobs.index("yesterday")


def test_a_hidden_job_is_seen_on_no_page_of_its_device(client: Client, alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, name="hush", visibility="personal")
    client.force_login(mallory)

    for address in ("/devices/", "/device/qemu01/"):
        html = page(client, address)
        assert "hush" not in html
        assert f"/job/{job.pk}/" not in html


def test_an_unknown_device_is_not_found(client: Client) -> None:
    page(client, "/device/nobody/", 404)
    assert client.post("/device/nobody/health/").status_code == 404


@pytest.mark.parametrize("health", [DeviceHealth.MAINTENANCE, DeviceHealth.RETIRED])
def test_a_caretaker_takes_a_device_out_with_a_reason(
    client: Client, caretaker: User, health: DeviceHealth
) -> None:
    build.device()
    client.force_login(caretaker)

    response = client.post("/device/qemu01/health/", {"health": health.value, "reason": "smoke"}, follow=True)

    device = Device.objects.get()
    assert f"The health of qemu01 is {health.label} now." in response.content.decode()
    assert (device.health, device.health_reason, device.health_by) == (health, "smoke", "bob")
    assert build.events_of(device)[-1] == "device.changed"


def test_a_caretaker_brings_a_device_back(client: Client, caretaker: User) -> None:
    build.device(health=DeviceHealth.MAINTENANCE)
    client.force_login(caretaker)

    client.post("/device/qemu01/health/", {"health": DeviceHealth.GOOD.value, "reason": ""})

    assert Device.objects.get().health == DeviceHealth.GOOD


def test_retiring_a_busy_device_cancels_its_job(client: Client, admin: User) -> None:
    job = build.job(state=State.RUNNING)
    client.force_login(admin)

    client.post("/device/qemu01/health/", {"health": DeviceHealth.RETIRED.value})

    assert Job.objects.get(pk=job.pk).state == State.CANCELING


def test_a_stranger_changes_no_device_and_sees_no_form(client: Client, mallory: User) -> None:
    build.device()
    client.force_login(mallory)

    response = client.post("/device/qemu01/health/", {"health": DeviceHealth.RETIRED.value})

    assert response.status_code == 403
    assert "those who look after qemu01" in response.content.decode()
    assert Device.objects.get().health == DeviceHealth.GOOD
    assert "<form" not in page(client, "/device/qemu01/").partition("<main")[2]


def test_who_is_not_logged_in_is_led_back_to_the_device_after_logging_in(client: Client) -> None:
    build.device()

    response = client.post("/device/qemu01/health/", {"health": DeviceHealth.RETIRED.value})

    assert response.headers["Location"] == "/login/?next=/device/qemu01/"
    assert Device.objects.get().health == DeviceHealth.GOOD


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"health": "3"}, "Select a valid choice"),
        ({"health": "soon"}, "Select a valid choice"),
        ({}, "This field is required"),
        ({"health": "4", "reason": "x" * 501}, "at most 500 characters"),
    ],
)
def test_a_form_that_is_not_understood_says_why_and_changes_nothing(
    client: Client, admin: User, fields: dict[str, str], complaint: str
) -> None:
    build.device()
    client.force_login(admin)

    response = client.post("/device/qemu01/health/", fields)

    assert response.status_code == 400
    assert complaint in response.content.decode()
    assert Device.objects.get().health == DeviceHealth.GOOD


def test_the_health_is_changed_by_post_only(client: Client, admin: User) -> None:
    build.device()
    client.force_login(admin)

    assert client.get("/device/qemu01/health/").status_code == 405


def test_the_parts_that_change_come_without_the_form(client: Client, admin: User) -> None:
    build.device()
    client.force_login(admin)

    html = page(client, "/device/qemu01/?fragment=live")

    assert 'id="device-head" data-live' in html
    assert "<form" not in html
