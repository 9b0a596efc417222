"""The scheduler's passes: who gets a device, who does not, and that nobody gets one twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group, User
from django.db import connections
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices import lifecycle as devices
from devices.lifecycle import WorkerFull
from devices.models import Device, Right, Worker
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from jobs import devices_now, lifecycle, scheduler, waiting
from jobs.matching import Cause
from jobs.models import Job
from jobs.open_devices import OpenDevices
from jobs.states import Health, State
from tests import build, children
from tests.jobs import busy_lab
from tests.parallel import together


def state_of(job: Job) -> State:
    return State(Job.objects.get(pk=job.pk).state)


@pytest.mark.django_db
def test_a_waiting_job_gets_an_idle_device(alice: User) -> None:
    job = build.job(submitter=alice)

    assert scheduler.run_once() == 1

    assert state_of(job) == State.SCHEDULED
    assert Device.objects.get(pk="qemu01").state == DeviceState.RESERVED


@pytest.mark.django_db
def test_a_pass_with_nothing_to_do_does_nothing() -> None:
    assert scheduler.run_once() == 0


@pytest.mark.django_db
def test_the_urgent_job_goes_first_then_the_older_one(alice: User) -> None:
    later = build.job(submitter=alice)
    first = build.job(submitter=alice, priority="high")

    scheduler.run_once()

    assert (state_of(first), state_of(later)) == (State.SCHEDULED, State.SUBMITTED)


@pytest.mark.django_db
def test_a_job_waits_for_a_device_with_its_tags(alice: User) -> None:
    build.device("usb01", tags=("usb",))
    job = build.job(submitter=alice, tags=["usb"])

    scheduler.run_once()

    assert Job.objects.get(pk=job.pk).device_id == "usb01"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("health", "scheduled"),
    [
        (DeviceHealth.GOOD, 1),
        (DeviceHealth.UNKNOWN, 1),
        (DeviceHealth.LOOPING, 0),
        (DeviceHealth.BAD, 0),
        (DeviceHealth.MAINTENANCE, 0),
        (DeviceHealth.RETIRED, 0),
    ],
)
def test_only_a_usable_device_gets_a_job(health: DeviceHealth, scheduled: int, alice: User) -> None:
    build.job(submitter=alice)
    devices.set_health("qemu01", health, by="admin")

    assert scheduler.run_once() == scheduled


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "scheduled"),
    [
        ({}, 1),
        ({"state": WorkerState.OFFLINE}, 0),
        ({"health": WorkerHealth.MAINTENANCE}, 0),
        ({"health": WorkerHealth.RETIRED}, 0),
    ],
    ids=str,
)
def test_only_a_worker_that_is_there_and_active_gets_jobs(
    changes: dict[str, int], scheduled: int, alice: User
) -> None:
    build.job(submitter=alice)
    Worker.objects.filter(pk="worker01").update(**changes)

    assert scheduler.run_once() == scheduled


@pytest.mark.django_db
def test_a_device_without_a_worker_gets_no_job(alice: User) -> None:
    build.device(worker=None)
    build.job(submitter=alice)

    assert scheduler.run_once() == 0


@pytest.mark.django_db
def test_a_worker_takes_no_more_jobs_than_its_limit(alice: User) -> None:
    build.worker(job_limit=2)
    for name in ("qemu01", "qemu02", "qemu03"):
        build.device(name)
        build.job(submitter=alice)

    assert (scheduler.run_once(), scheduler.run_once()) == (2, 0)

    job = Job.objects.filter(state=State.SCHEDULED)[0]
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")
    assert scheduler.run_once() == 1


@pytest.mark.django_db
def test_a_device_that_was_taken_between_look_and_lock_is_passed_over(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = build.job(submitter=alice)
    idle = devices_now.idle()
    monkeypatch.setattr(devices_now, "idle", lambda: idle)
    devices.maintenance("qemu01", by="admin")

    assert scheduler.run_once() == 0

    assert state_of(job) == State.SUBMITTED


@pytest.mark.django_db
def test_a_job_that_waited_longer_than_it_may_is_taken_out_of_the_queue(alice: User) -> None:
    timeouts = {"job": {"minutes": 5}, "queue": {"minutes": 10}}
    patient = build.job(submitter=alice)
    impatient = build.job(submitter=alice, timeouts=timeouts)
    recent = build.job(submitter=alice, timeouts=timeouts)
    devices.maintenance("qemu01", by="admin")
    for job in (patient, impatient):
        Job.objects.filter(pk=job.pk).update(submit_time=timezone.now() - timedelta(minutes=11))

    scheduler.run_once()

    assert state_of(patient) == state_of(recent) == State.SUBMITTED
    ended = Job.objects.get(pk=impatient.pk)
    assert (ended.state, ended.health) == (State.FINISHED, Health.CANCELED)
    assert ended.failure_comment == "It waited in the queue longer than it may."


@pytest.mark.django_db
def test_a_worker_that_is_silent_goes_offline_and_gets_no_job_in_the_same_pass(alice: User) -> None:
    job = build.job(submitter=alice)
    Worker.objects.filter(pk="worker01").update(last_ping=timezone.now() - timedelta(seconds=61))

    assert scheduler.run_once() == 0

    worker = Worker.objects.get(pk="worker01")
    assert worker.state == WorkerState.OFFLINE
    assert build.events_of(worker) == ["worker.added", "worker.changed"]
    assert state_of(job) == State.SUBMITTED


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_once_never_give_a_device_twice(alice: User) -> None:
    for number in range(6):
        build.device(f"qemu{number}")
    jobs = [build.job(submitter=alice, device="qemu0") for _ in range(9)]

    counts = together(*[scheduler.run_once] * 3)

    assert sum(counts) == 6
    _check_that_nothing_is_given_twice(jobs, given=6)


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_in_two_processes_never_give_a_device_twice(alice: User) -> None:
    for number in range(6):
        build.device(f"qemu{number}")
    jobs = [build.job(submitter=alice, device="qemu0") for _ in range(9)]
    processes = [children.start("tests.jobs.scheduling") for _ in range(2)]

    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = [process.communicate("go\n", timeout=60)[0] for process in processes]

    assert sum(int(output) for output in outputs) == 6
    _check_that_nothing_is_given_twice(jobs, given=6)


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_once_keep_the_limit_of_a_worker(alice: User) -> None:
    build.worker(job_limit=2)
    for number in range(8):
        build.device(f"qemu{number}")
        build.job(submitter=alice, device="qemu0")

    counts = together(*[scheduler.run_once] * 3)

    assert sum(counts) == Job.objects.filter(state=State.SCHEDULED).count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_busy_lab_with_two_schedulers_gives_nothing_twice_and_forgets_nobody() -> None:
    busy_lab.fill(jobs=40, devices=8, workers=2, job_limit=3)

    report = busy_lab.run()

    assert (report.finished, report.double_bookings, sum(report.given)) == (40, 0, 40)
    assert report.most_on_a_worker <= 3
    assert report.fewest_on_a_device > 0
    assert report.overtaken <= 16


@pytest.mark.django_db(transaction=True)
def test_a_busy_lab_with_two_schedulers_gives_groups_all_or_nothing_and_forgets_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MULTINODE_PATIENCE", "0")
    busy_lab.fill(jobs=40, devices=6, workers=2, job_limit=3, groups=10)

    report = busy_lab.run()

    assert (report.finished, report.double_bookings, report.split_groups) == (40, 0, 0)
    assert report.most_on_a_worker <= 3


@pytest.mark.django_db
def test_a_full_worker_gives_no_device_even_by_hand(alice: User) -> None:
    build.worker(job_limit=1)
    build.job(submitter=alice, state=State.SCHEDULED)
    second = build.job(submitter=alice, device="qemu02")

    with pytest.raises(WorkerFull, match="worker01 has 1 of the 1 jobs that it takes; no room for 1 more"):
        lifecycle.schedule(second.pk, "qemu02")

    assert state_of(second) == State.SUBMITTED


@pytest.mark.django_db
def test_the_queries_of_a_pass_grow_neither_with_the_queue_nor_with_the_devices(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        build.device(f"usb{number}", tags=("usb",))
        for tags in ([], ["usb"]):
            build.job(submitter=alice, tags=tags, device="usb0")

    with django_assert_num_queries(7):
        assert len(scheduler._pairs(scheduler._room())) == 5


def _check_that_nothing_is_given_twice(jobs: list[Job], *, given: int) -> None:
    scheduled = Job.objects.filter(state=State.SCHEDULED)
    assert scheduled.count() == given
    assert len(set(scheduled.values_list("device_id", flat=True))) == given
    for job in jobs:
        expected = ["job.submitted", "job.scheduled"] if job in scheduled else ["job.submitted"]
        assert build.events_of(job) == expected


@pytest.mark.django_db(transaction=True)
def test_a_running_scheduler_is_woken_by_a_submission_and_ends_when_told(
    alice: User, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.device()
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 60.0)  # only the bell can wake it in time
    stop = threading.Event()
    thread = threading.Thread(target=_schedule, args=(stop,))
    thread.start()
    _wait_until(lambda: bool(list((data / "run").glob("engine.*"))))

    job = build.job(submitter=alice)

    _wait_until(lambda: state_of(job) == State.SCHEDULED)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.django_db
def test_what_time_brings_about_is_looked_for_once_a_second_however_often_the_bell_rings(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(scheduler, "time", SimpleNamespace(monotonic=lambda: now[0]))
    passes = scheduler.Passes()
    passes.once()
    job = build.job(submitter=alice, state=State.RUNNING, device="qemu01")
    Job.objects.filter(pk=job.pk).update(deadline=timezone.now() - timedelta(minutes=1))

    now[0] += 0.4
    passes.once()
    assert state_of(job) == State.RUNNING
    assert passes.until_next() == pytest.approx(0.6)

    now[0] += 0.6
    passes.once()
    assert state_of(job) == State.FINISHED
    assert passes.until_next() is None


@pytest.mark.django_db
def test_a_pass_gives_devices_though_the_watch_is_fresh(alice: User) -> None:
    passes = scheduler.Passes()
    passes.once()
    build.device()
    job = build.job(submitter=alice)

    assert passes.once() == 1
    assert state_of(job) == State.SCHEDULED


def _schedule(stop: threading.Event) -> None:
    try:
        scheduler.run(stop)
    finally:
        connections.close_all()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


@pytest.mark.django_db
def test_a_job_gets_only_a_device_that_is_open_to_its_submitter(
    group: Group, alice: User, mallory: User
) -> None:
    closed, open_to_all = build.job(submitter=mallory), build.job(submitter=mallory, device="qemu02")
    build.right(group, "qemu01", Right.SUBMIT)

    assert scheduler.run_once() == 1

    assert Device.objects.get(pk="qemu01").state == DeviceState.IDLE
    assert state_of(closed) == State.SCHEDULED
    assert state_of(open_to_all) == State.SUBMITTED
    assert waiting.reason(open_to_all).cause == Cause.BUSY


@pytest.mark.django_db
def test_a_job_whose_submitter_lost_the_right_says_why_it_waits(group: Group, mallory: User) -> None:
    job = build.job(submitter=mallory)
    build.right(group, "qemu01", Right.SUBMIT)

    assert scheduler.run_once() == 0

    assert waiting.reason(job).cause == Cause.NOT_ALLOWED


@pytest.mark.django_db
def test_rights_are_asked_for_all_submitters_at_once(
    group: Group, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    build.right(group, "qemu01", Right.SUBMIT)
    jobs = [build.job(submitter=build.user(f"user{number}"), device="qemu02") for number in range(20)]

    with django_assert_num_queries(5):
        asked = OpenDevices({job.submitter_id for job in jobs})
        assert {asked.of(job.submitter_id) for job in jobs} == {frozenset({"qemu02"})}
