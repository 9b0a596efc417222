"""A snapshot, and the events after it, are all that one must hear to know the lab."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from accounts.rights import Anyone
from devices import lifecycle as devices
from events import feed, publisher, snapshots, visibility
from events.models import Event
from events.selection import Selection
from jobs.states import State
from tests import build
from tests.jobs.test_random_walks import REFUSALS, STEPS, Walk
from tests.lab import eventually

EVERYTHING = Selection()
BREATH = 0.005  # seconds between two changes: SQLite gives its lock to who asks when it is free, not to who waits longest
KEPT = ("state", "health", "attempt")  # what of a thing never changes without an event


class Model:
    """What somebody knows who has heard of nothing else."""

    def __init__(self, snapshot: dict[str, Any] | None = None) -> None:
        taken = snapshot or {snapshots.AS_OF: 0, "jobs": [], "devices": [], "workers": []}
        self.sequence = taken[snapshots.AS_OF]
        self.jobs = {job["job"]: known(job) for job in taken["jobs"]}
        self.devices = {device["device"]: known(device) for device in taken["devices"]}
        self.workers = {worker["hostname"]: known(worker) for worker in taken["workers"]}

    def hear(self, user: Anyone) -> Model:
        """All that has happened since."""
        while events := feed.after(self.sequence):
            assert events[0].sequence == self.sequence + 1
            for event in visibility.seen_by(user, events):
                self.take(event.type, event.data)
            self.sequence = events[-1].sequence or 0
        return self

    def take(self, type: str, data: dict[str, Any]) -> None:
        subject, _, what = type.partition(".")
        if subject == "job" and what != "progress":
            self._put(self.jobs, data["job"], data, is_over=data["state"] == "Finished")
        elif subject == "device":
            self._put(self.devices, data["device"], data, is_over=what == "deleted")
        elif subject == "worker":
            self._put(self.workers, data["hostname"], data, is_over=what == "deleted")

    def _put(self, things: dict[Any, Any], key: Any, data: dict[str, Any], *, is_over: bool) -> None:
        if is_over:
            things.pop(key, None)
        else:
            things[key] = known(data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return repr(vars(self))


def known(data: dict[str, Any]) -> dict[str, Any]:
    """The attempt of a job that waits is the one to come in a snapshot, and in its last event the one that is over."""
    waits = data["state"] == "Submitted"
    return {name: data[name] for name in KEPT if name in data and not (waits and name == "attempt")}


def now(user: Anyone, selection: Selection = EVERYTHING) -> dict[str, Any]:
    publisher.run_once([])
    return snapshots.taken(user, selection)


@pytest.mark.django_db
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(before=st.lists(STEPS, max_size=15), after=st.lists(STEPS, max_size=15))
def test_whoever_hears_the_events_after_a_snapshot_knows_the_lab_as_it_is(
    before: list[tuple[object, ...]], after: list[tuple[object, ...]], alice: User, admin: User
) -> None:
    with build.rolled_back():
        start = Model(now(admin)).sequence
        walk = Walk(alice)
        do(walk, before)
        in_between = Model(now(admin))
        do(walk, after)
        at_last = Model(now(admin))

        assert in_between.hear(admin) == at_last
        if start == 0:
            assert Model().hear(admin) == at_last


def do(walk: Walk, steps: list[tuple[object, ...]]) -> None:
    for verb, *arguments in steps:
        with suppress(*REFUSALS), transaction.atomic():
            getattr(walk, str(verb))(*arguments)


@pytest.mark.django_db
def test_a_snapshot_tells_of_each_thing_as_its_last_event_does(alice: User, admin: User) -> None:
    build.job(submitter=alice, state=State.RUNNING)
    build.job(submitter=alice)
    build.reservation(by=alice, device="qemu03")
    for job in build.members("server", "client", submitter=alice, device="qemu04", state=State.RUNNING):
        assert job.group
    taken = now(admin)

    for job in taken["jobs"]:
        assert job == last_told("job.", job["uuid"]), job
    for device in taken["devices"]:
        assert device == last_told("device.", device["device"]), device
    assert taken["workers"] == [last_told("worker.", "worker01")]


def last_told(types: str, key: str) -> dict[str, Any]:
    """Without what a thing is told of by its change alone."""
    events = Event.objects.filter(type__startswith=types).order_by("-sequence")
    data = next(event.data for event in events if key in event.data.values())
    return {
        name: value for name, value in data.items() if not name.startswith("previous") and name != "reason"
    }


@pytest.mark.django_db
def test_a_snapshot_shows_what_one_may_see(alice: User, mallory: User) -> None:
    build.job(submitter=alice, state=State.RUNNING, visibility="personal")
    shown = build.job(submitter=alice)

    hers, his, anybodys = now(alice), now(mallory), now(AnonymousUser())

    assert len(hers["jobs"]) == 2
    assert [job["job"] for job in his["jobs"]] == [shown.pk]
    assert anybodys == his
    assert "job" in hers["devices"][0]
    assert "job" not in his["devices"][0]


@pytest.mark.django_db
def test_a_snapshot_is_narrowed_by_what_a_filter_says_of_things(alice: User, admin: User) -> None:
    running = build.job(submitter=alice, state=State.RUNNING)
    build.job(submitter=admin)
    taken = now(admin, Selection.parse("job.started submitter=alice"))

    assert [job["job"] for job in taken["jobs"]] == [running.pk]
    assert (taken["devices"], taken["workers"]) == ([], [])


@pytest.mark.django_db
def test_a_snapshot_asks_as_often_for_many_things_as_for_few(
    alice: User, mallory: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(1, 9):
        build.job(submitter=alice, state=State.RUNNING, device=f"qemu{number:02}")
        build.job(submitter=alice)
    publisher.run_once([])

    with django_assert_max_num_queries(18):
        assert len(snapshots.taken(mallory, EVERYTHING)["jobs"]) == 16


# While others write


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_that_is_taken_while_much_happens_is_of_one_moment(alice: User, admin: User) -> None:
    names = [f"qemu{number:02}" for number in range(1, 4)]
    for name in names:
        build.device(name)
    publisher.run_once([])

    with busy(names):
        for _ in range(10):
            model = Model(snapshots.taken(admin, EVERYTHING))
            at_that_moment = Model()
            while at_that_moment.sequence < model.sequence:
                (event,) = feed.after(at_that_moment.sequence, limit=1)
                at_that_moment.take(event.type, event.data)
                at_that_moment.sequence += 1
            assert model == at_that_moment
    publisher.run_once([])
    assert model.hear(admin) == Model(now(admin))


@contextmanager
def busy(names: list[str]) -> Iterator[None]:
    """Devices go out and come back all the time, each by a thread of its own."""
    stop = threading.Event()
    changes = dict.fromkeys(names, 0)

    def change(name: str) -> None:
        try:
            while not stop.wait(BREATH):
                devices.maintenance(name, by="admin")
                devices.good(name, by="admin")
                changes[name] += 1
        finally:
            connections.close_all()

    threads = [threading.Thread(target=change, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    try:
        assert eventually(lambda: all(changes.values()))
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
