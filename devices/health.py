"""When a device's health is to be checked, and what a check says of it, by LAVA's rules. No ORM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from devices.states import DeviceHealth, Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
    """What decides whether a device is due for a check."""

    health: DeviceHealth
    last: datetime | None  # when its last check that has ended was submitted
    jobs_since: int
    every: int
    unit: Frequency


def why_due(record: CheckRecord, now: datetime) -> str | None:
    """The reason for a check that is due; None if none is."""
    if record.health is DeviceHealth.UNKNOWN:
        return "its health is not known"
    if record.health is DeviceHealth.LOOPING:
        return "it loops its health check"
    if record.last is None:
        return "it was never checked"
    if record.unit is Frequency.JOBS:
        return f"{record.jobs_since} jobs since the last" if record.jobs_since >= record.every else None
    is_over = record.last + timedelta(hours=record.every) <= now
    return f"{record.every} hours since the last" if is_over else None


def verdict(health: DeviceHealth, *, passed: bool) -> DeviceHealth:
    """What a device in this health is after a check. What a person said of it stays."""
    if health in (DeviceHealth.GOOD, DeviceHealth.UNKNOWN, DeviceHealth.BAD):
        return DeviceHealth.GOOD if passed else DeviceHealth.BAD
    return health


# Definitions are read a package above this one, which has said here how (AppConfig.ready).
_find_faults: Callable[[Any, str], Sequence[object]] | None = None


def find_faults_by(rule: Callable[[Any, str], Sequence[object]]) -> None:
    """Have `rule(device_type, text)` say what is wrong with the definition of a type's health check."""
    global _find_faults
    _find_faults = rule


def faults(device_type: Any, text: str) -> list[str]:
    """What keeps a text from being the health check of this type, each with its path and line."""
    assert _find_faults is not None
    return [str(fault) for fault in _find_faults(device_type, text)]
