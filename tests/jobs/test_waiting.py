from __future__ import annotations

import pytest

from devices import lifecycle as devices
from devices.states import WorkerState
from jobs import waiting
from jobs.matching import Cause
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db


def test_a_job_waits_for_the_device_that_another_job_has() -> None:
    build.job(state=State.RUNNING)
    job = build.job()

    assert waiting.reason(job).cause is Cause.BUSY


def test_a_job_waits_for_a_device_in_maintenance() -> None:
    job = build.job()
    devices.maintenance("qemu01", by="admin", reason="new relay")

    reason = waiting.reason(job)

    assert reason.cause is Cause.UNAVAILABLE
    assert "1 in maintenance" in reason.sentence


def test_a_job_waits_for_a_worker_that_is_offline() -> None:
    build.worker(state=WorkerState.OFFLINE)
    job = build.job()

    assert "offline" in waiting.reason(job).sentence


def test_a_job_with_a_free_device_is_next() -> None:
    assert waiting.reason(build.job()).cause is Cause.NEXT


def test_a_job_waits_for_a_device_that_is_closed() -> None:
    build.given_up()
    job = build.job()

    reason = waiting.reason(job)

    assert reason.cause is Cause.UNAVAILABLE
    assert "1 closed until the end of a job there is confirmed" in reason.sentence
