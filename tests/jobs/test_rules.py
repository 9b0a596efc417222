"""What the packages below ask of jobs."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User

from devices import inventory
from devices import lifecycle as devices
from devices.lifecycle import StillInUse
from devices.models import Device, Right
from devices.states import DeviceHealth
from events import visibility
from events.models import Event
from jobs import lifecycle, rules, upkeep
from jobs.models import Job
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RUNNING])
def test_a_retired_device_s_job_is_canceled_with_the_reason(state: State, alice: User) -> None:
    job = build.job(submitter=alice, state=state)

    devices.retire("qemu01", by="admin", reason="sold")

    job.refresh_from_db()
    assert (job.state, job.failure_comment) == (State.CANCELING, "qemu01 was retired")
    assert Device.objects.get(pk="qemu01").health == DeviceHealth.RETIRED


def test_an_idle_device_has_no_job_to_cancel(alice: User) -> None:
    job = build.job(submitter=alice)

    rules.cancel_job_of(Device.objects.get(pk="qemu01"), build.CAUSE)

    assert Job.objects.get(pk=job.pk).state == State.SUBMITTED


def test_an_earlier_device_is_not_named_to_whom_it_is_hidden_from(
    group: Group, alice: User, mallory: User
) -> None:
    job = build.tried_again(submitter=alice)
    build.device("qemu02")
    build.right(group, "qemu01", Right.VIEW)
    events = list(Event.objects.filter(job_id=job.pk).order_by("id"))

    def devices_told_to(user: User) -> set[str | None]:
        return {event.data.get("device") for event in visibility.seen_by(user, events)}

    assert devices_told_to(mallory) == {None}
    assert devices_told_to(alice) == {"qemu01", None}


def test_a_hidden_device_is_not_deleted_while_it_hides_an_attempt_of_a_job_that_went_on_elsewhere(
    group: Group, alice: User, admin: User
) -> None:
    job = build.tried_again(submitter=alice)
    build.right(group, "qemu01", Right.VIEW)

    with pytest.raises(StillInUse, match="1 attempts of jobs on it"):
        inventory.remove(Device.objects.get(pk="qemu01"), by=admin)

    lifecycle.cancel(job.pk, by="alice")
    upkeep.remove(job.pk, cause=build.CAUSE)
    inventory.remove(Device.objects.get(pk="qemu01"), by=admin)
