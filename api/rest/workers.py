"""Workers, and their health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models, transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from api.rest import filters
from api.rest.base import MessageSerializer, Resource, taken
from api.rest.devices import DONE
from api.rest.fields import ChosenWordField, TimeField, WordField
from api.rest.inventory import Item, NameField, OfInventory, RowSerializer, Shelf, actor
from devices import inventory, lifecycle
from devices.models import Worker
from devices.states import WorkerHealth, WorkerState

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
