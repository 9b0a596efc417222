"""Devices: list, show, their health and its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.text import capfirst
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from api.rest.fields import TimeField, WordField
from api.v1 import parameters
from api.v1.base import Body, Listing, PageField, Resource, Shape, find
from api.v1.fields import Text
from devices import lifecycle
from devices.models import Device, DeviceQuerySet, HealthChange
from devices.states import DeviceHealth, DeviceState, WorkerState
from jobs import health_checks
from jobs.models import Job

MOST_DEVICES = 1000  # of one request


class DeviceSerializer(serializers.ModelSerializer[Device]):
    url = PageField("device")
    device_type = serializers.CharField(source="device_type_id", read_only=True)
    worker = serializers.CharField(source="worker_id", read_only=True, allow_null=True)
    worker_state = WordField(WorkerState, source="worker.state", allow_null=True, default=None)
    tags = serializers.SlugRelatedField[Any](slug_field="name", many=True, read_only=True)
    state = WordField(DeviceState)
    health = WordField(DeviceHealth)
    health_reason = serializers.CharField(read_only=True)
    health_by = serializers.CharField(read_only=True)
    health_since = TimeField()
    closed_since = TimeField(
        allow_null=True,
        help_text="the lab ended a job here by itself; no other comes until its worker confirms that, or somebody "
        "frees the device",
    )
    job = serializers.SerializerMethodField(
        help_text="the number of the job that has it, if you may see that"
    )
    last_used = TimeField(allow_null=True)
    last_check = serializers.IntegerField(
        source="last_check_seen",
        read_only=True,
        allow_null=True,
        help_text="the number of the last health check that has ended, if you may see that",
    )
    last_check_time = TimeField(allow_null=True, help_text="when that was submitted")
    may_change = serializers.SerializerMethodField(help_text="whether who asks looks after it")

    class Meta:
        model = Device
        fields = [
            "name",
            "url",
            "device_type",
            "worker",
            "worker_state",
            "description",
            "tags",
            "state",
            "health",
            "health_reason",
            "health_by",
            "health_since",
            "closed_since",
            "job",
            "last_used",
            "last_check",
            "last_check_time",
            "jobs_since_check",
            "may_change",
        ]
        read_only_fields = ["name", "description", "jobs_since_check"]

    def get_job(self, device: Device) -> int | None:
        jobs: dict[str, int] = self.context["jobs"]
        return jobs.get(device.pk)

    def get_may_change(self, device: Device) -> bool:
        return device.pk in self.context["changeable"]


class HealthBody(Body):
    health = serializers.ChoiceField([health.label for health in lifecycle.VERBS])
    reason = Text(required=False, default="", allow_blank=True, max_length=1000)


class CheckBody(Body):
    reason = Text(required=False, default="", allow_blank=True, max_length=1000)


class FreeBody(Body):
    reason = Text(max_length=1000)


class HealthOfManyBody(HealthBody):
    devices = serializers.ListField(child=Text(max_length=200), allow_empty=False, max_length=MOST_DEVICES)


class DevicesSerializer(Shape):
    items = DeviceSerializer(many=True)


class HealthChangeSerializer(serializers.ModelSerializer[HealthChange]):
    time = TimeField()
    previous = WordField(DeviceHealth, allow_null=True, help_text="null: it was added")
    health = WordField(DeviceHealth)
    reason = serializers.CharField(read_only=True)
    by = serializers.CharField(read_only=True, help_text="the user or worker")

    class Meta:
        model = HealthChange
        fields = ["id", "time", "previous", "health", "reason", "by"]


class DeviceResource(Resource):
    serializer_class = DeviceSerializer

    def get_queryset(self) -> DeviceQuerySet:
        devices = Device.objects.visible_to(self.request.user)
        rows = devices.select_related("worker").prefetch_related("tags")
        return health_checks.with_last_check(rows, self.request.user)

    def about(self, rows: Sequence[Device]) -> dict[str, Any]:
        names = [device.pk for device in rows]
        jobs = Job.objects.visible_to(self.request.user).unfinished().filter(device__in=names)
        changeable = Device.objects.changeable_by(self.request.user).filter(pk__in=names)
        return {
            "jobs": dict(jobs.values_list("device", "pk")),
            "changeable": set(changeable.values_list("pk", flat=True)),
        }

    def find(self, name: str) -> Device:
        found: Device = find(self.get_queryset(), "device", pk=name)
        return found


class Devices(Listing, DeviceResource):
    """List devices.

    Those that you may see, by name. The retired ones are left out unless `all` is true.
    """

    parameters = {
        "device_type": parameters.text("The name of the device type", "device_type"),
        "worker": parameters.text("The name of the worker", "worker"),
        "state": parameters.word("The state", DeviceState, "state"),
        "health": parameters.word("The health", DeviceHealth, "health"),
        "tag": parameters.one("A tag that the device has.", "tags__name"),
        "q": parameters.part("A part of the name, in whatever case.", "name"),
        "all": parameters.flag("Whether to list those that are retired, too."),
        **parameters.PAGES_BY_NAME,
    }

    def get_queryset(self) -> DeviceQuerySet:
        devices = super().get_queryset()
        return devices if self.query.get("all") else devices.in_service()


class OneDevice(DeviceResource):
    failures = {"GET": (405,)}  # of the one name that is an address of its own: `health`

    def get(self, request: Request, name: str) -> Response:
        """Show a device."""
        return self.answer(self.find(name))


class OneHealth(DeviceResource):
    permission_classes = [IsAuthenticated]
    failures = {"POST": (409,)}

    @extend_schema(request=HealthBody, responses=DeviceSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Take a device out of service, or bring it back.

        In maintenance and in bad health the job on it goes on and no new one comes; retiring cancels the job. One that
        is Unknown is checked first, if its type has a health check; one that is Looping is checked again and again,
        and 409 if its type has none. For who looks after the device.
        """
        wanted = self.body(HealthBody)
        device = self.find(name)
        lifecycle.set_health_for([device.pk], _health(wanted), user=self.user, reason=wanted["reason"])
        return self.answer(self.find(name))


class Free(DeviceResource):
    permission_classes = [IsAuthenticated]
    failures = {"POST": (409,)}

    @extend_schema(request=FreeBody, responses=DeviceSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Free a device that is closed.

        The lab ended a job there by itself, and its worker has not confirmed that it stopped: say that nothing of it
        runs there any more. A device that is idle stays as it is; one that a job has is not freed (409). For who
        looks after the device.
        """
        wanted = self.body(FreeBody)
        device = self.find(name)
        lifecycle.free_for(device.pk, user=self.user, reason=wanted["reason"])
        return self.answer(self.find(name))


class Check(DeviceResource):
    permission_classes = [IsAuthenticated]
    failures = {"POST": (409,)}

    @extend_schema(request=CheckBody, responses=DeviceSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Have a device checked.

        Its health is Unknown from now on, so the health check of its type runs before any other job, and says whether
        it is Good or Bad. A device in maintenance comes back that way; one that loops its check goes on with that. 409
        if its type has no health check. For who looks after the device.
        """
        wanted = self.body(CheckBody)
        device = self.find(name)
        lifecycle.check_for(device.pk, user=self.user, reason=wanted["reason"])
        return self.answer(self.find(name))


class HealthOfMany(DeviceResource):
    permission_classes = [IsAuthenticated]
    failures = {"POST": (404, 409)}

    @extend_schema(
        operation_id="devices_health_of_many", request=HealthOfManyBody, responses=DevicesSerializer
    )
    def post(self, request: Request) -> Response:
        """Take several devices out of service, or bring them back.

        All or none.
        """
        wanted = self.body(HealthOfManyBody)
        names = sorted(set(wanted["devices"]))
        try:
            lifecycle.set_health_for(names, _health(wanted), user=self.user, reason=wanted["reason"])
        except Device.DoesNotExist as missing:
            raise NotFound(
                f"{capfirst(str(missing))}, or it is hidden from you; nothing was changed."
            ) from None
        return Response({"items": self.shown(list(self.get_queryset().filter(pk__in=names).order_by("pk")))})


class History(Listing):
    """List what became of a device's health.

    The latest first.
    """

    serializer_class = HealthChangeSerializer
    newest_first = True
    parameters = parameters.PAGES_BY_ID

    def get_queryset(self) -> QuerySet[HealthChange]:
        devices = Device.objects.visible_to(self.request.user)
        return HealthChange.objects.filter(device=find(devices, "device", pk=self.kwargs["name"]))


def _health(wanted: dict[str, Any]) -> DeviceHealth:
    return DeviceHealth.from_label(wanted["health"])
