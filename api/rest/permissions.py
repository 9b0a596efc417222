"""What groups may do with devices and device types, for administrators."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated

from api.rest import filters
from api.rest.base import IsAdministrator, Resource
from api.rest.inventory import Item, Shelf
from devices.models import Device, DeviceRight, DeviceType, DeviceTypeRight, Right

VERBS = {Right.VIEW: "view", Right.SUBMIT: "submit_to", Right.CHANGE: "change"}


class RightField(serializers.ChoiceField):
    """LAVA's name of a right: `submit_to_devicetype`."""

    def __init__(self, kind: str) -> None:
        self.rights = {f"{verb}_{kind}": right for right, verb in VERBS.items()}
        super().__init__(choices=list(self.rights), source="right")

    def to_internal_value(self, data: Any) -> Any:
        return self.rights[super().to_internal_value(data)]

    def to_representation(self, value: Any) -> str:
        return next(name for name, right in self.rights.items() if right == value)


class RightSerializer(serializers.ModelSerializer[Any]):
    """One row for each group: a right includes those before it."""

    group = serializers.PrimaryKeyRelatedField[Any](queryset=Group.objects.all())

    def taken(self, name: str) -> ValidationError:
        return ValidationError({"group": ["it has a right here already; change that one"]})


class DeviceTypeRightSerializer(RightSerializer):
    name = RightField("devicetype")
    devicetype = serializers.PrimaryKeyRelatedField[Any](
        source="device_type", queryset=DeviceType.objects.all()
    )

    class Meta:
        model = DeviceTypeRight
        fields = ["id", "name", "group", "devicetype"]


class DeviceRightSerializer(RightSerializer):
    name = RightField("device")
    device = serializers.PrimaryKeyRelatedField[Any](queryset=Device.objects.all())

    class Meta:
        model = DeviceRight
        fields = ["id", "name", "group", "device"]


class DeviceTypeRightResource(Resource):
    permission_classes = [IsAuthenticated, IsAdministrator]
    serializer_class = DeviceTypeRightSerializer
    queryset = DeviceTypeRight.objects.all()
    lookup_url_kwarg = "right_id"


class DeviceTypeRights(Shelf, DeviceTypeRightResource):
    """What groups may do with all devices of a type."""

    filters = (
        filters.number("id")
        | filters.number("group")
        | filters.text("group__name")
        | filters.text("devicetype", "device_type__name")
    )
    orderings = {"id": "id", "devicetype": "device_type"}


class OneDeviceTypeRight(Item, DeviceTypeRightResource):
    """A group's right on a device type."""

    lookup_url_kwarg = "right_id"


class DeviceRightResource(Resource):
    permission_classes = [IsAuthenticated, IsAdministrator]
    serializer_class = DeviceRightSerializer
    queryset = DeviceRight.objects.all()
    lookup_url_kwarg = "right_id"


class DeviceRights(Shelf, DeviceRightResource):
    """What groups may do with single devices."""

    filters = (
        filters.number("id")
        | filters.number("group")
        | filters.text("group__name")
        | filters.text("device", "device__name")
    )
    orderings = {"id": "id", "device": "device"}


class OneDeviceRight(Item, DeviceRightResource):
    """A group's right on a device."""

    lookup_url_kwarg = "right_id"
