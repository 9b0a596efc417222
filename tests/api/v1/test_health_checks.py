"""Health checks in version 1."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from devices.models import Device, DeviceType, Right
from devices.states import DeviceHealth, Frequency
from jobs import lifecycle, scheduler
from jobs.models import Job
from tests import build
from tests.api.conftest import Login

CHECK_NOW = "/api/v1/devices/qemu01/check/"
CHECK_OF_TYPE = "/api/v1/device-types/qemu/health-check/"

pytestmark = pytest.mark.django_db


def test_a_device_is_checked_when_who_looks_after_it_asks(group: Group, alice: User, login: Login) -> None:
    build.device_type("qemu", health_check=build.definition())
    build.device()
    build.right(group, "qemu", Right.CHANGE)

    answer = login(alice).post(CHECK_NOW, {"reason": "new cables"})

    assert (answer.status_code, answer.json()["health"]) == (200, "Unknown")
    assert (answer.json()["health_reason"], answer.json()["health_by"]) == ("new cables", "alice")
    assert build.audit_trail() == ["alice: qemu01: Check: new cables"]


def test_a_stranger_has_no_device_checked(mallory: User, login: Login) -> None:
    build.device_type("qemu", health_check=build.definition())
    build.device()

    assert login(mallory).post(CHECK_NOW, {}).status_code == 403
    assert Device.objects.get().health == DeviceHealth.GOOD


@pytest.mark.parametrize("path", ["check", "health"])
def test_where_there_is_no_check_none_is_run_and_it_says_so(admin: User, login: Login, path: str) -> None:
    build.device()
    body = {"health": "Looping"} if path == "health" else {}

    answer = login(admin).post(f"/api/v1/devices/qemu01/{path}/", body)

    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("Devices of type qemu are not checked; give the type")


def test_a_device_names_its_last_check_to_who_may_see_that(
    admin: User, anyone: APIClient, login: Login
) -> None:
    build.device_type("qemu", health_check=build.definition(visibility="personal"))
    build.device(health=DeviceHealth.UNKNOWN)
    scheduler.run_once()
    check = Job.objects.get()
    lifecycle.finish(check.pk, build.PASSED, worker="worker01")

    shown = login(admin).get("/api/v1/devices/qemu01/").json()

    assert (shown["health"], shown["last_check"], shown["jobs_since_check"]) == ("Good", check.pk, 0)
    assert shown["last_check_time"] is not None
    assert anyone.get("/api/v1/devices/qemu01/").json()["last_check"] is None
    v02 = login(admin).get("/api/v0.2/devices/").json()["results"][0]
    assert v02["last_health_report_job"] == check.pk
    assert login(admin).get(f"/api/v1/jobs/{check.pk}/").json()["health_check"] is True


def test_the_health_check_of_a_type_is_changed_and_shown(group: Group, alice: User, login: Login) -> None:
    build.device_type("qemu")
    build.right(group, "qemu", Right.CHANGE)
    wanted = {"definition": build.definition(), "frequency": 5, "unit": "jobs"}

    changed = login(alice).patch(CHECK_OF_TYPE, wanted)

    assert changed.status_code == 200
    assert changed.json() == login(alice).get(CHECK_OF_TYPE).json() == wanted | {"disabled": False}
    device_type = DeviceType.objects.get()
    assert (device_type.health_frequency, device_type.health_denominator) == (5, Frequency.JOBS)
    login(alice).patch(CHECK_OF_TYPE, {"disabled": True})
    assert login(alice).get(CHECK_OF_TYPE).json() == wanted | {"disabled": True}


def test_a_definition_that_is_none_is_refused_with_its_faults(admin: User, login: Login) -> None:
    build.device_type("qemu")

    answer = login(admin).patch(CHECK_OF_TYPE, {"definition": build.definition(device_type="bbb")})

    assert answer.status_code == 400
    assert answer.json()["faults"] == [
        {"path": "device_type", "message": "expected qemu, whose health check this is", "line": 2}
    ]
    assert DeviceType.objects.get().health_check == ""


@pytest.mark.parametrize(
    "body", [{"frequency": 0}, {"unit": "days"}, {"disabled": 1}, {"definition": 5}, {"every": 5}]
)
def test_what_makes_no_sense_of_a_check_is_refused(admin: User, login: Login, body: object) -> None:
    build.device_type("qemu")

    assert login(admin).patch(CHECK_OF_TYPE, body).status_code == 400


def test_a_health_check_is_for_who_looks_after_the_type(alice: User, login: Login) -> None:
    build.device_type("qemu", health_check=build.definition())

    assert login(alice).get(CHECK_OF_TYPE).status_code == 403
    assert login(alice).patch(CHECK_OF_TYPE, {"definition": ""}).status_code == 403
