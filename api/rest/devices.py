"""The inventory, for reading: devices, device types, workers."""

from __future__ import annotations

from typing import Any, cast

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.rest import filters
from api.rest.base import Listing, Resource
from api.rest.fields import FixedField, TimeField, WordField
from devices.models import Device, DeviceQuerySet, DeviceType, DeviceTypeQuerySet, Worker
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState

DEVICE_FILTERS = (
    filters.text("hostname", "name")
    | filters.text("device_type", "device_type__name")
    | filters.text("device_type__name")
    | filters.word("state", DeviceState)
    | filters.word("health", DeviceHealth)
    | filters.text("worker_host", "worker__name")
    | filters.text("worker_host__hostname", "worker__name")
    | filters.text("description")
    | filters.member("tags__name", "tags__name")
)
DEVICE_ORDERINGS = {
    "hostname": "name",
    "device_type": "device_type",
    "state": "state",
    "health": "health",
    "worker_host": "worker",
}
TYPE_FILTERS = filters.text("name") | filters.flag("display")
WORKER_FILTERS = (
    filters.text("hostname", "name")
    | filters.word("state", WorkerState)
    | filters.word("health", WorkerHealth)
    | filters.text("description")
    | filters.text("version")
)
WORKER_ORDERINGS = {"hostname": "name", "state": "state", "health": "health", "last_ping": "last_ping"}


class DeviceSerializer(serializers.ModelSerializer[Device]):
    hostname = serializers.CharField(source="name")
    device_type = serializers.CharField(source="device_type_id")
    device_version = FixedField(None)
    physical_owner = FixedField(None)
    physical_group = FixedField(None)
    tags = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)
    state = WordField(DeviceState)
    health = WordField(DeviceHealth)
    last_health_report_job = FixedField(None)
    worker_host = serializers.SerializerMethodField()
    is_synced = FixedField(False)

    class Meta:
        model = Device
        fields = [
            "hostname",
            "device_type",
            "device_version",
            "physical_owner",
            "physical_group",
            "description",
            "tags",
            "state",
            "health",
            "last_health_report_job",
            "worker_host",
            "is_synced",
        ]

    def get_worker_host(self, device: Device) -> str:
        return device.worker_id or ""  # typed clients expect text


class DeviceTypeSerializer(serializers.ModelSerializer[DeviceType]):
    architecture = FixedField(None)
    processor = FixedField(None)
    cpu_model = FixedField(None)
    aliases = FixedField([])
    bits = FixedField(None)
    cores = FixedField([])
    core_count = FixedField(None)
    health_frequency = FixedField(24)  # with the denominator: LAVA's default
    disable_health_check = FixedField(True)  # no health checks are run
    health_denominator = FixedField(0)

    class Meta:
        model = DeviceType
        fields = [
            "name",
            "architecture",
            "processor",
            "cpu_model",
            "aliases",
            "bits",
            "cores",
            "core_count",
            "description",
            "health_frequency",
            "disable_health_check",
            "health_denominator",
            "display",
        ]


class WorkerSerializer(serializers.ModelSerializer[Worker]):
    hostname = serializers.CharField(source="name")
    state = WordField(WorkerState)
    health = WordField(WorkerHealth)
    last_ping = TimeField()

    class Meta:
        model = Worker
        fields = ["hostname", "health", "state", "description", "last_ping", "job_limit", "version"]


class DeviceResource(Resource):
    serializer_class = DeviceSerializer
    queryset = Device.objects.prefetch_related("tags")

    def get_queryset(self) -> DeviceQuerySet:
        return cast(DeviceQuerySet, super().get_queryset()).visible_to(self.request.user)


class Devices(Listing, DeviceResource):
    """Retired ones only with `?all=1`."""

    filters = DEVICE_FILTERS
    orderings = DEVICE_ORDERINGS
    ordering = "hostname"

    def get_queryset(self) -> DeviceQuerySet:
        devices = super().get_queryset()
        wants_all = self.request.query_params.get("all", "").lower() in filters.TRUE_WORDS
        return devices if wants_all else devices.in_service()


class OneDevice(DeviceResource):
    def get(self, request: Request, name: str) -> Response:
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=name)).data)


class DeviceTypeResource(Resource):
    serializer_class = DeviceTypeSerializer
    queryset = DeviceType.objects.all()

    def get_queryset(self) -> DeviceTypeQuerySet:
        return cast(DeviceTypeQuerySet, super().get_queryset()).visible_to(self.request.user)


class DeviceTypes(Listing, DeviceTypeResource):
    filters = TYPE_FILTERS
    orderings = {"name": "name"}
    ordering = "name"


class OneDeviceType(DeviceTypeResource):
    def get(self, request: Request, name: str) -> Response:
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=name)).data)


class WorkerResource(Resource):
    serializer_class = WorkerSerializer
    queryset = Worker.objects.all()


class Workers(Listing, WorkerResource):
    filters = WORKER_FILTERS
    orderings = WORKER_ORDERINGS
    ordering = "hostname"


class OneWorker(WorkerResource):
    def get(self, request: Request, name: str) -> Response:
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=name)).data)
