"""Device types and their aliases."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated

from api.rest import filters
from api.rest.base import Resource
from api.rest.fields import FixedField
from api.rest.inventory import Item, NameField, RowSerializer, Shelf
from devices.models import Alias, DeviceType, DeviceTypeQuerySet

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


class DeviceTypeResource(Resource):
    serializer_class = DeviceTypeSerializer
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
