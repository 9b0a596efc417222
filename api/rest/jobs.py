"""Jobs: list, show, submit, cancel, resubmit, validate, mend, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.models import Scope
from accounts.rights import NotAllowed
from api.auth import TokenAuthentication
from api.rest import filters
from api.rest.base import YAML, IsAdministrator, Listing, MessageSerializer, Resource, taken
from api.rest.fields import FixedField, JobNumberField, TimeField, WordField
from api.rest.parsers import text_of
from jobs import lifecycle, strictness, upkeep
from jobs.definition import Fault, check_test
from jobs.models import Job, JobQuerySet, by_submitter, hides_members
from jobs.states import Health, State

MOST_AT_ONCE = 1_000  # jobs of one request

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
    | filters.text("original_definition", "definition")
    | filters.text("submitter", "submitter__username")
    | filters.text("submitter__username")
    | {"submitter": by_submitter, "submitter__username": by_submitter}
    | filters.text("requested_device_type", "device_type__name")
    | filters.text("requested_device_type__name", "device_type__name")
    | filters.text("actual_device", "device__name")
    | filters.text("actual_device__hostname", "device__name")
    | filters.member("tags", "tags", filters.whole_number)
    | filters.member("tags__name", "tags__name")
    | filters.member("viewing_groups", "viewing_groups", filters.whole_number)
    | filters.member("viewing_groups__name", "viewing_groups__name")
    | filters.text("failure_comment")
    | filters.emptiness("failure_comment")
    | filters.identity("target_group", "group")
    | filters.identity("uuid")
)
SEARCHED = ("description", "submitter__username", "device_type__name", "device__name")
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
        return super().to_internal_value(text_of(data))


class DefinitionSerializer(serializers.Serializer[Any]):
    definition = DefinitionField(trim_whitespace=False)


class ValidationSerializer(DefinitionSerializer):
    strict = serializers.BooleanField(
        default=False, help_text="Count what is accepted and probably a mistake as a fault, too."
    )


class AcceptedSerializer(serializers.Serializer[Any]):
    message = serializers.CharField()
    job_ids = serializers.ListField(child=JobNumberField())
    uuids = serializers.ListField(child=serializers.UUIDField())


class JobIdsSerializer(serializers.Serializer[Any]):
    job_ids = serializers.ListField(child=JobNumberField(), max_length=MOST_AT_ONCE)


class CanceledSerializer(serializers.Serializer[Any]):
    message = serializers.CharField()
    job_ids = serializers.ListField(child=JobNumberField())
    invalid_job_ids = serializers.ListField(child=JobNumberField())


class CorrectionSerializer(serializers.Serializer[Any]):
    """What an administrator may change of a job."""

    priority = serializers.IntegerField(min_value=0, max_value=100, required=False)
    failure_comment = serializers.CharField(allow_blank=True, allow_null=True, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if fixed := sorted(set(self.initial_data) - set(self.fields)):
            raise ValidationError(
                {name: [f"only {' and '.join(self.fields)} can be changed"] for name in fixed}
            )
        return attrs


class JobSerializer(serializers.ModelSerializer[Job]):
    """The keys of LAVA 2023.01, and `uuid` and `attempt`."""

    submitter = serializers.CharField(source="submitter.username")
    viewing_groups = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)
    requested_device_type = serializers.CharField(source="device_type_id")
    tags = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)
    actual_device = serializers.CharField(source="device_id", allow_null=True)
    submit_time = TimeField()
    start_time = TimeField(allow_null=True)
    end_time = TimeField(allow_null=True)
    state = WordField(State)
    health = WordField(Health)
    original_definition = serializers.CharField(source="definition")
    multinode_definition = serializers.SerializerMethodField()
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

    def get_multinode_definition(self, job: Job) -> str:
        return job.group.definition if job.group and not job.hides_members else ""  # type: ignore[attr-defined]

    def get_failure_comment(self, job: Job) -> str | None:
        return job.failure_comment or None


class JobResource(Resource):
    serializer_class = JobSerializer
    queryset = Job.objects.select_related("submitter", "group").prefetch_related("tags", "viewing_groups")

    def get_queryset(self) -> JobQuerySet:
        return cast(JobQuerySet, super().get_queryset()).visible_to(self.request.user)


class Jobs(Listing, JobResource):
    """The jobs that one may see, the newest first. POST submits one."""

    scopes = {"POST": Scope.SUBMIT}
    filters = FILTERS
    searched = SEARCHED
    orderings = ORDERINGS
    ordering = "-id"

    @extend_schema(request=DefinitionSerializer, responses={201: AcceptedSerializer})
    def post(self, request: Request) -> Response:
        return _accepted(lifecycle.submit(_definition(self), by=cast(User, request.user)))

    def rows(self) -> QuerySet[Job]:
        rows: QuerySet[Job] = super().rows().annotate(hides_members=hides_members(self.request.user))
        return rows

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return DefinitionSerializer if self.request.method == "POST" else JobSerializer


class OneJob(mixins.RetrieveModelMixin, JobResource):
    """PATCH and DELETE are for administrators: the rest of a job is its history, and stays as it was."""

    failures = {
        "PATCH": (403, 409),
        "DELETE": (403, 409),
    }  # beside those of every address; for the description of the API

    def get_permissions(self) -> list[Any]:
        usual = super().get_permissions()
        return [*usual, IsAdministrator()] if self.request.method in ("PATCH", "DELETE") else usual

    def get_object(self) -> Job:
        jobs = self.get_queryset().annotate(hides_members=hides_members(self.request.user))
        job: Job = get_object_or_404(jobs.numbered(self.kwargs["job_id"]))
        return job

    def get(self, request: Request, job_id: str) -> Response:
        return self.retrieve(request)

    @extend_schema(request=CorrectionSerializer, responses=JobSerializer)
    def patch(self, request: Request, job_id: str) -> Response:
        job = self.get_object()
        changes = taken(CorrectionSerializer(data=request.data))
        changes = {name: "" if value is None else value for name, value in changes.items()}
        upkeep.correct(job, changes, by=cast(User, request.user))
        return self.retrieve(request)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, job_id: str) -> Response:
        upkeep.delete(self.get_object(), by=cast(User, request.user))
        return Response(status=204)


class JobDefinition(Resource):
    """The definition of the job; in a group, its own part of what was submitted."""

    @extend_schema(responses={(200, YAML): OpenApiTypes.STR})
    def get(self, request: Request, job_id: str) -> HttpResponse:
        return HttpResponse(visible_job(request, job_id).definition, content_type=YAML)


class Cancel(Resource):
    """LAVA's clients cancel by GET as well as by POST, so a cookie alone, which browsers send along, is no right."""

    failures = {
        "GET": (409,),
        "POST": (409,),
    }  # beside those of every address; for the description of the API
    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticated]
    scopes = {"GET": Scope.SUBMIT, "POST": Scope.SUBMIT}
    http_method_names = ["get", "post", "options"]  # HEAD would cancel, too

    @extend_schema(responses=MessageSerializer)
    def get(self, request: Request, job_id: str) -> Response:
        return self._cancel(request, job_id)

    @extend_schema(request=None, responses=MessageSerializer)
    def post(self, request: Request, job_id: str) -> Response:
        return self._cancel(request, job_id)

    def _cancel(self, request: Request, job_id: str) -> Response:
        job = lifecycle.cancel_for(visible_job(request, job_id), cast(User, request.user))
        return Response({"message": _now(job)})


class BatchCancel(Resource):
    """Those that are not there, or not the user's to cancel, are named and change nothing for the others."""

    permission_classes = [IsAuthenticated]
    serializer_class = JobIdsSerializer
    scopes = {"POST": Scope.SUBMIT}

    @extend_schema(request=JobIdsSerializer, responses=CanceledSerializer)
    def post(self, request: Request) -> Response:
        user = cast(User, request.user)
        wanted = list(dict.fromkeys(taken(self.get_serializer(data=request.data))["job_ids"]))
        jobs = [job for job in _numbered(user, wanted) if _canceled(job, user)]
        canceled = {name for job in jobs for name in (job.pk, job.number)}
        invalid = [number for number in wanted if number not in canceled]
        told = f"{len(jobs)} jobs are canceled, or asked to stop."
        if invalid:
            told += f" Not there, or not yours to cancel: {', '.join(map(str, invalid))}."
        done = [number for number in wanted if number in canceled]
        return Response({"message": told, "job_ids": done, "invalid_job_ids": invalid})


class Resubmit(Resource):
    """Run a job again as a new one, linked to the old."""

    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}

    @extend_schema(request=None, responses={201: AcceptedSerializer})
    def post(self, request: Request, job_id: str) -> Response:
        job = visible_job(request, job_id)
        return _accepted(lifecycle.resubmit(job, by=cast(User, request.user)))


class Validate(Resource):
    """For everybody: nothing is changed."""

    serializer_class = ValidationSerializer
    permission_classes = [AllowAny]
    scopes = {"POST": Scope.READ}

    @extend_schema(responses=MessageSerializer)
    def post(self, request: Request) -> Response:
        given = taken(self.get_serializer(data=request.data))
        faults = lifecycle.check(given["definition"], by=request.user)
        if given["strict"] and not faults:
            faults = strictness.warnings(given["definition"])
        return _verdict("Job", faults)


class ValidateTestDefinition(Resource):
    """A test definition alone, as it stands under `repository` or in a file of a repository."""

    serializer_class = DefinitionSerializer
    permission_classes = [AllowAny]
    scopes = {"POST": Scope.READ}

    @extend_schema(responses=MessageSerializer)
    def post(self, request: Request) -> Response:
        return _verdict("Test definition", check_test(_definition(self)))


def visible_job(request: Request, job_id: str) -> Job:
    """Http404 for one that is hidden from who asks, as for one that is not there."""
    jobs = Job.objects.visible_to(request.user).select_related("submitter", "group")
    job: Job = get_object_or_404(jobs.numbered(job_id))
    return job


def _numbered(user: User, wanted: Sequence[int | str]) -> list[Job]:
    """Those of them that the user sees, each once."""
    alone = [number for number in wanted if isinstance(number, int)]
    firsts = [number.partition(".")[0] for number in wanted if isinstance(number, str)]
    jobs = Job.objects.visible_to(user).filter(Q(pk__in=alone) | Q(group__first__in=firsts))
    found = jobs.select_related("submitter", "group").order_by("pk")
    return [job for job in found if job.pk in wanted or job.number in wanted]


def _definition(view: Resource) -> str:
    return str(taken(view.get_serializer(data=view.request.data))["definition"])


def _verdict(what: str, faults: Sequence[Fault]) -> Response:
    if not faults:
        return Response({"message": f"{what} valid."})
    return Response({"message": f"{what} invalid: " + "\n".join(map(str, faults))})


def _canceled(job: Job, user: User) -> bool:
    try:
        lifecycle.cancel_for(job, user)
    except NotAllowed:
        return False
    return True


def _accepted(job: Job) -> Response:
    jobs = job.members
    numbers = [each.number for each in jobs]
    told = f"Job {numbers[0]} is" if len(jobs) == 1 else f"Jobs {', '.join(map(str, numbers))} are"
    uuids = [str(each.uuid) for each in jobs]
    return Response({"message": f"{told} submitted.", "job_ids": numbers, "uuids": uuids}, status=201)


def _now(job: Job) -> str:
    if job.is_finished:
        return f"Job {job.number} is finished: {Health(job.health).label}."
    return f"Job {job.number} is asked to stop."
