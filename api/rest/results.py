"""Results of a job's latest attempt: suites and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Min, QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from api.rest import filters
from api.rest.base import Resource
from api.rest.fields import TimeField
from api.rest.jobs import visible_job
from core import yaml
from jobs.models import TestCase, TestSuite

SUITE_FILTERS = filters.number("id") | filters.text("name")
TEST_FILTERS = (
    filters.number("id")
    | filters.text("name")
    | filters.text("result")
    | filters.number("suite")
    | filters.text("suite__name")
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
        return int(self.context["job_id"])

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
    start_log_line = serializers.IntegerField(source="log_start")
    end_log_line = serializers.IntegerField(source="log_end")
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

    def get_queryset(self) -> QuerySet[TestSuite]:
        return self.of_job(TestSuite.objects.all())


class Suites(mixins.ListModelMixin, SuiteResource):
    filters = SUITE_FILTERS
    orderings = {"id": "id", "name": "name"}

    def get(self, request: Request, job_id: int) -> Response:
        return self.list(request)


class OneSuite(SuiteResource):
    def get(self, request: Request, job_id: int, suite_id: int) -> Response:
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=suite_id)).data)


class TestResource(OfJob):
    __test__ = False

    serializer_class = TestSerializer

    def get_queryset(self) -> QuerySet[TestCase]:
        tests = self.of_job(TestCase.objects.all())
        if "suite_id" not in self.kwargs:
            return tests
        return tests.filter(suite=self.kwargs["suite_id"])


class Tests(mixins.ListModelMixin, TestResource):
    """All tests of a job, or those of one suite."""

    filters = TEST_FILTERS
    orderings = TEST_ORDERINGS

    def get(self, request: Request, job_id: int, suite_id: int | None = None) -> Response:
        if suite_id is not None:
            get_object_or_404(self.of_job(TestSuite.objects.all()), pk=suite_id)
        return self.list(request)


class OneTest(TestResource):
    def get(self, request: Request, job_id: int, suite_id: int, test_id: int) -> Response:
        test = get_object_or_404(self.get_queryset(), pk=test_id)
        return Response(self.get_serializer([test], many=True).data[0])


def _set_numbers(tests: Sequence[TestCase]) -> SetNumbers:
    """LAVA numbers its test sets; here the number of one is that of its first test."""
    suites = {test.suite_id for test in tests if test.test_set}
    if not suites:
        return {}
    in_sets = TestCase.objects.filter(suite__in=suites).exclude(test_set="").order_by()
    firsts = in_sets.values_list("suite", "test_set").annotate(first=Min("id"))
    return {(suite, name): first for suite, name, first in firsts}
