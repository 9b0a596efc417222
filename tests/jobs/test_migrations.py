from __future__ import annotations

from datetime import UTC, datetime, timedelta

from devices.models import HealthChange
from devices.states import DeviceHealth
from jobs.models import Job
from jobs.states import State
from tests import build, migrating
from tests.migrating import latest

__all__ = ["latest"]

BEFORE_SUMS = ("devices", "0005_health_checks")
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
BEFORE_OUTCOME = ("jobs", "0004_results_in_order")
BEFORE_NAMES_OF_TAGS = ("jobs", "0017_sayings")


def test_jobs_that_ended_before_outcomes_were_kept_have_theirs(latest: None) -> None:
    alice = build.user("alice")
    endings = {"pass": build.PASSED, "fail": build.FAILED, "infrastructure": build.BROKEN}
    expected = {
        build.job(submitter=alice, state=State.FINISHED, ending=ending).pk: outcome
        for outcome, ending in endings.items()
    }
    with_failure = build.job(submitter=alice, state=State.FINISHED)
    build.case(with_failure, result="fail")
    tried_again = build.job(submitter=alice, state=State.FINISHED)
    build.case(tried_again, suite="lava", result="fail")
    waiting = build.job(submitter=alice)
    expected |= {with_failure.pk: "fail", tried_again.pk: "pass", waiting.pk: ""}

    migrating.migrate_singly(BEFORE_OUTCOME)
    migrating.upgrade()

    assert dict(Job.objects.values_list("pk", "outcome")) == expected


def test_jobs_that_wanted_tags_before_their_events_told_them_have_their_names(latest: None) -> None:
    build.device("qemu01", tags=("usb", "fast"))
    wanting = build.job(submitter=build.user("alice"), tags=["usb", "fast"])
    other = build.job(submitter=build.user("alice"))

    migrating.migrate_singly(BEFORE_NAMES_OF_TAGS)
    migrating.upgrade()

    names = {job.pk: sorted(job.wanted_tags) for job in Job.objects.all()}
    assert names == {wanting.pk: ["fast", "usb"], other.pk: []}


def test_histories_that_were_kept_before_sums_were_have_theirs(latest: None) -> None:
    for name in ("qemu01", "qemu02"):
        device = build.device(name)
        HealthChange.objects.all().filter(device=device).delete()
        for hour, health in (
            (0, DeviceHealth.GOOD),
            (3, DeviceHealth.BAD),
            (2, DeviceHealth.GOOD),
            (9, DeviceHealth.BAD),
        ):
            HealthChange.objects.add(device, NOON + timedelta(hours=hour), health=health)
    expected = list(HealthChange.objects.values_list("device", "time", "spent"))

    migrating.migrate_singly(BEFORE_SUMS)
    migrating.upgrade()

    assert list(HealthChange.objects.values_list("device", "time", "spent")) == expected
    assert expected[0][2] == {"0": 9 * 3_600_000_000, "3": 0}
