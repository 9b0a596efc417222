"""Jobs: list, show, submit, cancel, resubmit, validate."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from rest_framework import mixins, serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.models import Scope
from api.auth import TokenAuthentication
from api.rest import filters
from api.rest.base import Resource
from api.rest.fields import FixedField, TimeField, WordField
from api.rest.paging import LargePages
from jobs import lifecycle
from jobs.models import Job, JobQuerySet
from jobs.states import Health, State

FILTERS = (
    filters.number("id")
    | filters.word("state", State)
    | filters.word("health", Health)
    | filters.time("submit_time")
    | filters.time("start_time")
    | filters.time("end_time")
    | filters.number("priority")
    | filters.flag("health_check")
    | filters.text("description")
    | filters.text("definition")
    | filters.text("submitter", "submitter__username")
    | filters.text("submitter__username")
    | filters.text("requested_device_type", "device_type__name")
    | filters.text("requested_device_type__name", "device_type__name")
    | filters.text("actual_device", "device__name")
    | filters.text("actual_device__hostname", "device__name")
    | filters.member("tags__name", "tags__name")
    | filters.member("viewing_groups__name", "viewing_groups__name")
    | filters.emptiness("failure_comment")
)
ORDERINGS = {
    "id": "id",
    "submit_time": "submit_time",
    "start_time": "start_time",
    "end_time": "end_time",
    "state": "state",
    "health": "health",
    "priority": "priority",
    "description": "description",
    "submitter": "submitter",
    "requested_device_type": "device_type",
    "actual_device": "device",
}


class DefinitionField(serializers.CharField):
    """The text itself, or a file that holds it (`curl -F definition=@job.yaml`)."""

    def to_internal_value(self, data: Any) -> str:
        if hasattr(data, "read"):
            data = data.read().decode()  # the parser has made sure that it is UTF-8
        return super().to_internal_value(data)


class DefinitionSerializer(serializers.Serializer[Any]):
    definition = DefinitionField(trim_whitespace=False)


class JobSerializer(serializers.ModelSerializer[Job]):
    """The keys of LAVA 2023.01, and `uuid` and `attempt`."""

    submitter = serializers.CharField(source="submitter.username")
    viewing_groups = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)
    requested_device_type = serializers.CharField(source="device_type_id")
    tags = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)
    actual_device = serializers.CharField(source="device_id")
    submit_time = TimeField()
    start_time = TimeField()
    end_time = TimeField()
    state = WordField(State)
    health = WordField(Health)
    original_definition = serializers.CharField(source="definition")
    multinode_definition = FixedField("")
    failure_tags = FixedField([])
    failure_comment = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id",
            "submitter",
            "viewing_groups",
            "description",
            "health_check",
            "requested_device_type",
            "tags",
            "actual_device",
            "submit_time",
            "start_time",
            "end_time",
            "state",
            "health",
            "priority",
            "definition",
            "original_definition",
            "multinode_definition",
            "failure_tags",
            "failure_comment",
            "uuid",
            "attempt",
        ]

    def get_failure_comment(self, job: Job) -> str | None:
        return job.failure_comment or None


class JobResource(Resource):
    serializer_class = JobSerializer

    def get_queryset(self) -> JobQuerySet:
        jobs = Job.objects.visible_to(self.request.user).select_related("submitter")
        return jobs.prefetch_related("tags", "viewing_groups")


class Jobs(mixins.ListModelMixin, JobResource):
    scopes = {"POST": Scope.SUBMIT}
    pagination_class = LargePages
    filters = FILTERS
    orderings = ORDERINGS
    ordering = "-id"

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return DefinitionSerializer if self.request.method == "POST" else JobSerializer

    def get(self, request: Request) -> Response:
        return self.list(request)

    def post(self, request: Request) -> Response:
        return _accepted(lifecycle.submit(_definition(self), by=cast(User, request.user)))


class OneJob(JobResource):
    def get(self, request: Request, job_id: int) -> Response:
        job = get_object_or_404(self.get_queryset(), pk=job_id)
        return Response(self.get_serializer(job).data)


class Cancel(Resource):
    """LAVA's clients cancel by GET as well as by POST, so a cookie alone, which browsers send along, is no right."""

    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticated]
    scopes = {"GET": Scope.SUBMIT, "POST": Scope.SUBMIT}
    http_method_names = ["get", "post", "options"]  # HEAD would cancel, too

    def get(self, request: Request, job_id: int) -> Response:
        job = lifecycle.cancel_for(visible_job(request, job_id), cast(User, request.user))
        return Response({"message": _now(job)})

    post = get


class Resubmit(Resource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}

    def post(self, request: Request, job_id: int) -> Response:
        job = visible_job(request, job_id)
        return _accepted(lifecycle.resubmit(job, by=cast(User, request.user)))


class Validate(Resource):
    """For everybody: nothing is changed."""

    serializer_class = DefinitionSerializer
    permission_classes = [AllowAny]
    scopes = {"POST": Scope.READ}

    def post(self, request: Request) -> Response:
        faults = lifecycle.check(_definition(self), by=request.user)
        if not faults:
            return Response({"message": "Job valid."})
        return Response({"message": "Job invalid: " + "\n".join(str(fault) for fault in faults)})


def visible_job(request: Request, job_id: int) -> Job:
    """Http404 for one that is hidden from who asks, as for one that is not there."""
    jobs = Job.objects.visible_to(request.user).select_related("submitter")
    job: Job = get_object_or_404(jobs, pk=job_id)
    return job


def _definition(view: Resource) -> str:
    given = view.get_serializer(data=view.request.data)
    given.is_valid(raise_exception=True)
    return str(given.validated_data["definition"])


def _accepted(job: Job) -> Response:
    accepted = {"message": f"Job {job.pk} is submitted.", "job_ids": [job.pk], "uuids": [str(job.uuid)]}
    return Response(accepted, status=201)


def _now(job: Job) -> str:
    if job.is_finished:
        return f"Job {job.pk} is finished: {Health(job.health).label}."
    return f"Job {job.pk} is asked to stop."
