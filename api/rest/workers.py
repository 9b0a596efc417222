"""Workers, and their health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models, transaction
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
from api.rest.base import YAML, MessageSerializer, Resource, taken
from api.rest.devices import DONE
from api.rest.fields import ChosenWordField, TimeField, WordField
from api.rest.inventory import Item, NameField, OfInventory, RowSerializer, Shelf, actor
from devices import inventory, lifecycle, worker_files
from devices.models import Worker
from devices.states import WorkerHealth, WorkerState
from devices.worker_files import InvalidFile

FILTERS = (
    filters.text("hostname", "name")
    | filters.word("state", WorkerState)
    | filters.word("health", WorkerHealth)
    | filters.text("description")
    | filters.text("version")
    | filters.number("job_limit")
    | filters.time("last_ping")
)
ORDERINGS = {"hostname": "name", "state": "state", "health": "health", "last_ping": "last_ping"}


class WorkerSerializer(RowSerializer):
    name_field = "hostname"

    hostname = NameField(source="name", max_length=128)
    state = WordField(WorkerState)
    health = ChosenWordField(WorkerHealth, required=False)
    last_ping = TimeField(allow_null=True)

    class Meta:
        model = Worker
        fields = ["hostname", "health", "state", "description", "last_ping", "job_limit", "version"]
        read_only_fields = ["version"]


class NewWorkerSerializer(WorkerSerializer):
    """With the token that the worker shows from now on; only its digest is kept."""

    token = serializers.CharField(read_only=True)

    class Meta(WorkerSerializer.Meta):
        fields = [*WorkerSerializer.Meta.fields, "token"]


NAMES_OF_FILES = {"dispatcher_config": "config", "env": "env", "env_dut": "env_dut"}


class WorkerHealthSerializer(serializers.Serializer[Any]):
    health = ChosenWordField(WorkerHealth)
    reason = serializers.CharField(default="", allow_blank=True, max_length=1000)


class WorkerResource(Resource):
    serializer_class: type[BaseSerializer[Any]] = WorkerSerializer
    queryset = Worker.objects.all()
    lookup_url_kwarg = "name"


class Workers(Shelf, WorkerResource):
    """The machines that run jobs. POST adds one, and answers with its token this once."""

    filters = FILTERS
    searched = ("name", "description")
    orderings = ORDERINGS
    ordering = "hostname"

    def get_serializer_class(self) -> type[WorkerSerializer]:
        return NewWorkerSerializer if self.request.method == "POST" else WorkerSerializer

    @transaction.atomic
    def add(self, model: type[models.Model], values: Mapping[str, Any]) -> models.Model:
        added = super().add(model, values)
        assert isinstance(added, Worker)
        secret = inventory.new_token(added, by=actor(self.request))
        added.token = secret  # type: ignore[attr-defined]
        return added


class OneWorker(Item, WorkerResource):
    """A machine that runs jobs."""

    def change(self, row: Worker, values: dict[str, Any]) -> models.Model:
        health = values.pop("health", None)
        if health is not None and health != row.health:
            lifecycle.set_worker_health_for(row.pk, health, user=actor(self.request))
        return super().change(row, values)


class WorkerHealthOf(OfInventory, WorkerResource):
    """Take a worker out, bring it back or retire it, with a reason."""

    permission_classes = [IsAuthenticated]
    serializer_class = WorkerHealthSerializer

    @extend_schema(request=WorkerHealthSerializer, responses={202: MessageSerializer})
    def post(self, request: Request, name: str) -> Response:
        worker = self.get_object()
        wanted = taken(self.get_serializer(data=request.data))
        lifecycle.set_worker_health_for(
            worker.pk, wanted["health"], user=actor(request), reason=wanted["reason"]
        )
        return Response(DONE, status=202)


def checked_file(column: str, field: str, text: str) -> str:
    """ValidationError has what is wrong with it."""
    try:
        worker_files.check(column, text)
    except InvalidFile as wrong:
        raise ValidationError({field: str(wrong).splitlines()}) from wrong
    return text


class WorkerFile(OfInventory, WorkerResource):
    """For who looks after workers, as there may be passwords in it."""

    permission_classes = [IsAuthenticated]
    column = "env"

    @extend_schema(responses={(200, YAML): OpenApiTypes.STR})
    def get(self, request: Request, name: str) -> HttpResponse:
        worker: Worker = self.get_object()
        inventory.require(actor(request), "change", worker)
        return HttpResponse(getattr(worker, self.column), content_type=YAML)

    @extend_schema(request=OpenApiTypes.OBJECT, responses=MessageSerializer)
    def post(self, request: Request, name: str) -> Response:
        worker: Worker = self.get_object()
        inventory.require(actor(request), "change", worker)
        field = NAMES_OF_FILES[self.column]
        text = request.data.get(field) if isinstance(request.data, Mapping) else None
        if not isinstance(text, str):
            raise ValidationError({field: ["This field is required, as a text."]})
        inventory.change(worker, {self.column: checked_file(self.column, field, text)}, by=actor(request))
        return Response({"message": f"The {field} of {worker.pk} is set."})


class WorkerConfig(WorkerFile):
    """What the worker's dispatcher is told of its machine, such as `dispatcher_ip`."""

    column = "dispatcher_config"


class WorkerEnvironment(WorkerFile):
    """The environment of the processes that run jobs on the worker."""


class DeviceEnvironment(WorkerFile):
    """The environment on the devices of the worker. LAVA has it by XML-RPC only."""

    column = "env_dut"
