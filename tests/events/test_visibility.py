"""Who may hear of an event: what REST would refuse, no transport tells."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User

from devices import lifecycle as devices
from devices.models import Device, Right
from events import visibility
from events.catalogue import CATALOGUE
from events.models import Event
from jobs import lifecycle
from jobs.models import Job
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

CAST = ("alice", "bob", "mallory", "admin", "anonymous")


@pytest.fixture
def cast(alice: User, bob: User, mallory: User, admin: User) -> dict[str, object]:
    return dict(zip(CAST, (alice, bob, mallory, admin, AnonymousUser()), strict=True))


def life_of(job: Job) -> list[Event]:
    return list(Event.objects.filter(job_id=job.pk).order_by("id"))


@pytest.mark.parametrize(
    ("shown_to", "hears"),
    [
        ("public", set(CAST)),
        ("personal", {"alice", "admin"}),
        ({"group": ["kernel"]}, {"alice", "bob", "admin"}),
    ],
    ids=["public", "personal", "group"],
)
def test_every_event_of_a_job_is_for_those_who_see_the_job(
    shown_to: object, hears: set[str], cast: dict[str, object], alice: User
) -> None:
    job = build.job(submitter=alice, state=State.FINISHED, visibility=shown_to)
    lifecycle.resubmit(job, by=alice)

    for event in life_of(job):
        assert {name for name in CAST if visibility.may_see(event, cast[name])} == hears, event.type


@pytest.mark.parametrize(
    ("shown_to", "hears"),
    [("public", set(CAST)), ("personal", {"admin"}), ({"group": ["kernel"]}, {"admin"})],
    ids=["public", "personal", "group"],
)
def test_the_last_word_of_a_deleted_job_betrays_no_private_one(
    shown_to: object, hears: set[str], cast: dict[str, object], alice: User
) -> None:
    job = build.job(submitter=alice, state=State.FINISHED, visibility=shown_to)
    job.delete()

    event = Event.objects.get(type="job.deleted")

    assert {name for name in CAST if visibility.may_see(event, cast[name])} == hears


@pytest.mark.parametrize("on", ["qemu01", "qemu"])
@pytest.mark.parametrize("has_run", [True, False])
def test_the_last_word_of_a_deleted_job_betrays_none_that_its_device_or_type_hid(
    on: str, has_run: bool, group: Group, cast: dict[str, object], alice: User
) -> None:
    build.device()
    build.right(group, on, Right.VIEW)
    job = build.job(submitter=alice, state=State.FINISHED if has_run else State.SUBMITTED)
    lifecycle.cancel(job.pk, by="alice")
    Job.objects.get(pk=job.pk).delete()

    event = Event.objects.get(type="job.deleted")

    is_hidden = on == "qemu" or has_run
    hears = {"alice", "bob", "admin"} if is_hidden else set(CAST)
    assert {name for name in CAST if visibility.may_see(event, cast[name])} == hears


def test_a_job_that_left_a_hidden_device_does_not_betray_where_it_was(
    group: Group, mallory: User, alice: User
) -> None:
    build.device()
    build.right(group, "qemu01", Right.VIEW)
    put_off = {"defer": {"limit": {"minutes": 30}}}
    job = build.asking_for_deferral(timedelta(hours=1), submitter=alice, lava_lite=put_off)
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")

    seen = visibility.seen_by(mallory, life_of(job))

    assert [event.type for event in seen][-1] == "job.inactivated"
    assert {event.data.get("device") for event in seen} == {None}
    assert "qemu01" in {event.data.get("device") for event in visibility.seen_by(alice, life_of(job))}


def test_deleting_a_group_does_not_open_its_jobs(cast: dict[str, object], alice: User) -> None:
    job = build.job(submitter=alice, visibility={"group": ["kernel"]})
    Group.objects.get(name="kernel").delete()

    (event,) = life_of(job)

    assert {name for name in CAST if visibility.may_see(event, cast[name])} == {"alice", "admin"}


@pytest.mark.parametrize("kind", ["device", "worker"])
def test_the_inventory_is_public(kind: str, cast: dict[str, object]) -> None:
    build.device()

    event = Event.objects.filter(type=f"{kind}.added").get()

    assert all(visibility.may_see(event, user) for user in cast.values())


def test_an_unknown_type_is_for_nobody(cast: dict[str, object]) -> None:
    event = Event(type="job.teleported", subject="1", job_id=1, data={})

    assert not any(visibility.may_see(event, user) for user in cast.values())


def test_a_subject_without_a_rule_is_for_nobody(
    cast: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(visibility._rules, "worker")
    event = Event(type="worker.added", subject="worker01", data={})

    assert not any(visibility.may_see(event, user) for user in cast.values())


def test_every_subject_of_the_catalogue_has_a_rule() -> None:
    assert {entry.subject for entry in CATALOGUE.values()} <= visibility._rules.keys()


@pytest.mark.parametrize("on", ["qemu01", "qemu"])
def test_events_of_a_device_are_for_those_who_see_it(
    on: str, group: Group, cast: dict[str, object], alice: User
) -> None:
    build.device()
    build.right(group, on, Right.VIEW)
    devices.maintenance("qemu01", by="admin")

    for event in Event.objects.filter(subject="qemu01"):
        assert {name for name in CAST if visibility.may_see(event, cast[name])} == {"alice", "bob", "admin"}


def test_the_last_word_of_a_deleted_device_betrays_no_hidden_one(
    group: Group, cast: dict[str, object]
) -> None:
    for name in ("qemu01", "qemu02"):
        build.device(name)
    build.right(group, "qemu01", Right.VIEW)
    for device in Device.objects.all():
        device.delete()

    hidden, shown = Event.objects.filter(type="device.deleted").order_by("id")

    assert {name for name in CAST if visibility.may_see(hidden, cast[name])} == {"admin"}
    assert {name for name in CAST if visibility.may_see(shown, cast[name])} == set(CAST)


def test_a_public_device_does_not_betray_the_number_of_a_private_job(alice: User, mallory: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, visibility="personal")
    events = list(Event.objects.filter(type="device.changed"))

    assert {event.data.get("job") for event in visibility.public(events)} == {None}
    assert {event.data.get("job") for event in visibility.seen_by(mallory, events)} == {None}
    assert {event.data.get("job") for event in visibility.seen_by(alice, events)} == {job.pk}
