from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from devices import lifecycle as devices
from devices.states import WorkerState
from jobs import waiting
from jobs.matching import Cause
from jobs.models import Job
from jobs.states import State
from jobs.waiting import Prospect
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


def test_a_job_waits_for_a_worker_that_takes_no_more_jobs() -> None:
    build.worker(job_limit=1)
    build.device("qemu02")
    build.job(state=State.RUNNING)
    job = build.job()

    reason = waiting.reason(job)

    assert reason.cause is Cause.BUSY
    assert reason.sentence == (
        "It waits for a device that fits: 1 busy, 1 on a worker that takes no more jobs now."
    )


def test_a_person_does_not_wait_for_a_worker_that_takes_no_more_jobs() -> None:
    build.worker(job_limit=1)
    build.device("qemu02")
    build.job(state=State.RUNNING)

    assert waiting.reason(build.reservation(state=State.SUBMITTED)).cause is Cause.NEXT


def test_a_job_with_a_free_device_is_next() -> None:
    assert waiting.reason(build.job()).cause is Cause.NEXT


def ended(seconds: int) -> None:
    """A job that took so long."""
    job = build.job(state=State.FINISHED)
    Job.objects.filter(pk=job.pk).update(start_time=F("end_time") - timedelta(seconds=seconds))


def test_the_place_in_the_queue_is_by_priority_then_by_time() -> None:
    build.job(state=State.RUNNING)
    first, urgent, last = build.job(), build.job(priority="high"), build.job()

    places = [Prospect.of(job) for job in (first, urgent, last)]

    assert [(prospect.place, prospect.queued) for prospect in places] == [(2, 3), (1, 3), (3, 3)]


def test_jobs_of_other_types_are_not_before_it() -> None:
    build.job(device="rpi01", device_type="rpi")
    build.job(state=State.RUNNING)

    assert Prospect.of(build.job()).place == 1


def test_the_wait_is_told_by_what_the_last_jobs_took_and_the_devices_that_fit() -> None:
    for seconds in (60, 600, 120):
        ended(seconds)
    build.device("qemu02")
    for name in ("qemu01", "qemu02"):
        build.job(state=State.RUNNING, device=name)
    first, second = build.job(), build.job()

    assert Prospect.of(first).wait == timedelta(seconds=60)
    assert Prospect.of(second).wait == timedelta(seconds=120)


def test_a_job_with_a_free_device_and_nobody_before_it_does_not_wait() -> None:
    assert Prospect.of(build.job()).wait == timedelta(0)


def test_a_job_does_not_wait_while_more_devices_are_free_than_jobs_are_before_it() -> None:
    build.device("qemu02")
    _, second = build.job(), build.job()

    assert Prospect.of(second).wait == timedelta(0)


def test_nobody_knows_how_long_a_job_waits_for_a_person() -> None:
    ended(60)
    job = build.job()
    devices.maintenance("qemu01", by="admin", reason="new relay")

    assert Prospect.of(job).wait is None


def test_nobody_knows_how_long_the_first_jobs_take() -> None:
    build.job(state=State.RUNNING)

    assert Prospect.of(build.job()).wait is None


def test_a_job_waits_for_a_device_that_is_closed() -> None:
    build.given_up()
    job = build.job()

    reason = waiting.reason(job)

    assert reason.cause is Cause.UNAVAILABLE
    assert "1 closed until the end of a job there is confirmed" in reason.sentence
