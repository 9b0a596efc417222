"""How long devices were in each health, and how long jobs had them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, Subquery

from devices.models import DeviceQuerySet, HealthChange
from devices.states import USABLE, DeviceHealth
from jobs.models import Attempt


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
    """In two queries, by name; SQLite takes more of them for more than 499 devices."""
    has_history = Exists(HealthChange.objects.filter(device=OuterRef("pk")))
    ends = {"begun": _last_before(since), "ended": _last_before(until)}
    rows = devices.annotate(has_history=has_history, **ends).order_by("pk")
    found = list(rows.values_list("pk", "health", "has_history", "begun", "ended"))
    changes = HealthChange.objects.only("time", "health", "spent").in_bulk(
        {key for *_, begun, ended in found for key in (begun, ended) if key is not None}
    )

    def spent(key: int | None, moment: datetime) -> dict[str, int]:
        return {} if key is None else changes[key].spent_by(moment)

    return [
        Availability(
            device=name,
            health=DeviceHealth(health),
            seconds=_between(spent(begun, since), spent(ended, until))
            if has_history
            # It is older than the keeping of one.
            else {DeviceHealth(health): (until - since).total_seconds()},
        )
        for name, health, has_history, begun, ended in found
    ]


def seconds_at_work(device: str, since: datetime, until: datetime) -> float:
    """How long jobs had it."""
    attempts = Attempt.objects.filter(device_name=device, scheduled__lt=until)
    spans = attempts.filter(Q(ended__isnull=True) | Q(ended__gt=since)).values_list("scheduled", "ended")
    return sum((min(end or until, until) - max(begin, since)).total_seconds() for begin, end in spans)


def _last_before(moment: datetime) -> Subquery:
    """The last line of a device's history that is older than this moment."""
    before = HealthChange.objects.filter(device=OuterRef("pk"), time__lt=moment)
    return Subquery(before.order_by("-time", "-id").values("pk")[:1])


def _between(begun: dict[str, int], ended: dict[str, int]) -> dict[DeviceHealth, float]:
    """The seconds in each health that there were any in."""
    spent = {health: ended[health] - begun.get(health, 0) for health in ended}
    return {
        DeviceHealth(int(health)): microseconds / 1_000_000
        for health, microseconds in spent.items()
        if microseconds
    }
