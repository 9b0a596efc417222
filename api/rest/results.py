"""Results of a job's latest attempt: suites and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Min, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from api.rest import filters
from api.rest.base import Listing, Resource
from api.rest.fields import TimeField
from api.rest.jobs import visible_job
from core import yaml
from jobs import exports
from jobs.models import TestCase, TestSuite

SUITE_FILTERS = filters.number("id") | filters.text("name")
TEST_FILTERS = (
    filters.number("id")
    | filters.text("name")
    | filters.text("result")
    | filters.number("suite")
    | filters.text("suite__name")
    | filters.text("test_set")
    | filters.text("unit", "units")
    | filters.time("logged")
)
TEST_ORDERINGS = {"id": "id", "name": "name", "result": "result", "logged": "logged", "suite": "suite"}

SetNumbers = Mapping[tuple[int, str], int]


class SuiteSerializer(serializers.ModelSerializer[TestSuite]):
    resource_uri = serializers.SerializerMethodField()
    job = serializers.SerializerMethodField()

    class Meta:
        model = TestSuite
        fields = ["id", "resource_uri", "name", "job"]

    def get_job(self, suite: TestSuite) -> int:
        return suite.attempt.job_id

    def get_resource_uri(self, suite: TestSuite) -> str:
        return reverse("api:suite", [self.context["job_id"], suite.pk], request=self.context["request"])


class TestListSerializer(serializers.ListSerializer[Any]):
    def to_representation(self, data: Any) -> list[Any]:
        tests = list(data)
        self.context["sets"].update(_set_numbers(tests))
        return super().to_representation(tests)


class TestSerializer(serializers.ModelSerializer[TestCase]):
    """Always one of a list, which knows the numbers of test sets."""

    __test__ = False  # no test of ours, as pytest would think

    resource_uri = serializers.SerializerMethodField()
    unit = serializers.CharField(source="units")
    metadata = serializers.SerializerMethodField()
    start_log_line = serializers.IntegerField(source="log_start", allow_null=True)
    end_log_line = serializers.IntegerField(source="log_end", allow_null=True)
    logged = TimeField()
    suite = serializers.IntegerField(source="suite_id")
    test_set = serializers.SerializerMethodField()

    class Meta:
        model = TestCase
        list_serializer_class = TestListSerializer
        fields = [
            "id",
            "result",
            "resource_uri",
            "unit",
            "name",
            "measurement",
            "metadata",
            "start_log_line",
            "end_log_line",
            "logged",
            "suite",
            "test_set",
        ]

    def get_resource_uri(self, test: TestCase) -> str:
        place = [self.context["job_id"], test.suite_id, test.pk]
        return reverse("api:test", place, request=self.context["request"])

    def get_metadata(self, test: TestCase) -> str | None:
        return yaml.dump(test.metadata) if test.metadata else None

    def get_test_set(self, test: TestCase) -> int | None:
        sets: SetNumbers = self.context["sets"]
        return sets.get((test.suite_id, test.test_set))


class OfJob(Resource):
    """What belongs to the latest attempt of a job, for who may see the job."""

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "job_id": self.kwargs["job_id"], "sets": {}}

    def of_job(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        job = visible_job(self.request, self.kwargs["job_id"])
        return rows.filter(attempt__job=job, attempt__number=job.attempt)


class SuiteResource(OfJob):
    serializer_class = SuiteSerializer
    queryset = TestSuite.objects.select_related("attempt")
    lookup_url_kwarg = "suite_id"

    def get_queryset(self) -> QuerySet[TestSuite]:
        return self.of_job(super().get_queryset())


class Suites(Listing, SuiteResource):
    """The suites of a job."""

    filters = SUITE_FILTERS
    searched = ("name",)
    orderings = {"id": "id", "name": "name"}


class OneSuite(mixins.RetrieveModelMixin, SuiteResource):
    """A suite of a job."""

    def get(self, request: Request, job_id: str, suite_id: int) -> Response:
        return self.retrieve(request)


class TestResource(OfJob):
    __test__ = False

    serializer_class = TestSerializer
    queryset = TestCase.objects.all()
    lookup_url_kwarg = "test_id"

    def get_queryset(self) -> QuerySet[TestCase]:
        tests = self.of_job(super().get_queryset())
        return tests.filter(suite=self.kwargs["suite_id"]) if "suite_id" in self.kwargs else tests


class Tests(Listing, TestResource):
    """All tests of a job, or those of one suite."""

    filters = TEST_FILTERS
    searched = ("name",)
    orderings = TEST_ORDERINGS

    def get_queryset(self) -> QuerySet[TestCase]:
        if "suite_id" in self.kwargs:
            get_object_or_404(self.of_job(TestSuite.objects.all()), pk=self.kwargs["suite_id"])
        return super().get_queryset()


class OneTest(TestResource):
    """One test."""

    def get(self, request: Request, job_id: str, test_id: int, suite_id: int | None = None) -> Response:
        return Response(self.get_serializer([self.get_object()], many=True).data[0])


class MetadataSerializer(serializers.Serializer[Any]):
    metadata = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))


class Metadata(Resource):
    """What the job's definition says of itself."""

    @extend_schema(responses=MetadataSerializer)
    def get(self, request: Request, job_id: str) -> Response:
        return Response({"metadata": exports.metadata_of(visible_job(request, job_id))})


def _set_numbers(tests: Sequence[TestCase]) -> SetNumbers:
    """LAVA numbers its test sets; here the number of one is that of its first test."""
    suites = {test.suite_id for test in tests if test.test_set}
    if not suites:
        return {}
    in_sets = TestCase.objects.filter(suite__in=suites).exclude(test_set="").order_by()
    firsts = in_sets.values_list("suite", "test_set").annotate(first=Min("id"))
    return {(suite, name): first for suite, name, first in firsts}
