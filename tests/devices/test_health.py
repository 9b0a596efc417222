"""When a health check is due, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from devices.health import CheckRecord, verdict, why_due
from devices.states import DeviceHealth, Frequency

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(
    health: DeviceHealth = DeviceHealth.GOOD,
    *,
    hours_ago: float | None = 1,
    jobs_since: int = 0,
    every: int = 24,
    unit: Frequency = Frequency.HOURS,
) -> CheckRecord:
    last = None if hours_ago is None else NOON - timedelta(hours=hours_ago)
    return CheckRecord(health=health, last=last, jobs_since=jobs_since, every=every, unit=unit)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (record(), None),
        (record(hours_ago=23.9), None),
        (record(hours_ago=24), "24 hours since the last"),
        (record(hours_ago=None), "it was never checked"),
        (record(jobs_since=99), None),
        (record(every=5, unit=Frequency.JOBS, jobs_since=4, hours_ago=999), None),
        (record(every=5, unit=Frequency.JOBS, jobs_since=5), "5 jobs since the last"),
        (record(DeviceHealth.UNKNOWN), "its health is not known"),
        (record(DeviceHealth.LOOPING), "it loops its health check"),
    ],
)
def test_a_check_is_due_after_hours_or_jobs_or_when_the_health_asks_for_it(
    state: CheckRecord, reason: str | None
) -> None:
    assert why_due(state, NOON) == reason


@pytest.mark.parametrize("health", [DeviceHealth.GOOD, DeviceHealth.UNKNOWN, DeviceHealth.BAD])
def test_a_check_says_whether_a_device_is_good_or_bad(health: DeviceHealth) -> None:
    assert verdict(health, passed=True) is DeviceHealth.GOOD
    assert verdict(health, passed=False) is DeviceHealth.BAD


@pytest.mark.parametrize("health", [DeviceHealth.LOOPING, DeviceHealth.MAINTENANCE, DeviceHealth.RETIRED])
def test_a_check_changes_nothing_of_what_a_person_said(health: DeviceHealth) -> None:
    assert verdict(health, passed=True) is verdict(health, passed=False) is health
