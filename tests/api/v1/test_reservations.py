"""People who hold devices by the API."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from devices.models import Right
from jobs import scheduler
from jobs.models import Job
from jobs.states import Health, State
from tests import build
from tests.api.conftest import Login

RESERVATIONS = "/api/v1/reservations/"


def body(**fields: Any) -> dict[str, Any]:
    return {"device": "qemu01", "duration": 3600, "purpose": "bisecting the boot"} | fields


def address(job: Job, verb: str = "") -> str:
    return f"/api/v1/jobs/{job.pk}/{verb}"


def test_a_device_is_reserved_and_held(alice: User, login: Login) -> None:
    build.device(dictionary="access: ssh root@qemu01\nexecutor: shell\n")
    client = login(alice)

    answer = client.post(RESERVATIONS, body())

    assert answer.status_code == 201
    waits = answer.json()
    assert (waits["kind"], waits["description"], waits["wanted_device"]) == (
        "reservation",
        "bisecting the boot",
        "qemu01",
    )
    assert (waits["deadline"], waits["access"], waits["queue"]["cause"]) == (None, [], "next")

    scheduler.run_once()

    held = client.get(answer["Location"]).json()
    assert (held["state"], held["device"], held["access"]) == ("Running", "qemu01", ["ssh root@qemu01"])
    assert held["deadline"]


def test_any_device_of_a_type_will_do(alice: User, login: Login) -> None:
    build.device("usb01", tags=("usb",))
    build.device("qemu01")
    wanted = {"device_type": "qemu", "tags": ["usb"], "duration": 60, "purpose": "looking"}

    login(alice).post(RESERVATIONS, wanted)
    scheduler.run_once()

    assert Job.objects.get().device_id == "usb01"


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"duration": 9 * 3600}, {"duration": ["expected at most 8 h (RESERVATION_LIMIT), got 9 h"]}),
        ({"duration": 0}, {"duration": ["Ensure this value is greater than or equal to 1."]}),
        ({"device": "nobody"}, {"device": ["there is no device 'nobody' here"]}),
        ({"device_type": "bbb"}, {"device_type": ["there is no device type 'bbb' here; there is qemu"]}),
        ({"tags": ["usb"]}, {"tags": ["there is no tag usb here"]}),
        ({"purpose": ""}, {"purpose": ["This field may not be blank."]}),
        ({"for": "1h"}, {"for": ["expected one of device, device_type, duration, purpose, tags, priority"]}),
    ],
)
def test_a_wish_that_cannot_be_is_refused_by_its_field(
    fields: dict[str, Any], errors: dict[str, Any], alice: User, login: Login
) -> None:
    build.device()

    answer = login(alice).post(RESERVATIONS, body(**fields))

    assert (answer.status_code, answer.json()["errors"]) == (400, errors)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "purpose",
    ["yes", "#1: 'a' \"b\"", "- {x: y}", "über alles\u2028weiter", "! *a &b", "42", "null", "\u0007"],
)
def test_a_purpose_is_kept_as_it_was_said(purpose: str, alice: User, login: Login) -> None:
    build.device()

    answer = login(alice).post(RESERVATIONS, body(purpose=purpose), format="json")

    assert (answer.status_code, answer.json()["description"]) == (201, purpose)
    assert Job.objects.get().description == purpose


@pytest.mark.parametrize("purpose", ["\0", "\ud800"])
def test_a_purpose_that_no_database_keeps_is_refused(purpose: str, alice: User, login: Login) -> None:
    build.device()

    text = json.dumps(body(purpose=purpose))
    answer = login(alice).generic("POST", RESERVATIONS, text, content_type="application/json")

    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"purpose"}


def test_neither_a_device_nor_a_type_is_no_wish(alice: User, login: Login) -> None:
    answer = login(alice).post(RESERVATIONS, {"duration": 60, "purpose": "looking"})

    assert answer.json()["errors"] == {
        "body": ["name the device, or a device_type if any device of that type will do"]
    }


def test_a_hidden_device_is_answered_like_one_that_is_not_there(
    group: Group, mallory: User, login: Login
) -> None:
    build.device()
    build.right(group, "qemu01", Right.VIEW)

    answer = login(mallory).post(RESERVATIONS, body())

    assert answer.json()["errors"] == {"device": ["there is no device 'qemu01' here"]}


def test_its_holder_extends_and_releases_it(alice: User, login: Login) -> None:
    job = build.reservation(by=alice)
    client = login(alice)
    before = client.get(address(job)).json()["deadline"]

    extended = client.post(address(job, "extend/"), {"duration": 1800})
    released = client.post(address(job, "release/"))

    assert (extended.status_code, released.status_code) == (200, 200)
    assert extended.json()["deadline"] > before
    assert released.json()["health"] == "Complete"
    assert re.fullmatch(r"Released by alice after \d+ s\.", released.json()["reason"])


def test_what_the_lab_does_not_allow_is_a_conflict(alice: User, login: Login) -> None:
    job = build.reservation(by=alice)

    answer = login(alice).post(address(job, "extend/"), {"duration": 8 * 3600})

    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "This lab allows 8 h in all (RESERVATION_LIMIT), and the reservation has 1 h already.",
    )


def test_a_job_that_a_worker_runs_is_not_released(alice: User, login: Login) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    answer = login(alice).post(address(job, "release/"))

    assert (answer.status_code, answer.json()["detail"]) == (409, f"Job {job.pk} is no reservation.")


def test_a_stranger_sees_who_holds_it_and_not_how_it_is_reached(
    alice: User, mallory: User, login: Login, anyone: APIClient
) -> None:
    build.device(dictionary="access: ssh root@hush\nexecutor: shell\n")
    job = build.reservation(by=alice)

    for client in (login(mallory), anyone):
        shown = client.get(address(job))
        assert (shown.json()["submitter"], shown.json()["access"]) == ("alice", [])
        assert "hush" not in shown.content.decode()
    refused = login(mallory).post(address(job, "release/"))
    assert refused.status_code == 403


def test_reservations_are_listed_apart(alice: User, anyone: APIClient) -> None:
    build.device("qemu02")
    job = build.reservation(by=alice)
    build.job(submitter=alice, device="qemu02")

    items = anyone.get("/api/v1/jobs/?kind=reservation").json()["items"]

    assert [item["id"] for item in items] == [job.pk]


def test_the_clients_of_lava_see_a_job_and_may_cancel_it(alice: User, login: Login) -> None:
    job = build.reservation(by=alice)
    client = login(alice)

    shown = client.get(f"/api/v0.2/jobs/{job.pk}/").json()
    canceled = client.post(f"/api/v0.2/jobs/{job.pk}/cancel/")

    assert (shown["state"], shown["description"], shown["actual_device"]) == (
        "Running",
        "bisecting the boot",
        "qemu01",
    )
    assert shown["definition"].startswith("# A reservation: a person holds a device by hand.")
    assert canceled.status_code == 200
    assert Job.objects.get(pk=job.pk).health == Health.CANCELED


def test_its_definition_reserves_again_by_the_apis_of_lava(alice: User, login: Login) -> None:
    text = build.reservation(by=alice, state=State.FINISHED).definition

    answer = login(alice).post("/api/v0.2/jobs/", {"definition": text})

    assert answer.status_code == 201
    assert Job.objects.reservations().count() == 2
