"""Any version of a worker is welcome; one that is known not to work here is warned of."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from devices.worker_versions import KNOWN, trouble_of
from lava_lite.health import checks
from tests import build
from tests.workers.test_server import Wire

OLD = "2020.08"


@pytest.mark.parametrize("version", [OLD, "2020.8", "2019.11.post1", "2020.08+b1", "2018.02-1"])
def test_a_version_that_spoke_another_protocol_is_warned_of(version: str) -> None:
    assert trouble_of(version) in KNOWN


@pytest.mark.parametrize(
    "version",
    ["2020.09", "2020.12", "2023.01", "2023.01-2", "2026.07", "2099.1", "0.1.0", "", "2020", "x 2020.08"],
)
def test_nothing_is_said_of_any_other(version: str) -> None:
    assert trouble_of(version) is None


@pytest.mark.django_db
@pytest.mark.parametrize("version", [OLD, "2023.01", "2099.12", "1", "what ever"])
def test_a_ping_of_any_version_is_answered(version: str) -> None:
    token = build.worker_token()

    status, orders = Wire().ping("worker01", token, version=version)

    assert (status, orders) == (200, {"cancel": [], "running": [], "start": []})


@pytest.mark.parametrize("address", ["/worker/worker01/", "/workers/"])
def test_its_page_and_the_list_show_the_version_and_the_warning(
    client: Client, admin: User, address: str
) -> None:
    worker = build.worker(version=OLD)
    (known,) = KNOWN
    client.force_login(admin)

    warned = client.get(address).content.decode()
    worker.version = "2023.01"
    worker.save()
    fine = client.get(address).content.decode()

    assert known.what.split(",")[0].replace("'", "&#x27;") in warned
    assert OLD in warned
    assert "2023.01" in fine
    assert "ZMQ" not in fine


def test_the_page_says_what_to_do(client: Client, admin: User) -> None:
    build.worker(version=OLD)
    client.force_login(admin)

    assert KNOWN[0].remedy in client.get("/worker/worker01/").content.decode()


@pytest.mark.django_db
def test_the_doctor_tells_each_version_and_the_warning() -> None:
    build.worker("new", version="2023.01")
    build.worker("old", version=OLD)

    told = [(finding.text, finding.remedy) for finding in checks.workers()]

    assert ("new is online, of version 2023.01", "") in told
    assert (f"old is of version {OLD}: {KNOWN[0].what}", KNOWN[0].remedy) in told
