"""Random verbs, worker's words, changes by hand and stale instances: the lab stays consistent, its events tell it all.

`RANDOM_WALKS=10000 pytest tests/jobs/test_random_walks.py --hypothesis-seed=N` walks for longer.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices import lifecycle as devices
from devices.lifecycle import DeviceBusy, NoHealthCheck
from devices.models import Device, DeviceType, Worker
from devices.states import DeviceHealth, DeviceState
from events.models import Event
from jobs import attempts, lifecycle, reservations, scheduler, waiting
from jobs.attempts import NotDeferrable
from jobs.definition import InvalidDefinition
from jobs.lifecycle import Ending
from jobs.models import Attempt, Job, JobGroup
from jobs.reservations import ReservationRefused
from jobs.states import MOVES, ON_A_DEVICE, Health, InvalidMove, State
from tests import build

WALKS = int(os.environ.get("RANDOM_WALKS", "60"))
DEVICES = ("qemu01", "qemu02")
REFUSALS = (
    DeviceBusy,
    NoHealthCheck,
    InvalidMove,
    InvalidDefinition,
    NotDeferrable,
    ReservationRefused,
    IntegrityError,
)
ENDS = {
    (None if move.source is None else move.source.label, move.target.label, move.health.label)
    for move in MOVES
}
# What a device does while a job in this state has it.
IN_USE = {
    State.SCHEDULED: {DeviceState.RESERVED},
    State.RUNNING: {DeviceState.RUNNING},
    State.CANCELING: {DeviceState.RESERVED, DeviceState.RUNNING},
}

which = st.integers(0, 5)
attempt = st.integers(1, 3)
minutes = st.sampled_from([1, 60, 3000])
device = st.sampled_from(DEVICES)
ending = st.builds(
    Ending, passed=st.booleans(), error_type=st.sampled_from(["", "Job", "Infrastructure", "Canceled"])
)
STEPS = st.one_of(
    st.tuples(st.just("submit"), st.integers(1, 3)),
    st.tuples(st.just("submit_group")),
    st.tuples(st.just("lose_patience")),
    st.tuples(st.just("reserve")),
    st.tuples(st.just("release"), which),
    st.tuples(st.just("extend"), which),
    st.tuples(st.just("schedule"), which, device),
    st.tuples(st.just("start"), which),
    st.tuples(st.just("finish"), which, ending),
    st.tuples(st.just("cancel"), which),
    st.tuples(st.just("expire"), which),
    st.tuples(st.just("resubmit"), which),
    st.tuples(st.just("run_scheduler")),
    st.tuples(st.just("by_hand"), which, st.sampled_from(State), st.sampled_from(Health), device),
    st.tuples(st.just("stale_save"), which),
    st.tuples(st.just("health"), device, st.sampled_from(DeviceHealth)),
    st.tuples(st.just("retire"), device),
    st.tuples(st.just("time_passes"), which),
    st.tuples(st.just("worker_falls_silent")),
    st.tuples(st.just("worker_comes_back")),
    st.tuples(st.just("say_finished"), which, attempt, ending),
    st.tuples(st.just("ask_for_deferral"), which, minutes),
    st.tuples(st.just("defer"), which, minutes),
    st.tuples(st.just("hurry"), which),
    st.tuples(st.just("free"), device),
    st.tuples(
        st.just("give_the_type_a_check"), st.sampled_from([build.definition(name="well?"), "no: check"])
    ),
    st.tuples(st.just("ask_for_a_check"), device),
)


class Walk:
    """A lab with two devices; it keeps the first instance of each job, which grows stale."""

    def __init__(self, alice: User) -> None:
        self.alice = alice
        self.jobs: list[Job] = []
        self.changed_by_hand: set[int] = set()
        for name in DEVICES:
            build.device(name)
        self.submit()

    def _id(self, which: int) -> int:
        """Of all jobs, those that the lab submitted by itself included."""
        ids = list(Job.objects.order_by("pk").values_list("pk", flat=True))
        return int(ids[which % len(ids)])

    def submit(self, attempts: int = 1) -> None:
        text = build.definition(lava_lite={"retry": attempts})
        self.jobs.append(lifecycle.submit(text, by=self.alice))

    def submit_group(self) -> None:
        self.jobs += lifecycle.submit(build.multinode("server", "client"), by=self.alice).members

    def lose_patience(self) -> None:
        """All that waits has waited for long."""
        Job.objects.queued().update(submit_time=timezone.now() - timedelta(hours=1))

    def reserve(self) -> None:
        self.jobs.append(lifecycle.submit(build.wish().definition(), by=self.alice))

    def release(self, which: int) -> None:
        reservations.release(self._id(which), by="alice")

    def extend(self, which: int) -> None:
        reservations.extend(self._id(which), timedelta(minutes=30), by="alice")

    def schedule(self, which: int, device: str) -> None:
        lifecycle.schedule(self._id(which), device)

    def start(self, which: int) -> None:
        lifecycle.start(self._id(which), worker="worker01")

    def finish(self, which: int, ending: Ending) -> None:
        lifecycle.finish(self._id(which), ending, worker="worker01")

    def cancel(self, which: int) -> None:
        lifecycle.cancel(self._id(which), by="alice")

    def expire(self, which: int) -> None:
        lifecycle.expire(self._id(which))

    def resubmit(self, which: int) -> None:
        self.jobs.append(lifecycle.resubmit(Job.objects.get(pk=self._id(which)), by=self.alice))

    def run_scheduler(self) -> None:
        scheduler.run_once()

    def by_hand(self, which: int, state: State, health: Health, device: str) -> None:
        job = Job.objects.get(pk=self._id(which))
        self.changed_by_hand.add(job.pk)
        job.state, job.health = state, health
        job.device_id = job.device_id or device
        job.save()

    def stale_save(self, which: int) -> None:
        stale = self.jobs[which % len(self.jobs)]
        stale.priority += 1
        stale.save()

    def health(self, device: str, health: DeviceHealth) -> None:
        devices.set_health(device, health, by="admin")

    def retire(self, device: str) -> None:
        devices.retire(device, by="admin")

    def time_passes(self, which: int) -> None:
        """Beyond the deadline of one job, if it has any."""
        build.overdue(Job.objects.get(pk=self._id(which)))

    def worker_falls_silent(self) -> None:
        Worker.objects.update(last_ping=timezone.now() - timedelta(minutes=2))

    def worker_comes_back(self) -> None:
        devices.worker_seen("worker01", version="2023.01")

    def say_finished(self, which: int, attempt: int, ending: Ending) -> None:
        """As a worker does that has had the job, and has lost or ended it."""
        if Attempt.objects.filter(job=self._id(which), number=attempt).exists():
            lifecycle.finish(self._id(which), ending, worker="worker01", attempt=attempt)

    def ask_for_deferral(self, which: int, minutes: int) -> None:
        running = Attempt.objects.filter(job=self._id(which), ended=None)
        running.update(deferral=timedelta(minutes=minutes))

    def defer(self, which: int, minutes: int) -> None:
        attempts.defer(self._id(which), timezone.now() + timedelta(minutes=minutes), by="alice")

    def hurry(self, which: int) -> None:
        attempts.hurry(self._id(which), by="alice")

    def free(self, device: str) -> None:
        devices.free(device, by="admin", reason="it is off")

    def give_the_type_a_check(self, definition: str) -> None:
        DeviceType.objects.update(health_check=definition)

    def ask_for_a_check(self, device: str) -> None:
        devices.check(device, by="admin")


@pytest.mark.django_db
@settings(
    max_examples=WALKS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(steps=st.lists(STEPS, max_size=25))
def test_whatever_is_done_in_whatever_order(steps: list[tuple[object, ...]], alice: User) -> None:
    with build.rolled_back():
        before = Event.objects.count()
        walk = Walk(alice)
        for verb, *arguments in steps:
            with suppress(*REFUSALS), transaction.atomic():
                getattr(walk, str(verb))(*arguments)
            check_devices()
            check_watchdogs()
            check_attempts()
            check_groups(walk.changed_by_hand)
            check_health_checks()
            check_reasons()
        check_events(before)
        check_that_the_lab_comes_to_rest()


def check_devices() -> None:
    for device in Device.objects.all():
        jobs = list(Job.objects.filter(device=device, state__in=ON_A_DEVICE))
        assert len(jobs) <= 1
        expected = IN_USE[State(jobs[0].state)] if jobs else {DeviceState.IDLE}
        if device.is_closed:
            assert not jobs, (device, jobs)
            expected = {DeviceState.RESERVED, DeviceState.RUNNING}
        assert device.state in expected, (device, jobs)


def check_watchdogs() -> None:
    """Whatever is on a device has a deadline; what closes a device is still to be confirmed by a worker."""
    for job in Job.objects.all():
        assert (job.deadline is not None) == (job.state in ON_A_DEVICE), job
        assert job.lost_since is None or job.state in ON_A_DEVICE, job
    for device in Device.objects.exclude(closed_by=None):
        assert Attempt.objects.unconfirmed().filter(job=device.closed_by, device_name=device.pk).exists()


def check_attempts() -> None:
    """A job on a device has an attempt of its number, whose end is open; one in the queue has none yet."""
    for job in Job.objects.all():
        latest = job.attempts.filter(number=job.attempt)
        if job.state in ON_A_DEVICE:
            assert latest.get().ended is None, job
        if job.state == State.SUBMITTED:
            assert not latest.exists(), job
        if job.state == State.FINISHED and job.attempt > 1:
            assert latest.exists(), job
        assert job.not_before is None or job.state == State.SUBMITTED, job


def check_groups(changed_by_hand: set[int]) -> None:
    """All of a group wait, or none does."""
    for group in JobGroup.objects.all():
        jobs = [job for job in group.jobs.all() if job.pk not in changed_by_hand]
        assert len({job.state == State.SUBMITTED for job in jobs}) <= 1, jobs


def check_reasons() -> None:
    """Whatever waits knows why."""
    waits = list(Job.objects.queued().prefetch_related("tags"))
    reasons = waiting.reasons(waits)
    assert all(reasons[job.pk].sentence for job in waits)


def check_health_checks() -> None:
    """None waits in the queue, and what the last one said of a device is not forgotten."""
    for check in Job.objects.filter(health_check=True):
        assert check.state != State.SUBMITTED
        assert check.wanted_device == check.device_id
    for device in Device.objects.exclude(last_check=None):
        last = Job.objects.get(pk=device.last_check)
        assert (last.health_check, last.device_id, last.state) == (True, device.pk, State.FINISHED)


def check_that_the_lab_comes_to_rest() -> None:
    """Nothing is stuck: the watchdogs end what no worker ends, and a worker's word opens what they closed."""
    devices.worker_seen("worker01", version="2023.01")
    for job in Job.objects.for_workers().filter(state__in=ON_A_DEVICE):
        lifecycle.clear_lost(job.pk)
        lifecycle.end_overdue(build.overdue(job).pk)
    for job in Job.objects.held():
        reservations.settle(job.pk)
        reservations.settle(build.overdue(job).pk)
    for attempt in Attempt.objects.unconfirmed():
        lifecycle.finish(attempt.job_id, build.FAILED, worker="worker01", attempt=attempt.number)
    assert not Job.objects.filter(state__in=ON_A_DEVICE).exists()
    assert set(Device.objects.values_list("state", flat=True)) == {DeviceState.IDLE}


def check_events(before: int) -> None:
    """Whoever had heard the events alone would know every state, by legal moves only."""
    states: dict[str, tuple[str, str]] = {}
    for event in Event.objects.order_by("id")[before:]:
        told = (event.data["state"], event.data["health"])
        if event.type.startswith("job.") and event.type != "job.resubmitted":
            source = states.get(event.subject, (None, ""))[0]
            assert (source, *told) in ENDS or states[event.subject] == told, event
        states[event.subject] = told
    for job in Job.objects.all():
        assert states[str(job.pk)] == (State(job.state).label, Health(job.health).label)
    for device in Device.objects.all():
        assert states[device.name] == (DeviceState(device.state).label, DeviceHealth(device.health).label)
