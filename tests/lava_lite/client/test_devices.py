from __future__ import annotations

import pytest

from tests.lava_lite.client.conftest import FakeServer, LavaLite, device, problem

HEALTH = "/api/v1/devices/health/"


@pytest.mark.parametrize(
    ("command", "health"),
    [("maintenance", "Maintenance"), ("good", "Good"), ("loop", "Looping"), ("retire", "Retired")],
)
def test_many_devices_are_changed_at_once(
    lava_lite: LavaLite, fake: FakeServer, command: str, health: str
) -> None:
    fake.on("POST", HEALTH, {"items": [device("qemu01", health=health), device("qemu02", health=health)]})

    done = lava_lite("device", command, "qemu01", "qemu02", "--reason", "new cables")

    assert done.code == 0
    assert [line.split("\t")[:4] for line in done.out.splitlines()] == [
        ["qemu01", "qemu", "Idle", health],
        ["qemu02", "qemu", "Idle", health],
    ]
    assert fake.asked[0].json == {
        "devices": ["qemu01", "qemu02"],
        "health": health,
        "reason": "new cables",
    }


def test_maintenance_needs_a_reason(lava_lite: LavaLite, fake: FakeServer) -> None:
    done = lava_lite("device", "maintenance", "qemu01")

    assert done.code == 2
    assert "--reason" in done.err
    assert fake.asked == []


def test_devices_of_others_are_left_alone_and_it_is_told_why(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", HEALTH, problem(403, "Not allowed", "you do not look after qemu02; nothing was changed"))

    done = lava_lite("device", "good", "qemu01", "qemu02")

    assert (done.code, done.out) == (5, "")
    assert done.err == "lava-lite: Not allowed: you do not look after qemu02; nothing was changed\n"


def test_devices_are_listed_with_filters(lava_lite: LavaLite, fake: FakeServer) -> None:
    bad = device("qemu02", health="Bad", health_reason="no power", job=12)
    fake.on("GET", "/api/v1/devices/?health=Bad&limit=50", {"items": [bad], "next": None})

    assert (
        lava_lite("device", "list", "--health", "Bad").out == "qemu02\tqemu\tIdle\tBad\track1\t12\tno power\n"
    )


def test_retired_devices_are_listed_when_asked_for(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", "/api/v1/devices/?all=1&limit=50", {"items": [device("old")], "next": None})

    assert lava_lite("device", "list", "--all", "--json").json == [device("old")]


def test_all_about_a_device_is_shown(lava_lite: LavaLite, fake: FakeServer) -> None:
    shown = device("a b/c", health="Bad", health_reason="no power", health_by="bob", worker=None)
    fake.on("GET", "/api/v1/devices/a%20b%2Fc/", shown)

    lines = lava_lite("device", "show", "a b/c").out.splitlines()

    assert {"health\tBad", "reason\tno power", "by\tbob"} <= set(lines)
    assert not any(line.startswith("worker") for line in lines)


def test_a_closed_device_is_freed_with_a_reason(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", "/api/v1/devices/qemu01/free/", device("qemu01"))

    done = lava_lite("device", "free", "qemu01", "--reason", "the board is off")

    assert (done.code, done.out.split("\t")[:3]) == (0, ["qemu01", "qemu", "Idle"])
    assert fake.asked[0].json == {"reason": "the board is off"}


def test_freeing_needs_a_reason(lava_lite: LavaLite, fake: FakeServer) -> None:
    assert lava_lite("device", "free", "qemu01").code == 2
    assert fake.asked == []


def test_a_device_is_checked(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", "/api/v1/devices/qemu01/check/", device("qemu01", health="Unknown"))

    done = lava_lite("device", "check", "qemu01", "--reason", "new cables")

    assert done.out.startswith("qemu01\tqemu\tIdle\tUnknown")
    assert fake.asked[0].json == {"reason": "new cables"}


def test_the_last_check_of_a_device_is_shown(lava_lite: LavaLite, fake: FakeServer) -> None:
    shown = device("qemu01", last_check=12, last_check_time="2026-11-25T10:25:33Z")
    fake.on("GET", "/api/v1/devices/qemu01/", shown)

    assert "last check\tjob 12, 2026-11-25T10:25:33Z" in lava_lite("device", "show", "qemu01").out
