"""Jobs: list, submit, show, cancel, run again, and what came of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, timedelta
from typing import IO, Any, ClassVar
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpResponse
from django.utils import timezone
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
from api.rest.filters import whole_number
from api.rest.parsers import JSONParser, MultiPartParser, text_of, utf8
from api.v1 import parameters
from api.v1.base import Body, Listing, PageField, Resource, Shape, page_address
from api.v1.fields import Text, Whole
from core.numbers import plain
from jobs import attempts, lifecycle, reservations, strictness, upkeep, waits
from jobs.definition import MAX_REASON, MAX_TIMEOUT
from jobs.matching import Cause
from jobs.models import (
    LONGEST_QUESTION,
    Attempt,
    Job,
    JobQuerySet,
    Kind,
    Progress,
    Step,
    TestCase,
    Visibility,
    Wait,
    by_submitter,
)
from jobs.outline import StepState
from jobs.states import Health, Outcome, State
from jobs.steps import culprit
from jobs.tallies import Tally
from jobs.waiting import Prospect

Context = Mapping[str, Any] | None
JobKey = str | UUID  # its number, or its uuid
MOST_SECONDS = int(MAX_TIMEOUT.total_seconds())


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


class ReasonBody(Body):
    reason = Text(required=False, default="", allow_blank=True, max_length=1000)


class DeferBody(Body):
    seconds = Whole(
        required=False, min_value=1, max_value=MOST_SECONDS, help_text="from now on; or else `until`"
    )
    until = serializers.DateTimeField(required=False, default_timezone=UTC, help_text="or else `seconds`")
    reason = Text(required=False, default="", allow_blank=True, max_length=MAX_REASON)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("seconds" in attrs) == ("until" in attrs):
            raise serializers.ValidationError({"seconds": ["expected either seconds or until"]})
        return attrs


class AnswerBody(Body):
    answer = serializers.ChoiceField([Wait.Answer.DONE.value, Wait.Answer.FAILED.value])
    comment = Text(
        required=False,
        default="",
        allow_blank=True,
        max_length=LONGEST_QUESTION,
        help_text="printed by the test",
    )
    wait = Text(
        required=False,
        default="",
        help_text="`key` of the question; without it, the one that has waited longest",
    )


class MemberSerializer(Shape):
    id = serializers.IntegerField()
    number = serializers.CharField()
    role = serializers.CharField()
    url = PageField("job")


class GroupSerializer(Shape):
    """What a job of a MultiNode group has to do with the others."""

    id = serializers.UUIDField(help_text="of the group: LAVA's target_group")
    first = serializers.IntegerField(help_text="the id of its first job, by which LAVA numbers them all")
    size = serializers.IntegerField(help_text="how many jobs it has")
    member = serializers.IntegerField(help_text="the place of this job among them, from 0")
    role = serializers.CharField(help_text="of this job")
    essential = serializers.BooleanField(help_text="whether the others are canceled if this job fails")
    jobs = MemberSerializer(many=True, help_text="all of them that you may see, this one as well")


class OutcomeField(serializers.ChoiceField):
    def get_attribute(self, instance: Job) -> str | None:
        return instance.outcome or None


class JobSerializer(serializers.ModelSerializer[Job]):
    number = serializers.CharField(
        read_only=True, help_text="as people and LAVA know it: its id, or in a MultiNode group 12.1"
    )
    group = serializers.SerializerMethodField(
        help_text="the jobs that get their devices together with this one; null for one that runs alone"
    )
    kind = serializers.ChoiceField(
        Kind.choices, read_only=True, help_text="a job that a worker runs, or a reservation by a person"
    )
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
    not_before = TimeField(
        allow_null=True, help_text="put off: before then it gets no device; null if it is not"
    )
    not_before_reason = serializers.CharField(read_only=True, help_text="why it is put off")
    overtime_since = TimeField(
        allow_null=True, help_text="runs for longer than its wall time; null if it does not"
    )
    lost_since = TimeField(allow_null=True, help_text="its worker has been silent; null while it is not")
    deadline = TimeField(
        allow_null=True, help_text="when the lab ends it by itself, if its worker has not; null on no device"
    )
    expiring_since = TimeField(
        allow_null=True, help_text="a reservation that ends soon; null while it does not"
    )
    log_removed = TimeField(
        allow_null=True, help_text="when the lab let go of its log; null while there is one"
    )
    resubmitted_from = serializers.IntegerField(source="resubmitted_from_id", read_only=True, allow_null=True)
    may_cancel = serializers.SerializerMethodField(
        help_text="whether who asks may cancel it, and it can be canceled"
    )

    class Meta:
        model = Job
        fields = [
            "id",
            "number",
            "uuid",
            "kind",
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
            "not_before",
            "not_before_reason",
            "overtime_since",
            "lost_since",
            "deadline",
            "expiring_since",
            "health_check",
            "pinned",
            "log_removed",
            "resubmitted_from",
            "group",
            "may_cancel",
        ]
        read_only_fields = ["description", "priority", "attempt", "health_check", "pinned"]

    def get_reason(self, job: Job) -> str:
        return job.failure_comment

    def get_wanted_device(self, job: Job) -> str | None:
        return job.wanted_device or None

    def get_duration(self, job: Job) -> float | None:
        return None if job.duration is None else round(job.duration.total_seconds(), 3)

    @extend_schema_field(GroupSerializer(allow_null=True))
    def get_group(self, job: Job) -> dict[str, Any] | None:
        if job.group is None:
            return None
        members: list[Job] = self.context["members"][job.group_id]
        return {
            "id": str(job.group_id),
            "first": job.group.first,
            "size": len(members),
            "member": job.member,
            "role": job.role,
            "essential": job.is_essential,
            "jobs": MemberSerializer(
                [each for each in members if each.is_seen],  # type: ignore[attr-defined] # annotated
                many=True,
                context=self.context,
            ).data,
        }

    def get_may_cancel(self, job: Job) -> bool:
        return job.state not in (State.CANCELING, State.FINISHED) and job.pk in self.context["changeable"]


class CountsSerializer(Shape):
    """How many results there are of each kind."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {result.value: serializers.IntegerField() for result in TestCase.Result}


class QueueSerializer(Shape):
    """Where a job stands among those that wait for the same device type."""

    place = serializers.IntegerField(
        allow_null=True, help_text="1 is the next; null while the job waits for a time, and not for a device"
    )
    of = serializers.IntegerField(help_text="how many wait for a device")
    cause = serializers.ChoiceField(
        [cause.value for cause in Cause], help_text="why it waits, as a word; the sentence is in `reason`"
    )
    expected_wait = serializers.FloatField(
        allow_null=True,
        help_text="seconds from now on, if jobs take as long as the last ones did; null if nobody knows",
    )


class StepSerializer(serializers.ModelSerializer[Step]):
    state = serializers.ChoiceField([state.value for state in StepState], read_only=True)
    start_time = TimeField(source="began")
    end_time = TimeField(source="ended", allow_null=True)
    duration = serializers.SerializerMethodField(help_text="seconds; of one that runs, until now")
    start_line = serializers.IntegerField(source="record", read_only=True)
    end_line = serializers.IntegerField(
        source="last_record",
        read_only=True,
        allow_null=True,
        help_text="null if the log does not tell of its end",
    )
    offset = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="bytes: `start` of log-tail shows the log from there on"
    )

    class Meta:
        model = Step
        fields = [
            "id",
            "index",
            "level",
            "name",
            "parent",
            "trial",
            "state",
            "start_time",
            "end_time",
            "duration",
            "start_line",
            "end_line",
            "offset",
            "end_offset",
        ]
        read_only_fields = ["index", "level", "name", "parent", "trial", "end_offset"]
        extra_kwargs: ClassVar = {"parent": {"help_text": "`index` of the step that it is a part of"}}

    def get_duration(self, step: Step) -> float:
        return round(step.duration.total_seconds(), 3)


class ProgressSerializer(serializers.ModelSerializer[Progress]):
    percent = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="0 to 100; null if its test does not say"
    )

    class Meta:
        model = Progress
        fields = ["percent", "text", "level", "name"]
        read_only_fields = ["text", "level", "name"]


class WaitSerializer(serializers.ModelSerializer[Wait]):
    since = TimeField()
    until = TimeField(allow_null=True, help_text="then the test goes on by itself")
    answer = serializers.ChoiceField(Wait.Answer.choices, read_only=True, allow_blank=True)
    answered = TimeField(allow_null=True)

    class Meta:
        model = Wait
        fields = ["id", "key", "text", "since", "until", "answer", "answered", "answered_by", "comment"]
        read_only_fields = ["key", "text", "answered_by", "comment"]


class OneJobSerializer(JobSerializer):
    results = serializers.SerializerMethodField(
        help_text="of the latest attempt's tests; what the dispatcher tells of its own actions, suite lava, is left out"
    )

    queue = serializers.SerializerMethodField(help_text="null unless it waits for a device")
    access = serializers.SerializerMethodField(
        help_text="how its device is reached, line by line; for the holder of a reservation while it is held, and for "
        "who looks after the device"
    )

    culprit = serializers.SerializerMethodField(
        help_text="the step of the latest attempt in which it went wrong: that failed, or that could not finish; "
        "null if there is none, if it was canceled, and while it is not finished"
    )

    progress = serializers.SerializerMethodField(
        help_text="how far the latest attempt is, or was: what its test said, and the step that began last; "
        "null if nothing is known"
    )
    waits = serializers.SerializerMethodField(
        help_text="what its test asks of a person now, the oldest first"
    )

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "access", "queue", "results", "culprit", "progress", "waits"]

    def to_representation(self, job: Job) -> dict[str, Any]:
        self._prospect = (
            Prospect.of(job, to=self.context["request"].user) if job.state == State.SUBMITTED else None
        )
        return super().to_representation(job)

    def get_reason(self, job: Job) -> str:
        return self._prospect.reason.sentence if self._prospect else job.failure_comment

    def get_access(self, job: Job) -> list[str]:
        return list(reservations.access_for(job, self.context["request"].user))

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

    @extend_schema_field(StepSerializer(allow_null=True))
    def get_culprit(self, job: Job) -> dict[str, Any] | None:
        steps = Step.objects.filter(attempt__job=job, attempt__number=job.attempt)
        guilty = culprit(job, job.attempt, list(steps))
        return None if guilty is None else dict(StepSerializer(guilty).data)

    @extend_schema_field(ProgressSerializer(allow_null=True))
    def get_progress(self, job: Job) -> dict[str, Any] | None:
        found = Progress.objects.filter(attempt__job=job, attempt__number=job.attempt).first()
        return None if found is None else dict(ProgressSerializer(found).data)

    @extend_schema_field(WaitSerializer(many=True))
    def get_waits(self, job: Job) -> list[dict[str, Any]]:
        questions = Wait.objects.open().filter(attempt__job=job, attempt__number=job.attempt)
        return [dict(row) for row in WaitSerializer(questions, many=True).data]


class FaultSerializer(Shape):
    path = serializers.CharField(help_text="as in actions[2].deploy.timeout; empty for the whole definition")
    message = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)


class VerdictSerializer(Shape):
    valid = serializers.BooleanField()
    faults = FaultSerializer(many=True)
    warnings = FaultSerializer(many=True, help_text="what is accepted and probably a mistake")


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


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    log = serializers.SerializerMethodField(help_text="the address of its log")
    device = serializers.CharField(source="device_name", read_only=True)
    worker = serializers.CharField(source="worker_name", read_only=True)
    scheduled = TimeField()
    started = TimeField(allow_null=True)
    ended = TimeField(allow_null=True)
    result = serializers.ChoiceField(
        ["pass", "fail"], read_only=True, allow_null=True, help_text="as its worker said; null until it has"
    )
    error_type = serializers.CharField(read_only=True, help_text="the dispatcher's word for what went wrong")
    reason = serializers.SerializerMethodField(
        help_text="why it failed, or why its test asked to be run again"
    )
    deferral = serializers.SerializerMethodField(
        help_text="after how many seconds its test asked to be run again; null if it did not"
    )
    unconfirmed_since = TimeField(
        allow_null=True,
        help_text="the lab ended it by itself, and its worker has not confirmed that it stopped",
    )

    class Meta:
        model = Attempt
        fields = [
            "id",
            "number",
            "log",
            "device",
            "worker",
            "scheduled",
            "started",
            "ended",
            "result",
            "error_type",
            "reason",
            "deferral",
            "unconfirmed_since",
        ]
        read_only_fields = ["number"]

    @extend_schema_field(OpenApiTypes.URI)
    def get_log(self, attempt: Attempt) -> str:
        address = page_address(self.context["request"], "job-log-tail", attempt.job_id)
        return f"{address}?attempt={attempt.number}"

    def get_reason(self, attempt: Attempt) -> str:
        return attempt.reason

    def get_deferral(self, attempt: Attempt) -> float | None:
        return None if attempt.deferral is None else attempt.deferral.total_seconds()

    def to_representation(self, attempt: Attempt) -> dict[str, Any]:
        shown = super().to_representation(attempt)
        return {**shown, "result": shown["result"] or None}


class JobResource(Resource):
    serializer_class: type[JobSerializer] = OneJobSerializer

    def get_queryset(self) -> JobQuerySet:
        jobs = Job.objects.visible_to(self.request.user)
        rows = jobs.select_related("submitter", "device", "group").defer("group__definition")
        return rows.prefetch_related("tags", "viewing_groups")

    def about(self, rows: Sequence[Job]) -> dict[str, Any]:
        changeable = Job.objects.changeable_by(self.request.user).filter(pk__in=[job.pk for job in rows])
        return {
            "changeable": set(changeable.values_list("pk", flat=True)),
            "members": self._members({job.group_id for job in rows if job.group_id}),
        }

    def _members(self, groups: Collection[UUID]) -> Mapping[UUID, list[Job]]:
        """All jobs of these groups in their order, each with `is_seen`: whether who asks may see it."""
        seen = Job.objects.visible_to(self.request.user).filter(pk=OuterRef("pk"))
        jobs = Job.objects.filter(group__in=groups).annotate(is_seen=Exists(seen)).for_lists()
        members: dict[UUID, list[Job]] = {}
        for job in jobs.order_by("member"):
            members.setdefault(job.group_id, []).append(job)
        return members

    def find(self, key: JobKey) -> Job:
        return find_job(self.get_queryset(), key)

    def new(self, job: Job) -> Response:
        address = reverse("api:v1-job", [job.pk], request=self.request)
        return self.answer(self.find(job.uuid), status=201, headers={"Location": address})


def _group(text: str) -> dict[str, Any]:
    if text.isdecimal():
        return {"group__first": whole_number(text)}
    try:
        return {"group": UUID(text)}
    except ValueError:
        raise ValueError(f"expected the id of a group, or that of its first job, got {text[:40]!r}") from None


GROUP = parameters.Parameter(
    help="The MultiNode group, by its `id` or its `first`.",
    read=_group,
    schema={"anyOf": [parameters.NUMBER, {"type": "string", "format": "uuid"}]},
    narrow=lambda rows, of: rows.filter(**of),
)


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
        "submitter": parameters.text(
            "The name of the submitter",
            "submitter__username",
            narrow=lambda rows, names: rows.filter(by_submitter(*names)),
        ),
        "device": parameters.text("The name of the device", "device"),
        "device_type": parameters.text("The name of the device type", "device_type"),
        "tag": parameters.one("A tag that the job asks for.", "tags__name"),
        "kind": parameters.choice("The kind", Kind, "kind"),
        "group": GROUP,
        "pinned": parameters.flag(
            "Those that are pinned, or those that are not.",
            narrow=lambda rows, value: rows.filter(pinned=value),
        ),
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
        text = self.body(DefinitionBody)["definition"]
        faults = lifecycle.check(text, by=request.user)
        warnings = [] if faults else strictness.warnings(text)
        return Response(
            {
                "valid": not faults,
                "faults": FaultSerializer(faults, many=True).data,
                "warnings": FaultSerializer(warnings, many=True).data,
            }
        )


class OneJob(JobResource):
    def get(self, request: Request, job: JobKey) -> Response:
        """Show a job, by its number or its uuid.

        A job of a MultiNode group has two numbers: its `id`, and the `number` that LAVA gives it (12.1). Either will do.
        """
        return self.answer(self.find(job))


class Definition(JobResource):
    parameters = {"whole": parameters.flag("That of the whole MultiNode group, and not of this job alone.")}

    @extend_schema(responses={(200, "application/yaml"): OpenApiTypes.ANY})
    def get(self, request: Request, job: JobKey) -> HttpResponse:
        """Show the definition of a job.

        As it was submitted; of a job in a MultiNode group its own part, or with `whole` all of it, which is for those who
        see every job of the group.
        """
        text = self._whole(job) if self.query.get("whole") else self.find(job).definition
        return HttpResponse(text, content_type="application/yaml; charset=utf-8")

    def _whole(self, job: JobKey) -> str:
        jobs = Job.objects.visible_to(self.request.user).whole_to(self.request.user)
        return find_job(jobs.select_related("group"), job).whole_definition


class OfAttempt(Resource):
    """What belongs to one attempt of a job."""

    def attempt(self) -> dict[str, Any]:
        """By which its rows are found."""
        jobs = Job.objects.visible_to(self.request.user)
        job = find_job(jobs, self.kwargs["job"])
        number = self.query.get("attempt", job.attempt)
        if not job.shows_attempt(number, self.request.user):
            raise NotFound(f"Job {job.number} has had no attempt {number}, or it is hidden from you.")
        return {"attempt__job": job, "attempt__number": number}


class Results(OfAttempt, Listing):
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
        return TestCase.objects.filter(**self.attempt()).select_related("suite")


class Steps(OfAttempt, Listing):
    """List the steps of a job.

    What its log tells of the dispatcher's actions and of the test definitions within them, in the order in which they
    began; of the latest attempt, unless `attempt` names another. Of one attempt, at most 2,000 are kept.
    """

    serializer_class = StepSerializer
    parameters = {
        "state": parameters.choice("The state", StepState, "state"),
        "attempt": parameters.number("The number of the attempt."),
        **parameters.PAGES_BY_ID,
    }

    def get_queryset(self) -> QuerySet[Step]:
        return Step.objects.filter(**self.attempt())


class Waits(OfAttempt, Listing):
    """List what a job has asked of people.

    And what they answered. `answer` is empty while it waits; `timeout` if nobody answered in time, `ended` if the attempt
    ended first. Of the latest attempt, unless `attempt` names another.
    """

    serializer_class = WaitSerializer
    parameters = {"attempt": parameters.number("The number of the attempt."), **parameters.PAGES_BY_ID}

    def get_queryset(self) -> QuerySet[Wait]:
        return Wait.objects.filter(**self.attempt())


class Answer(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}
    failures = {"POST": (409,)}

    @extend_schema(request=AnswerBody, responses=OneJobSerializer)
    def post(self, request: Request, job: JobKey) -> Response:
        """Answer a test that waits for a person.

        It goes on at once. For the job's submitter, and for who looks after its device.
        """
        given = self.body(AnswerBody)
        found = self.find(job)
        waits.answer(
            found, self.user, Wait.Answer(given["answer"]), comment=given["comment"], key=given["wait"]
        )
        return self.answer(self.find(found.uuid))


class Attempts(Listing):
    """List the attempts of a job.

    Each is one run of it, with a device, a log and results of its own. One that is to come is not among them.
    """

    serializer_class = AttemptSerializer
    parameters = parameters.PAGES_BY_ID

    def get_queryset(self) -> QuerySet[Attempt]:
        jobs = Job.objects.visible_to(self.request.user)
        return find_job(jobs, self.kwargs["job"]).attempts_seen_by(self.request.user)


class Cancel(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}

    @extend_schema(request=ReasonBody, responses=OneJobSerializer)
    def post(self, request: Request, job: JobKey) -> Response:
        """Cancel a job.

        One that waits is canceled at once; one that runs is Canceling until its worker has stopped it. What is over, or
        asked to stop already, is left as it is. For its submitter, and for who looks after its device.
        """
        asked = lifecycle.cancel_for(self.find(job), self.user, reason=self.body(ReasonBody)["reason"])
        return self.answer(self.find(asked.uuid))


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


class Pin(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}
    pinned = True

    @extend_schema(request=ReasonBody, responses=OneJobSerializer)
    def post(self, request: Request, job: JobKey) -> Response:
        """Pin a job.

        Its log, results and events stay, however old they get. For its submitter, and for who looks after its device.
        """
        return self._set(job)

    def _set(self, job: JobKey) -> Response:
        reason = self.body(ReasonBody)["reason"]
        row = upkeep.pin(self.find(job), by=self.user, pinned=self.pinned, reason=reason)
        return self.answer(self.find(row.uuid))


class Unpin(Pin):
    pinned = False

    @extend_schema(request=ReasonBody, responses=OneJobSerializer)
    def post(self, request: Request, job: JobKey) -> Response:
        """Unpin a job.

        The lab lets go of it like of others, when its settings say so.
        """
        return self._set(job)


class Defer(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}
    failures = {"POST": (409,)}

    @extend_schema(request=DeferBody, responses=OneJobSerializer)
    def post(self, request: Request, job: JobKey) -> Response:
        """Have a waiting job run later.

        In `seconds`, or not before `until`; the latest word counts. One that has left the queue is refused (409), and
        so is a time beyond what its definition or the lab allows. For those who may cancel it.
        """
        wanted = self.body(DeferBody)
        seconds = wanted.get("seconds")
        until = wanted["until"] if seconds is None else timezone.now() + timedelta(seconds=seconds)
        deferred = attempts.defer_for(self.find(job), until, user=self.user, reason=wanted["reason"])
        return self.answer(self.find(deferred.uuid))


class Hurry(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}
    failures = {"POST": (409,)}

    @extend_schema(request=None, responses=OneJobSerializer)
    def post(self, request: Request, job: JobKey) -> Response:
        """Have a job run now that was deferred, or is to be tried again later.

        It gets the next device that fits. One that waits for a device anyway is left as it is; one that has left the
        queue is refused (409). For those who may cancel it.
        """
        self.body(Body)
        return self.answer(self.find(attempts.hurry_for(self.find(job), user=self.user).uuid))


def find_job(jobs: JobQuerySet, key: JobKey) -> Job:
    """NotFound for one that is hidden from who asks, as for one that is not there."""
    found: Job | None = (jobs.filter(uuid=key) if isinstance(key, UUID) else jobs.numbered(key)).first()
    if found is None:
        raise NotFound(f"There is no job {key}, or it is hidden from you.")
    return found
