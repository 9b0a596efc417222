"""Workers: the machines that run jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.rest.fields import TimeField, WordField
from api.v1 import parameters
from api.v1.base import Listing, PageField, Resource, find
from devices.models import Device, Worker
from devices.states import WorkerHealth, WorkerState


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
