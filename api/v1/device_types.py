"""Device types, and how soon each could run a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from api.v1 import parameters
from api.v1.base import Body, Listing, PageField, Resource, Shape, find
from api.v1.fields import Flag, Number, Seconds, Text, Whole
from devices import inventory
from devices.models import Device, DeviceType, DeviceTypeQuerySet
from devices.states import Frequency
from jobs import capacity, health_checks
from jobs.capacity import Standing
from jobs.retries import MAX_ATTEMPTS, MAX_BACKOFF

YEAR = 365 * 86_400  # seconds
MOST_FREQUENCY = 1_000_000
COLUMNS = {
    "definition": "health_check",
    "frequency": "health_frequency",
    "unit": "health_denominator",
    "disabled": "disable_health_check",
}
OF_STANDING = {
    Standing.FREE: "ready for a job",
    Standing.BUSY: "a job runs on it",
    Standing.RESERVED: "a job has it, and begins",
    Standing.OFFLINE: "its worker is not there",
    Standing.MAINTENANCE: "it, or its worker, was taken out by a person",
    Standing.BAD: "in bad health, or looping its health check",
}


class RetrySerializer(Shape):
    """How jobs are tried again that say nothing of it, when they failed and the lab is to blame."""

    attempts = serializers.IntegerField(
        source="retry_attempts", help_text="in all; 1: nothing is tried again"
    )
    delay = Seconds(source="retry_delay", help_text="seconds before the second attempt")
    backoff = serializers.FloatField(
        source="retry_backoff", help_text="by which each further delay is longer than the one before"
    )
    max_delay = Seconds(source="retry_max_delay", help_text="seconds that no delay exceeds")


class RetryBody(Body):
    attempts = Whole(source="retry_attempts", required=False, min_value=1, max_value=MAX_ATTEMPTS)
    delay = Seconds(source="retry_delay", required=False, min_value=0, max_value=YEAR)
    backoff = Number(source="retry_backoff", required=False, min_value=1, max_value=MAX_BACKOFF)
    max_delay = Seconds(source="retry_max_delay", required=False, min_value=0, max_value=YEAR)


class DeviceTypeSerializer(serializers.ModelSerializer[DeviceType]):
    url = PageField("device-type")
    aliases = serializers.SlugRelatedField[Any](slug_field="name", many=True, read_only=True)
    devices = serializers.SerializerMethodField(help_text="how many you may see that are in service")
    retry = RetrySerializer(source="*", read_only=True)

    class Meta:
        model = DeviceType
        fields = ["name", "url", "description", "aliases", "devices", "retry"]
        read_only_fields = ["name", "description"]

    def get_devices(self, device_type: DeviceType) -> int:
        counts: dict[str, int] = self.context["devices"]
        return counts.get(device_type.pk, 0)


class AvailabilitySerializer(Shape):
    device_type = serializers.CharField()
    devices = serializers.IntegerField(help_text="in service; each is one of the following")

    def get_fields(self) -> dict[str, Any]:
        standings = {
            standing.value: serializers.IntegerField(help_text=text) for standing, text in OF_STANDING.items()
        }
        return {
            **super().get_fields(),
            **standings,
            "queued": serializers.IntegerField(help_text="jobs that wait"),
            "running": serializers.IntegerField(help_text="jobs that have a device"),
            "expected_wait": serializers.FloatField(
                allow_null=True,
                help_text="seconds that a job submitted now would wait, if jobs take as long as the last ones did; "
                "null if that is not known",
            ),
        }


class DeviceTypeResource(Resource):
    serializer_class: type[serializers.BaseSerializer[Any]] = DeviceTypeSerializer

    def get_queryset(self) -> DeviceTypeQuerySet:
        return DeviceType.objects.visible_to(self.request.user).prefetch_related("aliases")

    def about(self, rows: Sequence[DeviceType]) -> dict[str, Any]:
        devices = Device.objects.visible_to(self.request.user).in_service()
        of_types = devices.filter(device_type__in=[row.pk for row in rows]).order_by()
        return {"devices": dict(of_types.values_list("device_type").annotate(Count("pk")))}

    def find(self, name: str) -> DeviceType:
        return find(self.get_queryset(), "device type", pk=name)


class DeviceTypes(Listing, DeviceTypeResource):
    """List device types.

    Those that you may see, by name.
    """

    parameters = {
        "q": parameters.part("A part of the name, in whatever case.", "name"),
        **parameters.PAGES_BY_NAME,
    }

    def get_queryset(self) -> DeviceTypeQuerySet:
        return super().get_queryset().filter(display=True)


class OneDeviceType(DeviceTypeResource):
    def get(self, request: Request, name: str) -> Response:
        """Show a device type."""
        return self.answer(self.find(name))


class Retry(DeviceTypeResource):
    permission_classes = [IsAuthenticated]

    @extend_schema(request=RetryBody, responses=DeviceTypeSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Set how the jobs of a type are tried again.

        Those that say nothing of it themselves (`lava_lite: {retry: …}`), and that failed with an error of the lab's.
        What is left out stays as it is. For who looks after the type.
        """
        device_type = self.find(name)
        inventory.change(device_type, self.body(RetryBody), by=self.user)
        return self.answer(self.find(name))


class HealthCheckSerializer(serializers.ModelSerializer[DeviceType]):
    definition = serializers.CharField(
        source="health_check",
        read_only=True,
        help_text="of the job that checks a device; empty: none is checked",
    )
    frequency = serializers.IntegerField(
        source="health_frequency", read_only=True, help_text="a device is checked after so many hours or jobs"
    )
    unit = serializers.SerializerMethodField(help_text="hours or jobs")
    disabled = serializers.BooleanField(
        source="disable_health_check", read_only=True, help_text="for now, no device is checked"
    )

    class Meta:
        model = DeviceType
        fields = ["definition", "frequency", "unit", "disabled"]

    def get_unit(self, device_type: DeviceType) -> str:
        return Frequency(device_type.health_denominator).label.lower()


class HealthCheckBody(Body):
    definition = Text(required=False, allow_blank=True, trim_whitespace=False)
    frequency = Whole(required=False, min_value=1, max_value=MOST_FREQUENCY)
    unit = serializers.ChoiceField([unit.label.lower() for unit in Frequency], required=False)
    disabled = Flag(required=False)

    def validate_unit(self, word: str) -> Frequency:
        return Frequency.from_label(word)


class HealthCheck(DeviceTypeResource):
    permission_classes = [IsAuthenticated]
    serializer_class = HealthCheckSerializer
    failures = {"GET": (403,)}

    def get(self, request: Request, name: str) -> Response:
        """Show how the devices of a type are checked.

        For who looks after the type.
        """
        device_type = self.find(name)
        inventory.require(self.user, "change", device_type)
        return self.answer(device_type)

    @extend_schema(request=HealthCheckBody, responses=HealthCheckSerializer)
    def patch(self, request: Request, name: str) -> Response:
        """Change how the devices of a type are checked.

        What is not given stays as it is; an empty definition ends checking. The faults of a definition are told as
        those of a job. For who looks after the type.
        """
        device_type = self.find(name)
        inventory.require(self.user, "change", device_type)
        wanted = {COLUMNS[field]: value for field, value in self.body(HealthCheckBody).items()}
        health_checks.change(device_type, wanted, by=self.user)
        return self.answer(self.find(name))


class Availability(DeviceTypeResource):
    @extend_schema(responses=AvailabilitySerializer)
    def get(self, request: Request, name: str) -> Response:
        """Say how soon a job for a type could run.

        How many of its devices are free, how many jobs wait for one, and how long a new job would wait.
        """
        found = capacity.of(self.find(name), request.user)
        counts = {standing.value: found.standings[standing] for standing in Standing}
        answer = {"device_type": name, "devices": found.devices, **counts}
        answer |= {"queued": found.queued, "running": found.running, "expected_wait": found.expected_wait}
        return Response(answer)
