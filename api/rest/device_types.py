"""Device types and their aliases."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from api.rest import filters
from api.rest.base import YAML, Resource, taken
from api.rest.fields import FixedField
from api.rest.inventory import Item, NameField, OfInventory, RowSerializer, Shelf, actor
from devices import inventory
from devices.models import Alias, DeviceType, DeviceTypeQuerySet
from jobs import health_checks

FILTERS = filters.text("name") | filters.text("description") | filters.flag("display")
ALIAS_FILTERS = (
    filters.text("name")
    | filters.text("device_type", "device_type__name")
    | filters.text("device_type__name")
)


class DeviceTypeSerializer(RowSerializer):
    name = NameField(max_length=64)
    architecture = FixedField(None)
    processor = FixedField(None)
    cpu_model = FixedField(None)
    aliases = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)
    bits = FixedField(None)
    cores = FixedField([])
    core_count = FixedField(None)

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


class DeviceTypeResource(Resource):
    serializer_class: type[BaseSerializer[Any]] = DeviceTypeSerializer
    queryset = DeviceType.objects.prefetch_related("aliases")

    def get_queryset(self) -> DeviceTypeQuerySet:
        return cast(DeviceTypeQuerySet, super().get_queryset()).visible_to(self.request.user)


class DeviceTypes(Shelf, DeviceTypeResource):
    """The device types that one may see."""

    filters = FILTERS
    searched = ("name", "description")
    orderings = {"name": "name"}
    ordering = "name"


class OneDeviceType(Item, DeviceTypeResource):
    """A device type."""


class HealthCheckSerializer(serializers.Serializer[Any]):
    config = serializers.CharField(allow_blank=True, trim_whitespace=False)  # LAVA's name for the definition


class HealthCheck(OfInventory, DeviceTypeResource):
    """The job that checks a device of the type. Read and set by who looks after the type; an empty one ends checking."""

    permission_classes = [IsAuthenticated]
    serializer_class = HealthCheckSerializer
    lookup_url_kwarg = "name"

    @extend_schema(responses={(200, YAML): OpenApiTypes.STR})
    def get(self, request: Request, name: str) -> HttpResponse:
        device_type: DeviceType = self.get_object()
        inventory.require(actor(request), "change", device_type)
        if not device_type.health_check:
            raise ValidationError({"message": f"{name} has no health check"})  # LAVA's status
        return HttpResponse(device_type.health_check, content_type=YAML)

    @extend_schema(request=HealthCheckSerializer, responses={204: None})
    def post(self, request: Request, name: str) -> Response:
        device_type: DeviceType = self.get_object()
        inventory.require(actor(request), "change", device_type)
        text = taken(self.get_serializer(data=request.data))["config"]
        health_checks.change(device_type, {"health_check": text}, by=actor(request))
        return Response(status=204)


class AliasSerializer(RowSerializer):
    name = NameField(max_length=64)
    device_type = serializers.PrimaryKeyRelatedField[Any](queryset=DeviceType.objects.all())

    class Meta:
        model = Alias
        fields = ["name", "device_type"]

    def validate_name(self, name: str) -> str:
        if self.instance is None and DeviceType.objects.filter(pk=name).exists():
            raise ValidationError("there is a device type of this name, which jobs would get instead")
        return name


class AliasResource(Resource):
    """As in LAVA, for those who have logged in."""

    permission_classes = [IsAuthenticated]
    serializer_class = AliasSerializer
    queryset = Alias.objects.all()

    def get_queryset(self) -> QuerySet[Alias]:
        visible = DeviceType.objects.visible_to(self.request.user)
        return super().get_queryset().filter(device_type__in=visible)


class Aliases(Shelf, AliasResource):
    """Other names by which jobs may ask for a device type."""

    filters = ALIAS_FILTERS
    searched = ("name", "device_type__name")
    orderings = {"name": "name", "device_type": "device_type"}
    ordering = "name"


class OneAlias(Item, AliasResource):
    """Another name of a device type."""
