"""How long devices were in each health, and how long jobs had them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, Subquery

from devices.models import DeviceQuerySet, HealthChange
from devices.states import USABLE, DeviceHealth
from jobs.models import Attempt

Change = tuple[datetime, DeviceHealth | None]  # None: from then on there was no such device


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    device: str
    health: DeviceHealth  # now
    seconds: dict[DeviceHealth, float]  # those that it had at all

    @property
    def known(self) -> float:
        """Seconds for which there was the device."""
        return sum(self.seconds.values())

    @property
    def in_service(self) -> float | None:
        """The share of the time in which it would have taken jobs, from 0 to 1; None if it was not there."""
        usable = sum(seconds for health, seconds in self.seconds.items() if health in USABLE)
        return usable / self.known if self.known else None

    @property
    def percent(self) -> float | None:
        return None if self.in_service is None else round(100 * self.in_service, 1)


def of(devices: DeviceQuerySet, since: datetime, until: datetime) -> list[Availability]:
    """In two queries, by name."""
    history = HealthChange.objects.filter(device=OuterRef("pk"))
    before = Subquery(history.filter(time__lt=since).order_by("-id").values("health")[:1])
    rows = devices.annotate(before=before, has_history=Exists(history)).order_by("pk")
    changes = _changes(devices, since, until)
    return [
        Availability(
            device=name,
            health=DeviceHealth(health),
            # One without a history is older than the keeping of it.
            seconds=spans([(since, _health(before if has_history else health)), *changes[name]], until),
        )
        for name, health, before, has_history in rows.values_list("pk", "health", "before", "has_history")
    ]


def seconds_at_work(device: str, since: datetime, until: datetime) -> float:
    """How long jobs had it."""
    attempts = Attempt.objects.filter(device_name=device, scheduled__lt=until)
    spans = attempts.filter(Q(ended__isnull=True) | Q(ended__gt=since)).values_list("scheduled", "ended")
    return sum((min(end or until, until) - max(begin, since)).total_seconds() for begin, end in spans)


def spans(changes: Sequence[Change], until: datetime) -> dict[DeviceHealth, float]:
    """Seconds in each health: each lasts until the next change."""
    found: dict[DeviceHealth, float] = defaultdict(float)
    ends = [*(begin for begin, _ in changes[1:]), until]
    for (begin, health), end in zip(changes, ends, strict=True):
        if health is not None:
            found[health] += max(0.0, (end - begin).total_seconds())
    return dict(found)


def _changes(devices: DeviceQuerySet, since: datetime, until: datetime) -> dict[str, list[Change]]:
    found: dict[str, list[Change]] = defaultdict(list)
    changes = HealthChange.objects.filter(device__in=devices, time__gte=since, time__lt=until).order_by("id")
    for name, time, health in changes.values_list("device", "time", "health"):
        found[name].append((time, DeviceHealth(health)))
    return found


def _health(number: int | None) -> DeviceHealth | None:
    return None if number is None else DeviceHealth(number)
