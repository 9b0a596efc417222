from __future__ import annotations

from typing import Any

import pytest

from tests.lava_lite.client.conftest import FakeServer, LavaLite, job, problem

RESERVE = ("device", "reserve", "qemu01", "--for", "90min", "--purpose", "bisecting the boot")


def reservation(**fields: Any) -> dict[str, Any]:
    """One that is held, as the API gives it to its holder."""
    held = {
        "kind": "reservation",
        "description": "bisecting the boot",
        "state": "Running",
        "health": "Unknown",
        "outcome": None,
        "wanted_device": "qemu01",
        "end_time": None,
        "deadline": "2026-01-31T13:30:05Z",
        "access": ["ssh root@qemu01", "picocom /dev/ttyUSB0"],
    }
    return job(12, **held | fields)


WAITS = reservation(state="Submitted", device=None, deadline=None, access=[], start_time=None, duration=None)


def test_a_device_is_reserved(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", "/api/v1/reservations/", WAITS)

    done = lava_lite(*RESERVE)

    assert (done.code, done.out) == (0, "12\thttp://lab/job/12/\n")
    assert fake.asked[0].json == {
        "device": "qemu01",
        "duration": 5400,
        "purpose": "bisecting the boot",
        "tags": [],
    }


def test_any_device_of_a_type_with_a_tag_is_reserved(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", "/api/v1/reservations/", WAITS)

    lava_lite("device", "reserve", "--type", "qemu", "--tag", "usb", "--for", "1d", "--purpose", "looking")

    assert fake.asked[0].json == {
        "device_type": "qemu",
        "duration": 86400,
        "purpose": "looking",
        "tags": ["usb"],
    }


@pytest.mark.parametrize("words", [(), ("qemu01", "--type", "qemu")])
def test_either_a_device_or_a_type_is_named(
    words: tuple[str, ...], lava_lite: LavaLite, fake: FakeServer
) -> None:
    done = lava_lite("device", "reserve", *words, "--for", "1h", "--purpose", "looking")

    assert (done.code, fake.asked) == (2, [])
    assert "Name either a device, or with --type the type" in done.err


def test_a_length_that_is_none_is_refused(lava_lite: LavaLite, fake: FakeServer) -> None:
    done = lava_lite("device", "reserve", "qemu01", "--for", "soon", "--purpose", "looking")

    assert (done.code, fake.asked) == (2, [])
    assert "expected a length like 90min, 2h or 1d, got 'soon'" in done.err


def test_who_waits_is_told_how_the_device_is_reached(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", "/api/v1/reservations/", WAITS)
    fake.on("GET", "/api/v1/jobs/12/", reservation())

    done = lava_lite(*RESERVE, "--wait")

    assert done.code == 0
    assert "access\tssh root@qemu01\naccess\tpicocom /dev/ttyUSB0\n" in done.out
    assert "Reservation 12: http://lab/job/12/" in done.err


def test_one_that_is_canceled_while_somebody_waits_ends_the_waiting(
    lava_lite: LavaLite, fake: FakeServer
) -> None:
    fake.on("POST", "/api/v1/reservations/", WAITS)
    fake.on("GET", "/api/v1/jobs/12/", WAITS | {"state": "Finished", "outcome": "canceled", "reason": "no"})

    assert lava_lite(*RESERVE, "--wait").code == 4


def test_what_the_lab_does_not_allow_is_told(lava_lite: LavaLite, fake: FakeServer) -> None:
    refused = problem(
        400, "A parameter or a field is wrong", "", errors={"duration": ["expected at most 8 h"]}
    )
    fake.on("POST", "/api/v1/reservations/", refused)

    done = lava_lite(*RESERVE)

    assert done.code == 2
    assert "duration: expected at most 8 h" in done.err


def test_reservations_are_listed(lava_lite: LavaLite, fake: FakeServer) -> None:
    states = "Submitted%2CScheduling%2CScheduled%2CRunning%2CCanceling"
    fake.on(
        "GET",
        f"/api/v1/jobs/?kind=reservation&state={states}&submitter=alice&limit=50",
        {"items": [reservation()], "next": None},
    )

    done = lava_lite("reservation", "list", "--submitter", "alice")

    assert done.out == "12\tRunning\tqemu01\talice\t2026-01-31T13:30:05Z\tbisecting the boot\n"


def test_one_is_extended_and_released(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("POST", "/api/v1/jobs/12/extend/", reservation())
    fake.on("POST", "/api/v1/jobs/12/release/", reservation(state="Finished"))

    extended = lava_lite("reservation", "extend", "12", "--by", "30min")
    released = lava_lite("reservation", "release", "12", "--json")

    assert (extended.code, released.code) == (0, 0)
    assert fake.asked[0].json == {"duration": 1800}
    assert released.json["state"] == "Finished"


def test_one_is_shown_to_its_holder(lava_lite: LavaLite, fake: FakeServer) -> None:
    fake.on("GET", "/api/v1/jobs/12/", reservation())

    done = lava_lite("reservation", "show", "12")

    assert "purpose\tbisecting the boot\n" in done.out
    assert "access\tssh root@qemu01\n" in done.out
