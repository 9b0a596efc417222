"""Health checks: jobs that the lab submits by itself, before a device gets any other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices import health
from devices import lifecycle as devices
from devices.lifecycle import NoHealthCheck
from devices.models import Alias, Device, DeviceType, HealthChange, Worker
from devices.states import DeviceHealth, DeviceState, Frequency, WorkerHealth, WorkerState
from events.models import Event
from jobs import health_checks, lifecycle, scheduler
from jobs.lifecycle import Ending
from jobs.models import Job
from jobs.states import Health, State
from tests import build

pytestmark = pytest.mark.django_db

CHECK = build.definition(name="is qemu well?")


@pytest.fixture
def qemu(db: None) -> DeviceType:
    """A type whose devices are checked every day."""
    return build.device_type("qemu", health_check=CHECK)


@pytest.fixture
def qemu01(qemu: DeviceType) -> Device:
    return build.device("qemu01", health=DeviceHealth.UNKNOWN)


def checked(name: str, *, hours_ago: float = 0, **fields: int) -> None:
    """A device whose last check ended well, some time ago."""
    time = timezone.now() - timedelta(hours=hours_ago)
    device = Device.objects.get(pk=name)
    device.last_check_time = time
    for field, value in fields.items():
        setattr(device, field, value)
    device.save()
    devices.good(name, by="admin")


def check_of(name: str) -> Job:
    """The check that runs on a device."""
    job: Job = Job.objects.unfinished().get(device=name, health_check=True)
    return job


def run_check(name: str, ending: Ending = build.PASSED) -> Job:
    scheduler.run_once()
    job = check_of(name)
    lifecycle.start(job.pk, worker="worker01")
    lifecycle.finish(job.pk, ending, worker="worker01")
    return Job.objects.get(pk=job.pk)


def health_of(name: str) -> DeviceHealth:
    return DeviceHealth(Device.objects.get(pk=name).health)


def test_a_device_whose_health_is_not_known_is_checked_before_any_job(qemu01: Device, alice: User) -> None:
    job = lifecycle.submit(build.definition(priority="high"), by=alice)

    assert scheduler.run_once() == 1

    check = check_of("qemu01")
    assert (check.state, check.description) == (State.SCHEDULED, "is qemu well?")
    assert Job.objects.get(pk=job.pk).state == State.SUBMITTED


def test_a_check_is_told_like_any_job_and_says_that_it_is_one(qemu01: Device) -> None:
    scheduler.run_once()

    events = list(Event.objects.filter(job_id=check_of("qemu01").pk).order_by("id"))
    assert [event.type for event in events] == ["job.submitted", "job.scheduled"]
    assert {event.data["health_check"] for event in events} == {True}
    assert events[0].data["reason"] == "health check: its health is not known"
    assert (events[0].cause, events[0].actor) == ("policy", "lava-health")


def test_a_check_belongs_to_a_user_who_cannot_log_in(qemu01: Device, client: Client) -> None:
    scheduler.run_once()

    submitter = check_of("qemu01").submitter
    assert (submitter.username, submitter.is_active) == ("lava-health", False)
    assert not submitter.has_usable_password()
    assert not client.login(username="lava-health", password="")


@pytest.mark.parametrize(
    ("ending", "found", "reason"),
    [
        (build.PASSED, DeviceHealth.GOOD, "passed"),
        (build.FAILED, DeviceHealth.BAD, "failed (Job)"),
        (build.BROKEN, DeviceHealth.BAD, "failed (Infrastructure)"),
    ],
)
def test_a_check_says_how_its_device_is(
    ending: Ending, found: DeviceHealth, reason: str, qemu01: Device
) -> None:
    check = run_check("qemu01", ending)

    device = Device.objects.get(pk="qemu01")
    assert (device.health, device.state) == (found, DeviceState.IDLE)
    assert device.health_reason == f"health check {check.pk} {reason}"
    assert (device.last_check, device.last_check_time) == (check.pk, check.submit_time)
    change = HealthChange.objects.first()
    assert change is not None
    assert (change.previous, change.health, change.by) == (DeviceHealth.UNKNOWN, found, "worker01")


def test_a_device_that_passed_gets_jobs_again_and_no_check(qemu01: Device, alice: User) -> None:
    job = lifecycle.submit(build.definition(), by=alice)
    run_check("qemu01")

    assert scheduler.run_once() == 1

    assert Job.objects.get(pk=job.pk).device_id == "qemu01"


def test_a_bad_device_gets_neither_a_check_nor_a_job(qemu01: Device, alice: User) -> None:
    lifecycle.submit(build.definition(), by=alice)
    run_check("qemu01", build.FAILED)

    assert scheduler.run_once() == 0


@pytest.mark.parametrize("health", [DeviceHealth.BAD, DeviceHealth.MAINTENANCE, DeviceHealth.RETIRED])
def test_a_device_out_of_service_is_not_checked(health: DeviceHealth, qemu01: Device) -> None:
    devices.set_health("qemu01", health, by="admin")

    assert scheduler.run_once() == 0


def test_what_a_person_says_while_a_check_runs_stays(qemu01: Device) -> None:
    scheduler.run_once()
    devices.maintenance("qemu01", by="admin", reason="fan")
    lifecycle.finish(check_of("qemu01").pk, build.PASSED, worker="worker01")

    assert health_of("qemu01") is DeviceHealth.MAINTENANCE


def test_a_looping_device_is_checked_again_and_again_and_runs_nothing_else(
    qemu01: Device, alice: User
) -> None:
    lifecycle.submit(build.definition(), by=alice)
    devices.loop("qemu01", by="admin")

    checks = [run_check("qemu01", ending) for ending in (build.PASSED, build.FAILED, build.PASSED)]

    assert len({check.pk for check in checks}) == 3
    assert health_of("qemu01") is DeviceHealth.LOOPING


def test_a_check_that_somebody_cancels_leaves_a_bad_device(qemu01: Device) -> None:
    scheduler.run_once()
    check = check_of("qemu01")
    lifecycle.cancel(check.pk, by="alice")
    lifecycle.finish(check.pk, build.FAILED, worker="worker01")

    device = Device.objects.get(pk="qemu01")
    assert (device.health, device.health_reason) == (
        DeviceHealth.BAD,
        f"health check {check.pk} was canceled",
    )


def test_a_check_that_the_lab_ends_leaves_a_bad_device_that_is_closed(qemu01: Device) -> None:
    scheduler.run_once()
    check = check_of("qemu01")
    lifecycle.end_overdue(build.overdue(check).pk)

    device = Device.objects.get(pk="qemu01")
    assert (device.health, device.is_closed) == (DeviceHealth.BAD, True)
    assert device.health_reason == f"health check {check.pk} failed (Infrastructure)"
    assert device.health_by == "lava_lite"


def test_a_check_that_is_ended_by_hand_says_how_its_device_is(qemu01: Device) -> None:
    scheduler.run_once()
    check = check_of("qemu01")
    check.state, check.health = State.FINISHED, Health.INCOMPLETE
    check.save()

    assert health_of("qemu01") is DeviceHealth.BAD


def test_a_closed_device_is_not_checked(qemu: DeviceType) -> None:
    checked(build.device("qemu01").name)
    build.given_up()

    assert Device.objects.get(pk="qemu01").health == DeviceHealth.GOOD
    devices.unknown("qemu01", by="admin")
    assert scheduler.run_once() == 0

    devices.free("qemu01", by="admin")
    assert scheduler.run_once() == 1


@pytest.mark.parametrize(("hours_ago", "checks"), [(23.0, 0), (25.0, 1)])
def test_a_good_device_is_checked_every_so_many_hours(hours_ago: float, checks: int, qemu01: Device) -> None:
    checked("qemu01", hours_ago=hours_ago)

    assert scheduler.run_once() == checks


def test_a_good_device_is_checked_every_so_many_jobs(qemu: DeviceType, alice: User) -> None:
    DeviceType.objects.update(health_frequency=2, health_denominator=Frequency.JOBS)
    checked(build.device("qemu01").name)
    for _ in range(2):
        build.job(submitter=alice, state=State.FINISHED)
    waiting = lifecycle.submit(build.definition(), by=alice)

    run_check("qemu01")

    assert Device.objects.get(pk="qemu01").jobs_since_check == 0
    scheduler.run_once()
    assert Job.objects.get(pk=waiting.pk).device_id == "qemu01"


def test_an_infrastructure_error_has_the_device_checked(qemu: DeviceType, alice: User) -> None:
    checked(build.device("qemu01").name)
    build.job(submitter=alice, state=State.FINISHED, ending=build.BROKEN)

    run_check("qemu01")

    assert health_of("qemu01") is DeviceHealth.GOOD


@pytest.mark.parametrize("changes", [{"disable_health_check": True}, {"health_check": ""}], ids=str)
def test_a_type_without_a_check_or_with_it_disabled_runs_jobs_at_once(
    changes: dict[str, object], qemu01: Device, alice: User
) -> None:
    DeviceType.objects.update(**changes)
    job = lifecycle.submit(build.definition(), by=alice)

    scheduler.run_once()

    assert Job.objects.get(pk=job.pk).device_id == "qemu01"


@pytest.mark.parametrize(
    "changes", [{"state": WorkerState.OFFLINE}, {"health": WorkerHealth.MAINTENANCE}], ids=str
)
def test_a_worker_that_is_away_gets_no_check(changes: dict[str, int], qemu01: Device) -> None:
    Worker.objects.filter(pk="worker01").update(**changes)

    assert scheduler.run_once() == 0


def test_the_devices_of_a_worker_that_comes_back_are_checked(qemu: DeviceType) -> None:
    for name in ("qemu01", "qemu02"):
        checked(build.device(name).name)
    devices.maintenance("qemu02", by="admin", reason="fan")
    build.device("bbb01", device_type="bbb")
    devices.set_worker_health("worker01", WorkerHealth.MAINTENANCE, by="admin")

    devices.set_worker_health("worker01", WorkerHealth.ACTIVE, by="alice", reason="new disk")

    back = Device.objects.get(pk="qemu01")
    assert (back.health, back.health_reason) == (DeviceHealth.UNKNOWN, "its worker worker01 came back")
    assert back.health_by == "alice"
    assert (health_of("qemu02"), health_of("bbb01")) == (DeviceHealth.MAINTENANCE, DeviceHealth.GOOD)
    assert scheduler.run_once() == 1


def test_the_page_of_a_check_says_that_it_is_one(qemu01: Device, client: Client) -> None:
    scheduler.run_once()

    assert "a health check" in client.get(check_of("qemu01").get_absolute_url()).content.decode()


def test_checks_count_for_the_limit_of_a_worker_and_no_job_overtakes_one(
    qemu: DeviceType, alice: User
) -> None:
    build.worker(job_limit=1)
    for name in ("qemu01", "qemu02"):
        build.device(name, health=DeviceHealth.UNKNOWN)
    build.job(submitter=alice)

    assert scheduler.run_once() == 1
    lifecycle.finish(check_of("qemu01").pk, build.PASSED, worker="worker01")
    assert scheduler.run_once() == 1

    assert check_of("qemu02").state == State.SCHEDULED


def test_a_check_is_begun_once_whoever_asks(qemu01: Device) -> None:
    assert health_checks.begin("qemu01") is not None
    assert health_checks.begin("qemu01") is None
    assert Job.objects.count() == 1


def test_a_check_that_cannot_be_run_leaves_a_bad_device_with_the_reason(qemu01: Device, alice: User) -> None:
    DeviceType.objects.update(health_check="job_name: well?\n")

    assert (scheduler.run_once(), scheduler.run_once()) == (0, 0)

    device = Device.objects.get(pk="qemu01")
    assert device.health == DeviceHealth.BAD
    assert device.health_reason.startswith("the health check of qemu cannot be run: device_type: is required")
    assert device.health_by == "lava-health"
    assert build.events_of(device)[-1] == "device.changed"
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            build.definition(device_type="bbb"),
            "device_type: expected qemu, whose health check this is (line 2)",
        ),
        (
            build.definition(lava_lite={"device": "qemu01"}),
            "lava_lite.device: has no meaning in a health check",
        ),
        (build.definition(visibility={"group": ["gone"]}), "visibility.group: there is no group gone here"),
        ("job_name: [", "not valid YAML"),
    ],
)
def test_what_cannot_be_a_health_check_is_told_with_its_place(
    text: str, fault: str, qemu: DeviceType
) -> None:
    assert health.faults(qemu, text)[0].startswith(fault)


def test_a_group_cannot_be_a_health_check(qemu: DeviceType) -> None:
    (fault,) = health_checks.faults(qemu, build.multinode("server", "client"))

    assert fault.path == "protocols.lava-multinode"
    assert fault.message.startswith("a health check is for one device")


def test_a_job_of_a_group_cannot_be_a_health_check(qemu: DeviceType) -> None:
    member = build.members("server", "client")[1]

    (fault,) = health_checks.faults(qemu, member.definition)

    assert fault.path == "protocols.lava-multinode"


def test_a_definition_may_name_an_alias_of_the_type(qemu: DeviceType) -> None:
    Alias.objects.create(name="kvm", device_type=qemu)

    assert health.faults(qemu, build.definition(device_type="kvm")) == []
    assert health.faults(qemu, "") == []


@pytest.mark.parametrize(
    "health", [DeviceHealth.GOOD, DeviceHealth.BAD, DeviceHealth.MAINTENANCE, DeviceHealth.UNKNOWN]
)
def test_a_device_is_checked_next_when_somebody_asks_for_it(health: DeviceHealth, qemu01: Device) -> None:
    checked("qemu01")
    devices.set_health("qemu01", health, by="admin")

    devices.check("qemu01", by="alice")

    device = Device.objects.get(pk="qemu01")
    assert (device.health, device.health_by) == (DeviceHealth.UNKNOWN, "alice")
    assert device.health_reason == "a health check was asked for"
    run_check("qemu01")
    assert health_of("qemu01") is DeviceHealth.GOOD


def test_a_device_that_works_is_checked_when_its_job_is_over(qemu: DeviceType, alice: User) -> None:
    checked(build.device("qemu01").name)
    job = build.job(submitter=alice, state=State.RUNNING)
    devices.check("qemu01", by="alice")

    assert scheduler.run_once() == 0
    lifecycle.finish(job.pk, build.PASSED, worker="worker01")
    assert scheduler.run_once() == 1

    assert check_of("qemu01")


def test_a_device_that_loops_its_check_goes_on_with_that(qemu01: Device) -> None:
    devices.loop("qemu01", by="admin")

    assert devices.check("qemu01", by="alice").health == DeviceHealth.LOOPING


def test_what_cannot_be_checked_is_refused_with_the_reason(qemu01: Device) -> None:
    devices.retire("qemu01", by="admin")
    with pytest.raises(NoHealthCheck, match="qemu01 is retired and cannot be checked; bring it back first"):
        devices.check("qemu01", by="alice")

    build.device("bbb01", device_type="bbb")
    with pytest.raises(NoHealthCheck, match="devices of type bbb are not checked"):
        devices.check("bbb01", by="alice")


def test_the_queries_of_a_pass_do_not_grow_with_the_devices_that_could_be_checked(
    qemu: DeviceType, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        checked(build.device(f"qemu{number}").name)

    with django_assert_num_queries(1):
        assert health_checks.due() == []
