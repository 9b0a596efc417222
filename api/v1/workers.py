"""Workers: the machines that run jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from api.rest.fields import TimeField, WordField
from api.v1 import parameters
from api.v1.base import Body, Listing, PageField, Resource, Shape, find
from api.v1.fields import Text
from devices import inventory, worker_files
from devices.models import Device, Worker
from devices.states import WorkerHealth, WorkerState
from devices.worker_files import InvalidFile


class WorkerSerializer(serializers.ModelSerializer[Worker]):
    url = PageField("worker")
    state = WordField(WorkerState)
    health = WordField(WorkerHealth)
    last_ping = TimeField(allow_null=True)
    devices = serializers.SerializerMethodField(help_text="how many you may see that are in service")

    class Meta:
        model = Worker
        fields = [
            "name",
            "url",
            "description",
            "state",
            "health",
            "version",
            "last_ping",
            "job_limit",
            "devices",
        ]
        read_only_fields = ["name", "description", "version", "job_limit"]

    def get_devices(self, worker: Worker) -> int:
        counts: dict[str, int] = self.context["devices"]
        return counts.get(worker.pk, 0)


class WorkerResource(Resource):
    serializer_class = WorkerSerializer
    queryset = Worker.objects.all()

    def about(self, rows: Sequence[Worker]) -> dict[str, Any]:
        devices = Device.objects.visible_to(self.request.user).in_service()
        of_workers = devices.filter(worker__in=[row.pk for row in rows]).order_by()
        return {"devices": dict(of_workers.values_list("worker").annotate(Count("pk")))}


class Workers(Listing, WorkerResource):
    """List workers.

    By name.
    """

    parameters = {
        "state": parameters.word("The state", WorkerState, "state"),
        "health": parameters.word("The health", WorkerHealth, "health"),
        **parameters.PAGES_BY_NAME,
    }


class OneWorker(WorkerResource):
    def get(self, request: Request, name: str) -> Response:
        """Show a worker."""
        return self.answer(find(self.get_queryset(), "worker", pk=name))


class FileShape(Shape):
    text = serializers.CharField(help_text="YAML; empty if it has none of its own, and gets the lab's")


class FileBody(Body):
    text = Text(allow_blank=True, trim_whitespace=False, help_text="YAML; empty: the lab's")


class WorkerFile(Resource):
    """Something that the worker's dispatcher gets with each job. There may be passwords in it."""

    permission_classes = [IsAuthenticated]
    serializer_class = FileBody
    queryset = Worker.objects.all()
    failures = {"GET": (403,)}
    column: str

    def get(self, request: Request, name: str) -> Response:
        return Response({"text": getattr(self.get_object(), self.column)})

    def put(self, request: Request, name: str) -> Response:
        worker = self.get_object()
        text = self.body(FileBody)["text"]
        try:
            worker_files.check(self.column, text)
        except InvalidFile as wrong:
            raise ValidationError({"text": str(wrong).splitlines()}) from wrong
        inventory.change(worker, {self.column: text}, by=self.user)
        return Response({"text": text})

    def get_object(self) -> Worker:
        """For who looks after workers."""
        worker: Worker = find(self.get_queryset(), "worker", pk=self.kwargs["name"])
        inventory.require(self.user, "change", worker)
        return worker


class WorkerConfig(WorkerFile):
    column = "dispatcher_config"

    @extend_schema(responses=FileShape)
    def get(self, request: Request, name: str) -> Response:
        """Show the configuration of a worker's dispatcher.

        Such as `dispatcher_ip`; for who looks after workers.
        """
        return super().get(request, name)

    @extend_schema(request=FileBody, responses=FileShape)
    def put(self, request: Request, name: str) -> Response:
        """Set the configuration of a worker's dispatcher.

        Jobs that begin from now on get it.
        """
        return super().put(request, name)


class WorkerEnvironment(WorkerFile):
    column = "env"

    @extend_schema(responses=FileShape)
    def get(self, request: Request, name: str) -> Response:
        """Show the environment of a worker's jobs.

        That of the processes that run them; for who looks after workers.
        """
        return super().get(request, name)

    @extend_schema(request=FileBody, responses=FileShape)
    def put(self, request: Request, name: str) -> Response:
        """Set the environment of a worker's jobs.

        With `purge`, `removes` and `overrides`. Jobs that begin from now on get it.
        """
        return super().put(request, name)


class DeviceEnvironment(WorkerFile):
    column = "env_dut"

    @extend_schema(responses=FileShape)
    def get(self, request: Request, name: str) -> Response:
        """Show the environment on a worker's devices.

        For who looks after workers.
        """
        return super().get(request, name)

    @extend_schema(request=FileBody, responses=FileShape)
    def put(self, request: Request, name: str) -> Response:
        """Set the environment on a worker's devices.

        With `purge`, `removes` and `overrides`. Jobs that begin from now on get it.
        """
        return super().put(request, name)
