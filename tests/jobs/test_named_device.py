"""Jobs that only one device will do for: `lava_lite: {device: NAME}`."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User

from devices import lifecycle as devices
from devices.models import Device, Right
from devices.states import DeviceState
from jobs import definition, lifecycle, scheduler, waiting
from jobs.definition import InvalidDefinition
from jobs.matching import Cause
from jobs.models import Job
from jobs.states import InvalidMove, State
from tests import build

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def two_devices(db: None) -> None:
    build.device("qemu01")
    build.device("qemu02")


def on(name: str, **top: object) -> str:
    return build.definition(lava_lite={"device": name}, **top)


def test_a_job_gets_the_device_that_it_names(alice: User) -> None:
    job = lifecycle.submit(on("qemu02"), by=alice)

    scheduler.run_once()

    assert Job.objects.get(pk=job.pk).device_id == "qemu02"


def test_a_job_waits_for_the_device_that_it_names_while_another_is_free(alice: User) -> None:
    build.job(submitter=alice, state=State.RUNNING, device="qemu02")
    job = lifecycle.submit(on("qemu02"), by=alice)

    assert scheduler.run_once() == 0

    reason = waiting.reason(job)
    assert (reason.cause, reason.sentence) == (Cause.BUSY, "It waits for qemu02 alone, which is busy.")


def test_a_job_says_that_the_device_it_names_is_in_maintenance(alice: User) -> None:
    job = lifecycle.submit(on("qemu02"), by=alice)
    devices.maintenance("qemu02", by="admin")

    reason = waiting.reason(job)

    assert reason.cause is Cause.UNAVAILABLE
    assert reason.sentence == "It waits for qemu02 alone, which is in maintenance."


def test_a_job_whose_device_is_free_is_next(alice: User) -> None:
    assert waiting.reason(lifecycle.submit(on("qemu02"), by=alice)).cause is Cause.NEXT


def test_a_job_whose_device_is_deleted_waits_and_gets_no_other(alice: User) -> None:
    job = lifecycle.submit(on("qemu02"), by=alice)
    Device.objects.get(pk="qemu02").delete()

    assert scheduler.run_once() == 0

    reason = waiting.reason(job)
    assert (reason.cause, reason.sentence) == (Cause.NO_DEVICE, "There is no device qemu02 of the type qemu.")


def test_no_other_device_is_given_to_it_by_hand(alice: User) -> None:
    job = lifecycle.submit(on("qemu02"), by=alice)

    with pytest.raises(InvalidMove, match="is for qemu02 alone, and cannot run on qemu01"):
        lifecycle.schedule(job.pk, "qemu01")

    assert Device.objects.get(pk="qemu01").state == DeviceState.IDLE


def test_a_name_that_is_none_of_the_type_is_a_fault(alice: User) -> None:
    build.device("bbb01", device_type="bbb")

    for name in ("bbb01", "nobody"):
        with pytest.raises(InvalidDefinition) as refused:
            lifecycle.submit(on(name), by=alice)

        fault = refused.value.faults[0]
        assert fault.path == "lava_lite.device"
        assert fault.message == f"no device of type qemu in service has the name {name!r}"
        assert fault.line is not None


def test_a_device_without_the_tags_that_the_job_needs_is_a_fault(alice: User) -> None:
    build.tag("usb")

    with pytest.raises(InvalidDefinition, match=r"lava_lite\.device: qemu02 lacks the tag usb"):
        lifecycle.submit(on("qemu02", tags=["usb"]), by=alice)


def test_a_device_that_is_not_open_to_the_submitter_is_a_fault(group: Group, mallory: User) -> None:
    build.right(group, "qemu02", Right.SUBMIT)

    with pytest.raises(InvalidDefinition, match=r"lava_lite\.device: you may not submit jobs to qemu02"):
        lifecycle.submit(on("qemu02"), by=mallory)


def test_a_hidden_device_is_answered_like_one_that_is_not_there(group: Group, mallory: User) -> None:
    build.right(group, "qemu02", Right.VIEW)

    with pytest.raises(InvalidDefinition, match="no device of type qemu in service has the name 'qemu02'"):
        lifecycle.submit(on("qemu02"), by=mallory)


def test_a_job_that_waits_for_a_hidden_device_is_hidden_with_it(
    group: Group, alice: User, bob: User, mallory: User
) -> None:
    build.right(group, "qemu02", Right.SUBMIT)
    build.right(build.group("secret"), "qemu02", Right.VIEW)
    alice.groups.add(build.group("secret"))
    job = lifecycle.submit(on("qemu02"), by=alice)

    assert Job.objects.visible_to(alice).get() == job
    assert not Job.objects.visible_to(mallory).exists()
    assert not Job.objects.visible_to(AnonymousUser()).exists()
    assert Job.objects.visible_to(build.admin()).get() == job


def test_a_worker_never_sees_the_name(alice: User) -> None:
    assert "lava_lite" not in definition.parse(on("qemu02")).for_worker()
