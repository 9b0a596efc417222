"""Health checks as LAVA's clients set them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from devices.models import Device, DeviceType
from devices.states import DeviceHealth, Frequency
from tests import build
from tests.api.conftest import Login

QEMU = "/api/v0.2/devicetypes/qemu/"
CHECK = f"{QEMU}health_check/"

pytestmark = pytest.mark.django_db


def test_the_definition_is_set_and_read_as_text(admin: User, login: Login) -> None:
    build.device_type("qemu")

    assert login(admin).post(CHECK, {"config": build.definition()}).status_code == 204

    read = login(admin).get(CHECK)
    assert (read.content.decode(), read["Content-Type"]) == (build.definition(), "application/yaml")


def test_a_type_without_a_check_has_none_to_read(admin: User, login: Login) -> None:
    build.device_type("qemu")

    answer = login(admin).get(CHECK)

    assert (answer.status_code, answer.json()) == (400, {"message": "qemu has no health check"})


def test_a_definition_that_is_none_is_refused_with_its_line(admin: User, login: Login) -> None:
    build.device_type("qemu")

    answer = login(admin).post(CHECK, {"config": build.definition(priority="first")})

    assert answer.status_code == 400
    assert "priority: expected high, medium, low" in answer.json()["message"]
    assert "(line " in answer.json()["message"]
    assert DeviceType.objects.get().health_check == ""


def test_how_often_a_type_is_checked_is_shown_and_set(admin: User, login: Login) -> None:
    build.device_type("qemu")
    client = login(admin)
    shown = client.get(QEMU).json()
    assert (shown["health_frequency"], shown["health_denominator"]) == (24, 0)
    assert shown["disable_health_check"] is False

    changed = client.patch(
        QEMU, {"health_frequency": 5, "health_denominator": 1, "disable_health_check": True}
    )

    assert changed.status_code == 200
    device_type = DeviceType.objects.get()
    assert (device_type.health_frequency, device_type.health_denominator) == (5, Frequency.JOBS)
    assert device_type.disable_health_check
    assert client.patch(QEMU, {"health_frequency": 0}).status_code == 400


@pytest.mark.parametrize("health", ["UNKNOWN", "LOOPING", "BAD"])
def test_a_device_takes_each_health_of_lavas(admin: User, login: Login, health: str) -> None:
    build.device_type("qemu", health_check=build.definition())
    build.device()

    answer = login(admin).post("/api/v0.2/devices/qemu01/set_health/", {"health": health})

    assert answer.status_code == 202
    assert Device.objects.get().health == DeviceHealth[health]


def test_a_new_device_is_checked_first_where_its_type_has_a_check(admin: User, login: Login) -> None:
    build.device_type("qemu", health_check=build.definition())
    build.device_type("rpi")
    client = login(admin)

    added = [
        client.post("/api/v0.2/devices/", {"hostname": f"{name}01", "device_type": name}).json()["health"]
        for name in ("qemu", "rpi")
    ]

    assert added == ["Unknown", "Maintenance"]
