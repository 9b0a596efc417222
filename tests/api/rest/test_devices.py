from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from devices.models import Alias
from devices.states import DeviceHealth, WorkerState
from tests import build

ROOT = "/api/v0.2"


def names(client: APIClient, path: str, key: str = "hostname") -> list[str]:
    return [row[key] for row in client.get(f"{ROOT}/{path}").json()["results"]]


def test_a_device_has_the_keys_that_typed_clients_expect(anyone: APIClient) -> None:
    device = build.device(tags=("usb",), description="the one by the window")

    shown = anyone.get(f"{ROOT}/devices/qemu01/").json()

    assert shown == {
        "hostname": "qemu01",
        "device_type": "qemu",
        "device_version": None,
        "physical_owner": None,
        "physical_group": None,
        "description": "the one by the window",
        "tags": [device.tags.get().pk],
        "state": "Idle",
        "health": "Good",
        "last_health_report_job": None,
        "worker_host": "worker01",
        "is_synced": False,
    }


def test_a_device_without_a_worker_names_none_in_text(anyone: APIClient) -> None:
    build.device(worker=None)

    assert anyone.get(f"{ROOT}/devices/qemu01").json()["worker_host"] == ""


def test_retired_devices_are_listed_only_when_asked_for(anyone: APIClient) -> None:
    build.device("qemu01")
    build.device("qemu02", health=DeviceHealth.RETIRED)

    assert names(anyone, "devices/") == ["qemu01"]
    assert names(anyone, "devices/?all=1") == ["qemu01", "qemu02"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("device_type=rpi", ["rpi01"]),
        ("hostname__startswith=qemu", ["qemu01", "qemu02"]),
        ("health=MAINTENANCE", ["qemu02"]),
        ("state=Idle&ordering=-hostname", ["rpi01", "qemu02", "qemu01"]),
        ("worker_host=worker02", ["rpi01"]),
        ("tags__name=usb", ["rpi01"]),
        ("ordering=health,hostname", ["qemu01", "rpi01", "qemu02"]),
    ],
)
def test_devices_are_narrowed_and_sorted(anyone: APIClient, query: str, found: list[str]) -> None:
    build.device("qemu01")
    build.device("qemu02", health=DeviceHealth.MAINTENANCE)
    build.device("rpi01", device_type="rpi", worker="worker02", tags=("usb",))

    assert names(anyone, f"devices/?{query}") == found


def test_a_health_that_is_none_is_refused_with_those_that_are(anyone: APIClient) -> None:
    answer = anyone.get(f"{ROOT}/devices/?health=Fine")

    assert answer.status_code == 400
    assert answer.json() == {
        "health": ["'Fine' is none of Good, Unknown, Looping, Bad, Maintenance, Retired"]
    }


def test_a_device_type_has_lavas_keys(anyone: APIClient) -> None:
    build.device_type("qemu", description="Virtual")
    Alias.objects.create(name="kvm", device_type_id="qemu")

    shown = anyone.get(f"{ROOT}/devicetypes/qemu/").json()

    assert (shown["name"], shown["description"], shown["display"]) == ("qemu", "Virtual", True)
    assert (shown["aliases"], shown["cores"], shown["architecture"]) == (["kvm"], [], None)


def test_device_types_are_listed_by_name(anyone: APIClient) -> None:
    build.device_type("rpi")
    build.device_type("qemu")

    assert names(anyone, "devicetypes", "name") == ["qemu", "rpi"]


def test_a_worker_is_shown_without_its_token(anyone: APIClient) -> None:
    build.worker(description="below the desk", version="2023.01", job_limit=3)
    build.worker_token()

    assert anyone.get(f"{ROOT}/workers/worker01").json() == {
        "hostname": "worker01",
        "health": "Active",
        "state": "Online",
        "description": "below the desk",
        "last_ping": None,
        "job_limit": 3,
        "version": "2023.01",
    }


def test_workers_are_narrowed_by_their_state(anyone: APIClient) -> None:
    build.worker("worker01")
    build.worker("worker02", state=WorkerState.OFFLINE)

    assert names(anyone, "workers/?state=Offline") == ["worker02"]


@pytest.mark.parametrize("collection", ["devices", "devicetypes", "workers"])
@pytest.mark.parametrize("name", ["nosuch", "%00", "%ff", "a%20b", "\N{SNOWMAN}", "x" * 500])
def test_what_is_not_there_is_not_found(anyone: APIClient, collection: str, name: str) -> None:
    answer = anyone.get(f"{ROOT}/{collection}/{name}/")

    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize(("collection", "queries"), [("devices", 3), ("devicetypes", 3), ("workers", 2)])
def test_a_list_costs_the_same_queries_however_long_it_is(
    anyone: APIClient, collection: str, queries: int, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        build.device(f"qemu{number}", device_type=f"type{number}", worker=f"worker{number}", tags=("usb",))

    with django_assert_num_queries(queries):  # the keys, the rows, the devices' tags, the types' aliases
        anyone.get(f"{ROOT}/{collection}/")
