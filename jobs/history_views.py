"""The page that shows how the lab was used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from devices.models import Device
from jobs.history import availability, durations, queue
from jobs.history.queue import Bucket, Counts

PERIODS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
    "year": timedelta(days=365),
}
USUAL = "week"
DEVICES_SHOWN = 20
WIDTH, HEIGHT = 960, 160  # of the chart, in its own units


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """How many jobs waited, and how many were on a device, from a moment on."""

    at: datetime
    waiting: int
    running: int

    @classmethod
    def of(cls, at: datetime, counts: Counts) -> Self:
        waiting, running = queue.waiting_and_running(counts)
        return cls(at=at, waiting=waiting, running=running)

    @property
    def total(self) -> int:
        return self.waiting + self.running


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Two areas over time, one upon the other."""

    points: list[Point]
    since: datetime
    until: datetime

    @classmethod
    def of(cls, since: datetime, until: datetime) -> Self:
        points = _points(queue.buckets(since, until), queue.before(since), since, until)
        return cls(points=points, since=since, until=until)

    @property
    def busiest(self) -> Point:
        return max(self.points, key=lambda point: point.total)

    @property
    def longest_queue(self) -> Point:
        return max(self.points, key=lambda point: point.waiting)

    @property
    def running(self) -> str:
        return self._area([point.running for point in self.points])

    @property
    def all(self) -> str:
        return self._area([point.total for point in self.points])

    def _area(self, values: Sequence[int]) -> str:
        """The path of an area in steps: a number holds until the next one."""
        top = max(1, self.busiest.total)
        steps = [f"M0 {HEIGHT}"]
        for point, value in zip(self.points, values, strict=True):
            steps.append(f"H{self._x(point.at):.1f}V{HEIGHT - HEIGHT * value / top:.1f}")
        return "".join([*steps, f"H{WIDTH}V{HEIGHT}Z"])

    def _x(self, moment: datetime) -> float:
        return WIDTH * max(0.0, (moment - self.since) / (self.until - self.since))


@require_safe
def history(request: HttpRequest) -> HttpResponse:
    period = request.GET.get("period", USUAL)
    if period not in PERIODS:
        raise Http404
    until = timezone.now()
    since = until - PERIODS[period]
    devices = Device.objects.visible_to(request.user).in_service()
    found = sorted(
        availability.of(devices, since, until), key=lambda one: (one.percent is None, one.percent, one.device)
    )
    context = {
        "section": "history",
        "period": period,
        "periods": list(PERIODS),
        "chart": Chart.of(since, until),
        "types": durations.by_type(request.user, since, until),
        "most_jobs": durations.MOST_JOBS,
        "devices": found[:DEVICES_SHOWN],
        "other_devices": max(0, len(found) - DEVICES_SHOWN),
    }
    return render(request, "history.html", context)


def _points(buckets: Sequence[Bucket], before: Counts, since: datetime, until: datetime) -> list[Point]:
    """Between two buckets nothing moved: there it stays as the first of them ended."""
    span = timedelta(seconds=queue.span_for(until - since))
    points = [Point.of(since, before)]
    for bucket in buckets:
        points.append(Point.of(max(bucket.start, since), bucket.peak))
        points.append(Point.of(min(max(bucket.start + span, since), until), bucket.last))
    return points
