"""The verbs for devices and workers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import FieldError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.rights import NotAllowed
from devices import lifecycle
from devices.lifecycle import DeviceBusy, StillInUse
from devices.models import Device, Right, Worker
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from events.models import Event
from jobs.models import Job
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

VERBS = {
    DeviceHealth.GOOD: lifecycle.good,
    DeviceHealth.MAINTENANCE: lifecycle.maintenance,
    DeviceHealth.RETIRED: lifecycle.retire,
}


@pytest.fixture
def qemu01() -> Device:
    return build.device(health=DeviceHealth.BAD)


def last_event() -> Event:
    return Event.objects.latest("id")


@pytest.mark.parametrize("health", [WorkerHealth.MAINTENANCE, WorkerHealth.RETIRED])
def test_the_health_of_a_worker_is_told_with_who_and_why(health: WorkerHealth) -> None:
    build.worker("worker01")

    lifecycle.set_worker_health("worker01", health, by="admin", reason="new disk")

    assert Worker.objects.get().health == health
    event = last_event()
    assert (event.type, event.actor, event.data["reason"]) == ("worker.changed", "admin", "new disk")
    assert event.data["health"] == health.label


def test_the_same_health_of_a_worker_is_no_change() -> None:
    worker = build.worker("worker01")

    lifecycle.set_worker_health("worker01", WorkerHealth.ACTIVE, by="admin")

    assert build.events_of(worker) == ["worker.added"]


def test_a_job_goes_on_when_its_worker_is_taken_out() -> None:
    job = build.job(state=State.RUNNING)

    lifecycle.set_worker_health("worker01", WorkerHealth.MAINTENANCE, by="admin")

    job.refresh_from_db()
    assert job.state == State.RUNNING
    assert not Device.objects.idle().exists()


def test_the_health_of_an_unknown_worker_is_refused() -> None:
    with pytest.raises(Worker.DoesNotExist):
        lifecycle.set_worker_health("rack9", WorkerHealth.RETIRED, by="admin")


@pytest.mark.parametrize("health", VERBS)
def test_a_verb_sets_the_health_and_keeps_who_when_and_why(health: DeviceHealth, qemu01: Device) -> None:
    before = timezone.now()

    VERBS[health]("qemu01", by="admin", reason="looked at it")

    device = Device.objects.get(pk="qemu01")
    assert (device.health, device.health_reason, device.health_by) == (health, "looked at it", "admin")
    assert device.health_since >= before
    event = last_event()
    assert (event.type, event.actor, event.data["reason"]) == ("device.changed", "admin", "looked at it")
    assert (event.data["previous_health"], event.data["health"]) == ("Bad", health.label)


def test_saying_the_same_again_is_no_change(qemu01: Device) -> None:
    lifecycle.maintenance("qemu01", by="admin", reason="fan")
    before = Event.objects.count()

    lifecycle.maintenance("qemu01", by="bob", reason="fan")

    assert Event.objects.count() == before
    assert Device.objects.get(pk="qemu01").health_by == "admin"


def test_another_reason_is_a_change(qemu01: Device) -> None:
    lifecycle.maintenance("qemu01", by="admin", reason="fan")

    lifecycle.maintenance("qemu01", by="bob", reason="power")

    assert last_event().data["reason"] == "power"


def test_a_device_in_maintenance_goes_on_with_its_job(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    lifecycle.maintenance("qemu01", by="admin")

    assert Job.objects.get(pk=job.pk).state == State.RUNNING
    assert last_event().data["job"] == job.pk


def test_many_are_changed_together_or_not_at_all(qemu01: Device) -> None:
    with pytest.raises(Device.DoesNotExist):
        lifecycle.set_health_of_many(["qemu01", "zombie"], lifecycle.good, by="admin", reason="")

    assert Device.objects.get(pk="qemu01").health == DeviceHealth.BAD
    assert build.events_of(qemu01) == ["device.added"]


def test_many_are_each_told_of_once(qemu01: Device) -> None:
    other = build.device("qemu02")

    lifecycle.set_health_of_many(["qemu02", "qemu01"], lifecycle.maintenance, by="admin", reason="move")

    assert build.events_of(qemu01) == build.events_of(other) == ["device.added", "device.changed"]


def test_an_unknown_device_is_an_error() -> None:
    with pytest.raises(Device.DoesNotExist):
        lifecycle.good("nowhere", by="admin")


@pytest.mark.parametrize("state", [DeviceState.RESERVED, DeviceState.RUNNING])
def test_a_device_that_is_in_use_is_not_reserved(state: DeviceState, qemu01: Device) -> None:
    qemu01.state = state

    with pytest.raises(DeviceBusy, match=f"qemu01 is {state.label} and cannot take job 7"):
        lifecycle.reserve(qemu01, job=7, cause=build.CAUSE)


# Changes by hand


def _bare_save(name: str) -> None:
    device = Device.objects.get(pk=name)
    device.health = DeviceHealth.GOOD
    device.save()


def _save_of_one_field(name: str) -> None:
    device = Device.objects.get(pk=name)
    device.health = DeviceHealth.GOOD
    device.save(update_fields=["health"])


def _update(name: str) -> None:
    Device.objects.filter(pk=name).update(health=DeviceHealth.GOOD)


def _update_or_create(name: str) -> None:
    Device.objects.update_or_create(pk=name, defaults={"health": DeviceHealth.GOOD})


@pytest.mark.parametrize("change", [_bare_save, _save_of_one_field, _update, _update_or_create])
def test_a_change_by_hand_is_told_once(change: Callable[[str], None], qemu01: Device) -> None:
    change("qemu01")

    assert Device.objects.get(pk="qemu01").health == DeviceHealth.GOOD
    assert build.events_of(qemu01) == ["device.added", "device.changed"]
    assert last_event().data["previous_health"] == "Bad"


def test_a_stale_instance_brings_no_old_health_back(qemu01: Device) -> None:
    lifecycle.good("qemu01", by="admin")

    qemu01.description = "the one on the left"
    qemu01.save()

    device = Device.objects.get(pk="qemu01")
    assert (device.health, device.description) == (DeviceHealth.GOOD, "the one on the left")
    assert build.events_of(device) == ["device.added", "device.changed"]


def test_bulk_writes_of_health_are_refused(qemu01: Device) -> None:
    with pytest.raises(FieldError, match="health cannot be changed in bulk"):
        Device.objects.bulk_update([qemu01], ["health"])
    with pytest.raises(FieldError, match="a device is made with save"):
        Device.objects.bulk_create([Device(name="qemu02")])


def test_a_new_device_does_not_write_over_one_of_the_same_name(qemu01: Device) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Device(name="qemu01", device_type_id="qemu", description="impostor").save()

    assert Device.objects.get(pk="qemu01").description == ""


# Deleting


def test_a_busy_device_is_not_deleted(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    with pytest.raises(StillInUse, match=f"qemu01 runs job {job.pk}"), transaction.atomic():
        Device.objects.get(pk="qemu01").delete()


def test_an_idle_device_is_deleted_and_told_of(alice: User) -> None:
    job = build.job(submitter=alice, state=State.FINISHED)

    Device.objects.filter(pk="qemu01").delete()

    assert last_event().type == "device.deleted"
    assert Job.objects.get(pk=job.pk).device is None
    assert build.attempt(job).device_name == "qemu01"


def test_a_deleted_worker_is_told_of() -> None:
    build.worker("worker02").delete()

    assert last_event().type == "worker.deleted"


# Workers


def test_a_worker_that_is_seen_for_the_first_time_is_online() -> None:
    worker = build.worker(state=WorkerState.OFFLINE)

    lifecycle.worker_seen("worker01", version="2023.01")

    assert build.events_of(worker) == ["worker.added", "worker.changed"]
    event = last_event()
    assert (event.data["hostname"], event.data["state"], event.cause) == ("worker01", "Online", "worker")


def test_a_worker_that_pings_is_not_silent() -> None:
    build.worker()
    lifecycle.worker_seen("worker01", version="1")

    lifecycle.worker_silent("worker01")

    assert Worker.objects.get(pk="worker01").state == WorkerState.ONLINE


def test_a_worker_is_silent_after_a_minute_and_told_of_once() -> None:
    worker = build.worker()
    Worker.objects.filter(pk="worker01").update(last_ping=timezone.now() - timedelta(seconds=61))

    lifecycle.worker_silent("worker01")
    lifecycle.worker_silent("worker01")

    assert build.events_of(worker) == ["worker.added", "worker.changed"]
    told = last_event().data
    assert told["reason"] == "silent for a minute"
    assert (told["previous_state"], told["state"]) == ("Online", "Offline")
    assert (told["previous_health"], told["health"]) == ("Active", "Active")


def test_an_unknown_worker_is_an_error() -> None:
    with pytest.raises(Worker.DoesNotExist):
        lifecycle.worker_seen("nowhere", version="1")


def test_a_worker_s_health_by_hand_is_told_of() -> None:
    worker = build.worker()
    worker.health = WorkerHealth.MAINTENANCE

    worker.save()

    assert build.events_of(worker) == ["worker.added", "worker.changed"]


# A closed device


def test_a_closed_device_is_freed_with_a_reason(alice: User) -> None:
    job = build.given_up(submitter=alice)

    lifecycle.free("qemu01", by="admin", reason="the board is off")

    device = Device.objects.get(pk="qemu01")
    assert (device.state, device.health, device.is_closed) == (DeviceState.IDLE, DeviceHealth.GOOD, False)
    event = Event.objects.filter(subject="qemu01").latest("id")
    assert (event.type, event.actor, event.data["reason"]) == ("device.changed", "admin", "the board is off")
    assert event.data["job"] == job.pk


def test_an_idle_device_stays_as_it_is_when_it_is_freed(alice: User) -> None:
    device = build.device()

    lifecycle.free("qemu01", by="admin", reason="sure")

    assert build.events_of(device) == ["device.added"]


def test_a_device_that_a_job_has_is_not_freed(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    with pytest.raises(DeviceBusy, match=f"qemu01 is in use by job {job.pk}; cancel the job"):
        lifecycle.free("qemu01", by="admin", reason="sure")


def test_only_who_looks_after_a_device_frees_it(alice: User, mallory: User, group: Group) -> None:
    build.given_up(submitter=alice)
    build.right(group, "qemu01", Right.CHANGE)

    with pytest.raises(NotAllowed):
        lifecycle.free_for("qemu01", user=mallory, reason="sure")
    lifecycle.free_for("qemu01", user=alice, reason="I pulled the plug")
    lifecycle.free_for("qemu01", user=alice, reason="once more")

    assert build.audit_trail() == ["alice: qemu01: Freed: I pulled the plug"]


def test_a_state_changed_by_hand_opens_a_closed_device(alice: User) -> None:
    build.given_up(submitter=alice)
    device = Device.objects.get(pk="qemu01")

    device.state = DeviceState.IDLE
    device.save()

    assert not Device.objects.get(pk="qemu01").is_closed
