"""What the packages below ask of jobs."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from devices import lifecycle as devices
from devices.models import Device
from devices.states import DeviceHealth
from jobs import rules
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
