from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from jobs import capacity
from jobs.capacity import Standing, expected_wait, standing
from jobs.states import State
from tests import build

GOOD, IDLE = DeviceHealth.GOOD, DeviceState.IDLE
ONLINE, ACTIVE = WorkerState.ONLINE, WorkerHealth.ACTIVE


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"free": 1, "at_work": 1, "queued": 0, "durations": []}, 0.0),
        ({"free": 0, "at_work": 1, "queued": 0, "durations": [60.0]}, 60.0),
        ({"free": 0, "at_work": 2, "queued": 3, "durations": [30.0, 60.0, 900.0]}, 120.0),
        ({"free": 0, "at_work": 0, "queued": 0, "durations": [60.0]}, None),
        ({"free": 0, "at_work": 1, "queued": 0, "durations": []}, None),
        # Held by people: the device comes back at a known time, and takes one job at once.
        ({"free": 0, "at_work": 1, "queued": 0, "durations": [60.0], "held": [900.0]}, 900.0),
        ({"free": 0, "at_work": 1, "queued": 1, "durations": [60.0], "held": [900.0]}, 960.0),
        ({"free": 0, "at_work": 2, "queued": 0, "durations": [60.0], "held": [900.0]}, 60.0),
        ({"free": 0, "at_work": 2, "queued": 15, "durations": [60.0], "held": [900.0]}, 900.0),
        ({"free": 0, "at_work": 2, "queued": 1, "durations": [60.0], "held": [900.0, 30.0]}, 90.0),
    ],
)
def test_the_wait_follows_from_the_queue_the_devices_and_the_last_jobs(
    given: dict[str, Any], seconds: float | None
) -> None:
    assert expected_wait(**given) == seconds


@pytest.mark.parametrize(
    ("seen", "counts_as"),
    [
        ((IDLE, GOOD, ONLINE, ACTIVE), Standing.FREE),
        ((IDLE, DeviceHealth.UNKNOWN, ONLINE, ACTIVE), Standing.FREE),
        ((DeviceState.RESERVED, GOOD, ONLINE, ACTIVE), Standing.RESERVED),
        ((DeviceState.RUNNING, GOOD, ONLINE, ACTIVE), Standing.BUSY),
        ((DeviceState.RUNNING, DeviceHealth.MAINTENANCE, ONLINE, ACTIVE), Standing.MAINTENANCE),
        ((IDLE, GOOD, ONLINE, WorkerHealth.MAINTENANCE), Standing.MAINTENANCE),
        ((IDLE, DeviceHealth.BAD, WorkerState.OFFLINE, ACTIVE), Standing.BAD),
        ((IDLE, DeviceHealth.LOOPING, ONLINE, ACTIVE), Standing.BAD),
        ((IDLE, GOOD, WorkerState.OFFLINE, ACTIVE), Standing.OFFLINE),
        ((IDLE, GOOD, ONLINE, WorkerHealth.RETIRED), Standing.OFFLINE),
        ((IDLE, GOOD, None, None), Standing.OFFLINE),
    ],
)
def test_what_keeps_a_device_longest_comes_first(seen: Any, counts_as: Standing) -> None:
    assert standing(*seen) is counts_as


def test_it_takes_the_same_number_of_queries_however_large_the_lab_is(admin: User) -> None:
    build.device()
    kind = build.device_type()
    with CaptureQueriesContext(connection) as few:
        capacity.of(kind, admin)
    for number in range(5):
        build.device(f"more{number}", worker=f"worker{number}")
        build.job(submitter=admin, state=State.FINISHED)

    with CaptureQueriesContext(connection) as many:
        assert capacity.of(kind, admin).devices == 6

    assert len(many) == len(few)


def test_jobs_that_ended_tell_how_long_the_next_one_takes(admin: User) -> None:
    build.job(submitter=admin, state=State.FINISHED)
    build.job(submitter=admin, state=State.RUNNING)

    found = capacity.of(build.device_type(), admin)

    assert found.running == 1
    assert found.expected_wait is not None
    assert found.expected_wait > 0
