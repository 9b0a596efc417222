"""Devices: list, show, add, change, delete, their health and dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, cast

from django import forms
from django.db import models
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.models import Scope
from api.rest import filters
from api.rest.base import YAML, MessageSerializer, Resource, taken
from api.rest.fields import ChosenWordField, FixedField, WordField
from api.rest.inventory import Item, NameField, OfInventory, RowSerializer, Shelf, actor
from api.rest.parsers import utf8
from devices import configuration, inventory, lifecycle, templates
from devices.dictionary import InvalidDictionary
from devices.forms import read_context
from devices.models import Device, DeviceQuerySet, DeviceType, Tag, Worker
from devices.states import DeviceHealth, DeviceState
from jobs import health_checks

FILTERS = (
    filters.text("hostname", "name")
    | filters.text("device_type", "device_type__name")
    | filters.text("device_type__name")
    | filters.word("state", DeviceState)
    | filters.word("health", DeviceHealth)
    | filters.text("worker_host", "worker__name")
    | filters.text("worker_host__hostname", "worker__name")
    | filters.text("description")
    | filters.member("tags", "tags", filters.whole_number)
    | filters.member("tags__name", "tags__name")
)
ORDERINGS = {
    "hostname": "name",
    "device_type": "device_type",
    "state": "state",
    "health": "health",
    "worker_host": "worker",
}
RENDER = OpenApiParameter(
    "render",
    bool,
    description="Show what a worker gets: rendered, and the type's dictionary where the device has none.",
)
CONTEXT = OpenApiParameter(
    "context", str, description="With `render`: the context of a job, a mapping in YAML or JSON."
)
ALL = OpenApiParameter("all", bool, description="Show those that are retired, too.")
DONE = {"message": "OK"}  # LAVA's word


class WorkerHostField(serializers.PrimaryKeyRelatedField[Any]):
    """Empty where there is none: typed clients expect text."""

    def to_internal_value(self, data: Any) -> Worker | None:
        return None if data == "" else cast(Worker, super().to_internal_value(data))

    def get_attribute(self, instance: Device) -> str:
        return instance.worker_id or ""

    def to_representation(self, value: Any) -> str:
        return str(value)


class DeviceSerializer(RowSerializer):
    name_field = "hostname"

    hostname = NameField(source="name", max_length=200)
    device_type = serializers.PrimaryKeyRelatedField[Any](queryset=DeviceType.objects.all())
    device_version = FixedField(None)
    physical_owner = FixedField(None)
    physical_group = FixedField(None)
    tags = serializers.PrimaryKeyRelatedField[Any](many=True, queryset=Tag.objects.all(), required=False)
    state = WordField(DeviceState)
    health = ChosenWordField(lifecycle.VERBS, required=False)
    last_health_report_job = serializers.SerializerMethodField()
    worker_host = WorkerHostField(
        source="worker", queryset=Worker.objects.all(), allow_null=True, required=False
    )
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

    def get_last_health_report_job(self, device: Device) -> int | None:
        return getattr(device, "last_check_seen", None)  # one that was added just now has none

    def validate_device_type(self, device_type: DeviceType) -> DeviceType:
        visible = DeviceType.objects.visible_to(self.context["request"].user)
        if not visible.filter(pk=device_type.pk).exists():
            raise ValidationError(f'Invalid pk "{device_type.pk}" - object does not exist.')  # as of none
        return device_type


class HealthSerializer(serializers.Serializer[Any]):
    health = ChosenWordField(lifecycle.VERBS)
    reason = serializers.CharField(default="", allow_blank=True, max_length=1000)


class DictionarySerializer(serializers.Serializer[Any]):
    dictionary = serializers.CharField(allow_blank=True, trim_whitespace=False)

    def validate_dictionary(self, text: str) -> str:
        try:
            configuration.check(text)
        except InvalidDictionary as wrong:
            raise ValidationError(str(wrong)) from None
        return text


class DeviceResource(Resource):
    serializer_class: type[BaseSerializer[Any]] = DeviceSerializer
    queryset = Device.objects.prefetch_related("tags")
    lookup_url_kwarg = "name"

    def get_queryset(self) -> DeviceQuerySet:
        devices = cast(DeviceQuerySet, super().get_queryset()).visible_to(self.request.user)
        return health_checks.with_last_check(devices, self.request.user)


class Devices(Shelf, DeviceResource):
    """The devices that one may see; retired ones only with `?all=1`."""

    filters = FILTERS
    searched = ("name", "device_type__name", "description")
    orderings = ORDERINGS
    ordering = "hostname"

    def get_queryset(self) -> DeviceQuerySet:
        devices = super().get_queryset()
        wants_all = self.request.query_params.get("all", "").lower() in filters.TRUE_WORDS
        return devices if wants_all else devices.in_service()

    def rows(self) -> DeviceQuerySet:
        return health_checks.with_last_check(cast(DeviceQuerySet, super().rows()), self.request.user)

    @extend_schema(parameters=[ALL])
    def get(self, request: Request, **place: Any) -> Any:
        return super().get(request, **place)

    def add(self, model: type[models.Model], values: Mapping[str, Any]) -> models.Model:
        first = DeviceHealth.UNKNOWN if values["device_type"].is_checked else DeviceHealth.MAINTENANCE
        health = values.get("health", first)
        if health == DeviceHealth.RETIRED:
            raise ValidationError({"health": ["a new device is not retired"]})
        return super().add(model, {**values, "health": health.value})


class OneDevice(Item, DeviceResource):
    """A device."""

    # The one name that is an address of its own, `validate`, takes POST only.
    failures = {"GET": (405,), "PUT": (405, 409), "PATCH": (405, 409), "DELETE": (405, 409)}

    def change(self, row: Device, values: dict[str, Any]) -> models.Model:
        health = values.pop("health", None)
        if health is not None and health != row.health:
            lifecycle.set_health_for([row.pk], health, user=actor(self.request))
        return super().change(row, values)


class DeviceHealthOf(OfInventory, DeviceResource):
    """Take a device out, bring it back or retire it, with a reason."""

    permission_classes = [IsAuthenticated]
    serializer_class = HealthSerializer
    failures = {"POST": (409,)}

    @extend_schema(request=HealthSerializer, responses={202: MessageSerializer})
    def post(self, request: Request, name: str) -> Response:
        device = self.get_object()
        wanted = taken(self.get_serializer(data=request.data))
        lifecycle.set_health_for([device.pk], wanted["health"], user=actor(request), reason=wanted["reason"])
        return Response(DONE, status=202)


class Dictionary(OfInventory, DeviceResource):
    """Read by who looks after the device, as it may hold passwords; set by who may change all, as it holds commands."""

    permission_classes = [IsAuthenticated]
    serializer_class = DictionarySerializer

    @extend_schema(parameters=[RENDER, CONTEXT], responses={(200, YAML): OpenApiTypes.STR})
    def get(self, request: Request, name: str) -> HttpResponse:
        device: Device = self.get_object()
        inventory.require(actor(request), "change", device)
        wants_rendered = request.query_params.get("render", "").lower() in filters.TRUE_WORDS
        context = request.query_params.get("context", "")
        text = rendered(device, context) if wants_rendered else device.dictionary
        return HttpResponse(text, content_type=YAML)

    @extend_schema(request=DictionarySerializer, responses=MessageSerializer)
    def post(self, request: Request, name: str) -> Response:
        device: Device = self.get_object()
        inventory.require(actor(request), "change", device, columns=["dictionary"])
        inventory.change(device, taken(self.get_serializer(data=request.data)), by=actor(request))
        return Response({"message": f"The dictionary of {device.pk} is set."})


def rendered(device: Device, context: str) -> str:
    """What a worker gets for a job with that context, in YAML. ValidationError says what is wrong with either."""
    try:
        values = read_context(context)
    except forms.ValidationError as wrong:
        raise ValidationError({"context": wrong.messages}) from wrong
    try:
        return configuration.render(device.configuration, values)
    except InvalidDictionary as wrong:
        raise ValidationError({"dictionary": str(wrong).splitlines()}) from wrong


class TextParser(BaseParser):
    """The text of a dictionary, as it is in a file."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        return {"text": utf8(stream.read(), of="body")}


class ValidateDictionary(Resource):
    """For everybody: nothing is changed. The body is the text itself."""

    permission_classes = [AllowAny]
    parser_classes = [TextParser]
    scopes = {"POST": Scope.READ}

    @extend_schema(request={"text/plain": OpenApiTypes.STR}, responses=MessageSerializer)
    def post(self, request: Request) -> Response:
        text = cast(dict[str, str], request.data).get("text", "")
        if templates.is_template(text) and not request.user.is_authenticated:
            return Response(
                {"message": "Device dictionary invalid: templates are rendered for users only; log in"}
            )
        try:
            configuration.check(text)
        except InvalidDictionary as wrong:
            return Response({"message": f"Device dictionary invalid: {wrong}"})
        return Response({"message": "Device dictionary valid."})
