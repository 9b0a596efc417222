"""How the lab was used: the queue over time, durations of jobs, availability of devices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.core4.envelope import naive, wrapped
from api.v1 import parameters
from api.v1.base import Resource, Shape, find
from devices.models import Device, DeviceType
from devices.states import DeviceHealth
from jobs.history import availability, durations, queue
from jobs.history.durations import Durations, Spread
from jobs.history.queue import Counts

USUAL_ROWS, MOST_ROWS = 10, 1000
USUAL_REACH = timedelta(days=7)  # core4's
MOST_BUCKETS = 5000

SINCE = parameters.time("From this time on, by default for the last 7 days", "time__gte")
UNTIL = parameters.time("Before this time, by default until now", "time__lt")


class QueueStateSerializer(Shape):
    created = serializers.CharField(help_text="ISO 8601 in UTC, without a zone")
    total = serializers.IntegerField(help_text="unfinished jobs")
    pending = serializers.IntegerField(
        required=False, help_text="those that wait; left out if there are none"
    )
    running = serializers.IntegerField(
        required=False, help_text="those on a device; left out if there are none"
    )


class Core4Serializer(Shape):
    """As core4 answers."""

    code = serializers.IntegerField()
    message = serializers.CharField()
    timestamp = serializers.CharField(help_text="ISO 8601 in UTC, without a zone")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # Names that the class itself cannot have.
        own = {
            "_id": serializers.CharField(help_text="of this answer"),
            "data": QueueStateSerializer(many=True),
        }
        return own | super().get_fields()


class PagedSerializer(Core4Serializer):
    page = serializers.IntegerField(help_text="from 0")
    page_count = serializers.IntegerField()
    per_page = serializers.IntegerField()
    count = serializers.IntegerField(help_text="of rows in this page")
    total_count = serializers.FloatField(help_text="of rows in all pages")


class SpreadSerializer(Shape):
    median = serializers.FloatField(allow_null=True, help_text="seconds")
    p90 = serializers.FloatField(allow_null=True, help_text="seconds that 9 of 10 did not exceed")
    longest = serializers.FloatField(allow_null=True, help_text="seconds")


class DurationsSerializer(Shape):
    device_type = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    jobs = serializers.IntegerField(
        help_text=f"that ended in this time and may be seen, {durations.MOST_JOBS} at most"
    )
    passed = serializers.IntegerField(help_text="those with the outcome pass")
    waited = SpreadSerializer(help_text="from the submission to the start")
    ran = SpreadSerializer(help_text="from the start to the end")


class HealthSecondsSerializer(Shape):
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {health.label: serializers.FloatField() for health in DeviceHealth}


class DeviceAvailabilitySerializer(Shape):
    device = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    seconds = HealthSecondsSerializer(help_text="in each health")
    in_service = serializers.FloatField(
        allow_null=True,
        help_text="the share of the time in which it would have taken jobs; null if it was not there",
    )
    at_work = serializers.FloatField(help_text="seconds for which jobs had it")


class History(Resource):
    @property
    def reach(self) -> tuple[datetime, datetime]:
        until = self.query.get("until", timezone.now())
        since = self.query.get("since") or _before(until)
        if since >= until:
            raise ValidationError({"since": [f"expected a time before until, which is {until.isoformat()}"]})
        return since, until


class JobsHistory(Resource):
    parameters = {
        "page": parameters.page("From 0, the newest rows first; -1 is the last page."),
        "per_page": parameters.number(f"Rows of a page, {MOST_ROWS} at most."),
    }

    @extend_schema(operation_id="jobs_history", responses=PagedSerializer)
    def get(self, request: Request) -> Response:
        """Show the queue over time, move by move.

        A row for each time that a job moved, with the number of unfinished jobs from then on. In core4's shape and with
        its pager.
        """
        size = self.query.get("per_page", USUAL_ROWS)
        if not 1 <= size <= MOST_ROWS:
            raise ValidationError({"per_page": [f"expected 1 to {MOST_ROWS}, got {size}"]})
        found = queue.page(self.query.get("page", 0), size)
        rows = [_row(record.time, record.counts) for record in found.records]
        pager = {
            "page": found.number,
            "page_count": found.pages,
            "per_page": size,
            "count": len(rows),
            "total_count": float(found.total),
        }
        return Response(wrapped(rows) | pager)


class QueueHistory(History):
    parameters = {"since": SINCE, "until": UNTIL}

    @extend_schema(operation_id="queue_history", responses=Core4Serializer)
    def get(self, request: Request) -> Response:
        """Show the queue over time, in stretches.

        Seconds up to an hour, minutes up to a day, hours up to a month, else days: of each in which a job moved, its
        busiest moment. In core4's shape, the oldest first.
        """
        since, until = self.reach
        if (until - since) / timedelta(seconds=queue.span_for(until - since)) > MOST_BUCKETS:
            raise ValidationError({"since": [f"expected at most {MOST_BUCKETS} days before until"]})
        found = queue.buckets(since, until)
        return Response(wrapped([_row(bucket.start, bucket.peak) for bucket in found]))


class JobDurations(History):
    parameters = {"since": SINCE, "until": UNTIL}

    @extend_schema(operation_id="device_types_durations", responses=DurationsSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Say how long the jobs of a type waited and ran."""
        since, until = self.reach
        device_type = find(DeviceType.objects.visible_to(request.user), "device type", pk=name).pk
        found = durations.by_type(request.user, since, until, device_type=device_type)
        about = found[0] if found else Durations.of(device_type, [])
        return Response(
            {
                "device_type": device_type,
                "since": since,
                "until": until,
                "jobs": about.jobs,
                "passed": about.passed,
                "waited": _spread(about.waited),
                "ran": _spread(about.ran),
            }
        )


class DeviceAvailability(History):
    parameters = {"since": SINCE, "until": UNTIL}

    @extend_schema(operation_id="devices_availability", responses=DeviceAvailabilitySerializer)
    def get(self, request: Request, name: str) -> Response:
        """Say how long a device was in each health, and how long jobs had it."""
        since, until = self.reach
        devices = Device.objects.visible_to(request.user)
        device = find(devices, "device", pk=name).pk
        (found,) = availability.of(devices.filter(pk=device), since, until)
        return Response(
            {
                "device": device,
                "since": since,
                "until": until,
                "seconds": {health.label: found.seconds.get(health, 0.0) for health in DeviceHealth},
                "in_service": found.in_service,
                "at_work": availability.seconds_at_work(device, since, until),
            }
        )


def _before(until: datetime) -> datetime:
    """Where the usual reach to this time begins; years begin with 1."""
    return max(until, datetime.min.replace(tzinfo=UTC) + USUAL_REACH) - USUAL_REACH


def _row(moment: datetime, counts: Counts) -> dict[str, Any]:
    pending, running = queue.waiting_and_running(counts)
    named = {"pending": pending, "running": running}
    return {
        "created": naive(moment),
        "total": pending + running,
        **{name: n for name, n in named.items() if n},
    }


def _spread(spread: Spread) -> dict[str, float | None]:
    return {
        name: None if length is None else length.total_seconds()
        for name, length in (("median", spread.median), ("p90", spread.p90), ("longest", spread.longest))
    }
