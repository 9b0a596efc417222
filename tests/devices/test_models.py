"""What the inventory answers about itself."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from devices.announcements import device_payload
from devices.models import DISPATCHER, SHELL, Device, DeviceType, Tag, Worker
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["qemu01", "a-b_c.d@lab", "A"])
@pytest.mark.parametrize("model", [Device, DeviceType, Worker, Tag])
def test_a_plain_name_is_fine(model: type[Device], name: str) -> None:
    model._meta.get_field("name").clean(name, None)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "qemu01\n", "\xfc", "a;b", "<b>"], ids=repr)
@pytest.mark.parametrize("model", [Device, DeviceType, Worker, Tag])
def test_any_other_name_is_refused(model: type[Device], name: str) -> None:
    with pytest.raises(ValidationError):
        model._meta.get_field("name").clean(name, None)


@pytest.mark.parametrize(
    ("dictionary", "executor"),
    [
        ("executor: shell", SHELL),
        ("executor: lava", DISPATCHER),
        ("", DISPATCHER),
        ("actions: {}", DISPATCHER),
        ("- a list", DISPATCHER),
        ("broken: [", DISPATCHER),
    ],
)
def test_the_dictionary_of_a_type_names_its_executor(dictionary: str, executor: str) -> None:
    assert DeviceType(name="x", dictionary=dictionary).executor == executor


def test_a_device_s_own_dictionary_goes_before_its_type_s() -> None:
    build.device_type("qemu", dictionary="a: 1")

    assert build.device("qemu01").configuration == "a: 1"
    assert build.device("qemu02", dictionary="a: 2").configuration == "a: 2"


def test_a_new_device_is_in_maintenance_until_somebody_says_that_it_is_good() -> None:
    build.device_type("qemu")
    Device(name="new01", device_type_id="qemu").save()

    device = Device.objects.get(pk="new01")
    assert (device.state, device.health) == (DeviceState.IDLE, DeviceHealth.MAINTENANCE)
    assert not device.is_usable


def test_idle_is_free_and_healthy_on_a_worker_that_is_there(alice: User) -> None:
    build.worker("offline", state=WorkerState.OFFLINE)
    build.worker("resting", health=WorkerHealth.MAINTENANCE)
    build.device("free01")
    build.device("unknown01", health=DeviceHealth.UNKNOWN)
    build.device("bad01", health=DeviceHealth.BAD)
    build.device("lost01", worker="offline")
    build.device("rest01", worker="resting")
    build.device("loose01", worker=None)
    build.job(submitter=alice, state=State.RUNNING, device="busy01")

    assert set(Device.objects.idle().values_list("pk", flat=True)) == {"free01", "unknown01"}


def test_what_is_retired_is_not_in_service() -> None:
    build.device("old01", health=DeviceHealth.RETIRED)
    build.device("new01")

    assert [device.name for device in Device.objects.in_service()] == ["new01"]
    assert Device.objects.get(pk="old01").is_retired


def test_a_device_knows_the_job_that_has_it(alice: User) -> None:
    build.job(submitter=alice, state=State.FINISHED)
    assert Device.objects.get(pk="qemu01").job_now() is None

    job = build.job(submitter=alice, state=State.RUNNING)

    assert Device.objects.get(pk="qemu01").job_now() == job.pk


def test_a_worker_s_token_is_kept_as_a_digest_and_replaced_by_the_next() -> None:
    worker = build.worker()
    first, second = worker.new_token(), worker.new_token()

    assert worker.has_token(second)
    assert not worker.has_token(first)
    assert second not in worker.token_digest


def test_a_worker_that_never_registered_has_no_token() -> None:
    assert not Worker(name="w").has_token("")


def test_a_type_or_worker_with_devices_is_not_deleted() -> None:
    build.device()

    with pytest.raises(IntegrityError), transaction.atomic():
        DeviceType.objects.get(pk="qemu").delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        Worker.objects.get(pk="worker01").delete()


def test_a_payload_has_the_keys_of_lava_2023_and_of_lava_2017(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING)

    told = device_payload(Device.objects.get(pk="qemu01"))

    assert told == {
        "device": "qemu01",
        "device_type": "qemu",
        "worker": "worker01",
        "state": "Running",
        "health": "Good",
        "status": "Running",
        "health_status": "Pass",
        "pipeline": True,
        "job": job.pk,
    }


@pytest.mark.parametrize(
    ("state", "health", "status"),
    [
        (DeviceState.IDLE, DeviceHealth.GOOD, "Idle"),
        (DeviceState.IDLE, DeviceHealth.UNKNOWN, "Idle"),
        (DeviceState.IDLE, DeviceHealth.BAD, "Offline"),
        (DeviceState.IDLE, DeviceHealth.MAINTENANCE, "Offline"),
        (DeviceState.RESERVED, DeviceHealth.GOOD, "Reserved"),
        (DeviceState.RUNNING, DeviceHealth.MAINTENANCE, "Running"),
        (DeviceState.IDLE, DeviceHealth.RETIRED, "Retired"),
    ],
    ids=lambda word: getattr(word, "label", word),
)
def test_lava_2017_had_one_word_for_state_and_health(
    state: DeviceState, health: DeviceHealth, status: str
) -> None:
    device = build.device(health=health)
    device.state = state

    assert device_payload(device)["status"] == status
