"""Jobs: list, submit, show, cancel, run again, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.models import Scope
from api.rest.fields import TimeField, WordField
from api.rest.parsers import JSONParser, MultiPartParser, text_of, utf8
from api.v1 import parameters
from api.v1.base import Body, Listing, PageField, Resource, Shape, find
from api.v1.fields import Text
from core.numbers import plain
from jobs import lifecycle
from jobs.matching import Cause
from jobs.models import Job, JobQuerySet, TestCase, Visibility
from jobs.states import Health, Outcome, State
from jobs.tallies import Tally
from jobs.waiting import Prospect

Context = Mapping[str, Any] | None
JobKey = int | UUID


class YAMLParser(BaseParser):
    """The definition itself, as a file of it is sent: `curl --data-binary @job.yaml`."""

    media_type = "application/yaml"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Context = None) -> Any:
        return {"definition": utf8(stream.read(), of="body")}


class DefinitionField(Text):
    """The text, or a file that holds it (`curl -F definition=@job.yaml`)."""

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(text_of(data))


class DefinitionBody(Body):
    definition = DefinitionField(trim_whitespace=False, help_text="YAML, as LAVA's")


class CancelBody(Body):
    reason = Text(required=False, default="", allow_blank=True, max_length=1000)


class OutcomeField(serializers.ChoiceField):
    def get_attribute(self, instance: Job) -> str | None:
        return instance.outcome or None


class JobSerializer(serializers.ModelSerializer[Job]):
    url = PageField("job")
    log = PageField("job-log-tail")
    submitter = serializers.CharField(source="submitter.username", read_only=True)
    device_type = serializers.CharField(source="device_type_id", read_only=True)
    device = serializers.CharField(source="device_id", read_only=True, allow_null=True)
    worker = serializers.CharField(
        source="device.worker_id", read_only=True, allow_null=True, help_text="of its device", default=None
    )
    wanted_device = serializers.SerializerMethodField(
        help_text="the name of the only device that it may run on; null if any that fits will do"
    )
    tags = serializers.SlugRelatedField[Any](slug_field="name", many=True, read_only=True)
    visibility = serializers.ChoiceField(Visibility.choices, read_only=True)
    groups = serializers.SlugRelatedField[Any](
        source="viewing_groups", slug_field="name", many=True, read_only=True
    )
    state = WordField(State)
    health = WordField(Health)
    outcome = OutcomeField(
        [outcome.value for outcome in Outcome],
        read_only=True,
        allow_null=True,
        help_text="null while it is not finished",
    )
    reason = serializers.SerializerMethodField(
        help_text="why it failed or was canceled; in the answer about a single job also why it waits"
    )
    error_type = serializers.CharField(read_only=True, help_text="the dispatcher's word for what went wrong")
    submit_time = TimeField()
    start_time = TimeField(allow_null=True)
    end_time = TimeField(allow_null=True)
    duration = serializers.SerializerMethodField(help_text="seconds that it has run")
    overtime_since = TimeField(
        allow_null=True, help_text="runs for longer than its wall time; null if it does not"
    )
    lost_since = TimeField(allow_null=True, help_text="its worker has been silent; null while it is not")
    deadline = TimeField(
        allow_null=True, help_text="when the lab ends it by itself, if its worker has not; null on no device"
    )
    resubmitted_from = serializers.IntegerField(source="resubmitted_from_id", read_only=True, allow_null=True)
    may_cancel = serializers.SerializerMethodField(
        help_text="whether who asks may cancel it, and it can be canceled"
    )

    class Meta:
        model = Job
        fields = [
            "id",
            "uuid",
            "url",
            "log",
            "description",
            "submitter",
            "device_type",
            "device",
            "worker",
            "wanted_device",
            "tags",
            "priority",
            "visibility",
            "groups",
            "state",
            "health",
            "outcome",
            "reason",
            "error_type",
            "attempt",
            "submit_time",
            "start_time",
            "end_time",
            "duration",
            "overtime_since",
            "lost_since",
            "deadline",
            "health_check",
            "resubmitted_from",
            "may_cancel",
        ]
        read_only_fields = ["description", "priority", "attempt", "health_check"]

    def get_reason(self, job: Job) -> str:
        return job.failure_comment

    def get_wanted_device(self, job: Job) -> str | None:
        return job.wanted_device or None

    def get_duration(self, job: Job) -> float | None:
        return None if job.duration is None else round(job.duration.total_seconds(), 3)

    def get_may_cancel(self, job: Job) -> bool:
        return job.state not in (State.CANCELING, State.FINISHED) and job.pk in self.context["changeable"]


class CountsSerializer(Shape):
    """How many results there are of each kind."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {result.value: serializers.IntegerField() for result in TestCase.Result}


class QueueSerializer(Shape):
    """Where a job stands among those that wait for the same device type."""

    place = serializers.IntegerField(help_text="1 is the next")
    of = serializers.IntegerField(help_text="how many wait")
    cause = serializers.ChoiceField(
        [cause.value for cause in Cause], help_text="why it waits, as a word; the sentence is in `reason`"
    )
    expected_wait = serializers.FloatField(
        allow_null=True,
        help_text="seconds from now on, if jobs take as long as the last ones did; null if nobody knows",
    )


class OneJobSerializer(JobSerializer):
    results = serializers.SerializerMethodField(
        help_text="of the latest attempt's tests; what the dispatcher tells of its own actions, suite lava, is left out"
    )

    queue = serializers.SerializerMethodField(help_text="null unless it waits for a device")

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "queue", "results"]

    def to_representation(self, job: Job) -> dict[str, Any]:
        self._prospect = Prospect.of(job) if job.state == State.SUBMITTED else None
        return super().to_representation(job)

    def get_reason(self, job: Job) -> str:
        return self._prospect.reason.sentence if self._prospect else job.failure_comment

    @extend_schema_field(QueueSerializer(allow_null=True))
    def get_queue(self, job: Job) -> dict[str, Any] | None:
        if self._prospect is None:
            return None
        wait = self._prospect.wait
        return {
            "place": self._prospect.place,
            "of": self._prospect.queued,
            "cause": self._prospect.reason.cause.value,
            "expected_wait": None if wait is None else wait.total_seconds(),
        }

    @extend_schema_field(CountsSerializer)
    def get_results(self, job: Job) -> dict[str, int]:
        return {**dict.fromkeys(TestCase.Result.values, 0), **Tally.of(job, job.attempt).of_tests}


class FaultSerializer(Shape):
    path = serializers.CharField(help_text="as in actions[2].deploy.timeout; empty for the whole definition")
    message = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)


class VerdictSerializer(Shape):
    valid = serializers.BooleanField()
    faults = FaultSerializer(many=True)


class ResultSerializer(serializers.ModelSerializer[TestCase]):
    suite = serializers.CharField(source="suite.name", read_only=True)
    set = serializers.CharField(source="test_set", read_only=True)
    result = serializers.ChoiceField(TestCase.Result.choices, read_only=True)
    measurement = serializers.SerializerMethodField(help_text="a number, as text so that no digit is lost")
    unit = serializers.CharField(source="units", read_only=True)
    start_line = serializers.IntegerField(source="log_start", read_only=True, allow_null=True)
    end_line = serializers.IntegerField(source="log_end", read_only=True, allow_null=True)
    logged = TimeField()

    class Meta:
        model = TestCase
        fields = [
            "id",
            "suite",
            "set",
            "name",
            "result",
            "measurement",
            "unit",
            "start_line",
            "end_line",
            "logged",
        ]
        read_only_fields = ["name"]

    def get_measurement(self, case: TestCase) -> str | None:
        return None if case.measurement is None else plain(case.measurement)


class JobResource(Resource):
    serializer_class: type[JobSerializer] = OneJobSerializer

    def get_queryset(self) -> JobQuerySet:
        jobs = Job.objects.visible_to(self.request.user)
        return jobs.select_related("submitter", "device").prefetch_related("tags", "viewing_groups")

    def about(self, rows: Sequence[Job]) -> dict[str, Any]:
        changeable = Job.objects.changeable_by(self.request.user).filter(pk__in=[job.pk for job in rows])
        return {"changeable": set(changeable.values_list("pk", flat=True))}

    def find(self, key: JobKey) -> Job:
        found: Job = find(self.get_queryset(), "job", **column_of(key))
        return found

    def new(self, job: Job) -> Response:
        address = reverse("api:v1-job", [job.pk], request=self.request)
        return self.answer(self.find(job.pk), status=201, headers={"Location": address})


class Jobs(Listing, JobResource):
    """List jobs.

    Those that you may see, the newest first. While a job waits, its `reason` is told only in the answer about it alone.
    """

    scopes = {"POST": Scope.SUBMIT}
    parser_classes = [YAMLParser, JSONParser, MultiPartParser]
    newest_first = True
    serializer_class = JobSerializer
    parameters = {
        "state": parameters.word("The state", State, "state"),
        "health": parameters.word("The health", Health, "health"),
        "outcome": parameters.choice("The outcome", Outcome, "outcome"),
        "submitter": parameters.text("The name of the submitter", "submitter__username"),
        "device": parameters.text("The name of the device", "device"),
        "device_type": parameters.text("The name of the device type", "device_type"),
        "tag": parameters.one("A tag that the job asks for.", "tags__name"),
        "q": parameters.part("A part of the description, in whatever case.", "description"),
        "since": parameters.time("Submitted at this time or later", "submit_time__gte"),
        "until": parameters.time("Submitted before this time", "submit_time__lt"),
        **parameters.PAGES_BY_ID,
    }

    @extend_schema(request=DefinitionBody, responses={201: OneJobSerializer})
    def post(self, request: Request) -> Response:
        """Submit a job.

        The body is the definition itself (`application/yaml`), or has it in the field `definition`. The address
        of the new job is in the header Location.
        """
        self.serializer_class = OneJobSerializer
        return self.new(lifecycle.submit(self.body(DefinitionBody)["definition"], by=self.user))


class Validate(Resource):
    permission_classes = [AllowAny]
    scopes = {"POST": Scope.READ}
    parser_classes = [YAMLParser, JSONParser, MultiPartParser]

    @extend_schema(request=DefinitionBody, responses=VerdictSerializer)
    def post(self, request: Request) -> Response:
        """Check a definition.

        Says what would keep it out of the queue, and changes nothing. With a token, the rights of its user on devices
        are checked as well.
        """
        faults = lifecycle.check(self.body(DefinitionBody)["definition"], by=request.user)
        return Response({"valid": not faults, "faults": FaultSerializer(faults, many=True).data})


class OneJob(JobResource):
    def get(self, request: Request, job: JobKey) -> Response:
        """Show a job, by its number or its uuid."""
        return self.answer(self.find(job))


class Definition(JobResource):
    @extend_schema(responses={(200, "application/yaml"): OpenApiTypes.ANY})
    def get(self, request: Request, job: JobKey) -> HttpResponse:
        """Show the definition of a job.

        As it was submitted.
        """
        return HttpResponse(self.find(job).definition, content_type="application/yaml; charset=utf-8")


class Results(Listing):
    """List the results of a job.

    In the order of the log; of the latest attempt, unless `attempt` names another.
    """

    serializer_class = ResultSerializer
    parameters = {
        "result": parameters.choice("The result", TestCase.Result, "result"),
        "suite": parameters.text("The name of the suite", "suite__name"),
        "attempt": parameters.number("The number of the attempt."),
        **parameters.PAGES_BY_ID,
    }

    def get_queryset(self) -> QuerySet[TestCase]:
        jobs = Job.objects.visible_to(self.request.user)
        job = find(jobs, "job", **column_of(self.kwargs["job"]))
        number = self.query.get("attempt", job.attempt)
        if not 1 <= number <= job.attempt:
            raise NotFound(f"Job {job.pk} has had no other attempts than 1 to {job.attempt}.")
        return TestCase.objects.filter(attempt__job=job, attempt__number=number).select_related("suite")


class Cancel(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}

    @extend_schema(request=CancelBody, responses=OneJobSerializer)
    def post(self, request: Request, job: JobKey) -> Response:
        """Cancel a job.

        One that waits is canceled at once; one that runs is Canceling until its worker has stopped it. What is over, or
        asked to stop already, is left as it is. For its submitter, and for who looks after its device.
        """
        asked = lifecycle.cancel_for(self.find(job), self.user, reason=self.body(CancelBody)["reason"])
        return self.answer(self.find(asked.pk))


class Resubmit(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}

    @extend_schema(request=None, responses={201: OneJobSerializer})
    def post(self, request: Request, job: JobKey) -> Response:
        """Run a job again.

        As a new job of yours, with the same definition.
        """
        self.body(Body)
        return self.new(lifecycle.resubmit(self.find(job), by=self.user))


def column_of(key: JobKey) -> dict[str, JobKey]:
    return {"uuid" if isinstance(key, UUID) else "pk": key}
