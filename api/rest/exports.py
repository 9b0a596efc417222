"""The results of a job, or of one suite of it, as files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from api.rest.base import YAML, Resource
from api.rest.jobs import visible_job
from api.rest.paging import number
from jobs import exports
from jobs.exports import Cases
from jobs.logs import lava_yaml
from jobs.models import Job, TestSuite

LIMIT = OpenApiParameter("limit", int, description="How many results; all unless it is given.")
OFFSET = OpenApiParameter("offset", int, description="How many results to leave out at the beginning.")
PREFIX = OpenApiParameter(
    "classname_prefix", str, description="What the class name of each case begins with, before its suite."
)


class Export(Resource):
    """What every file has in common: whose results it holds, and that it is sent while it is made."""

    media_type: ClassVar[str]
    ending: ClassVar[str]

    def text(self, job: Job, cases: Cases) -> Iterable[str]:
        raise NotImplementedError

    def get(self, request: Request, job_id: str, suite_id: int | None = None) -> StreamingHttpResponse:
        job = visible_job(request, job_id)
        cases, name = exports.cases_of(job), f"job_{job.pk}"
        if suite_id is not None:
            suites = TestSuite.objects.filter(attempt__job=job, attempt__number=job.attempt)
            cases = cases.filter(suite=get_object_or_404(suites, pk=suite_id))
            name += f"_suite_{suite_id}"
        return StreamingHttpResponse(
            lava_yaml.in_pieces(_encoded(self.text(job, cases))),
            content_type=f"{self.media_type}; charset=utf-8",
            headers={"Content-Disposition": f"attachment; filename={name}.{self.ending}"},
        )

    def part(self, cases: Cases) -> Cases:
        """What `?limit=&offset=` leave."""
        offset, limit = number(self.request, "offset"), number(self.request, "limit")
        return cases[offset : offset + limit] if limit else cases[offset:]


@extend_schema(parameters=[LIMIT, OFFSET], responses={(200, YAML): OpenApiTypes.STR})
class YAMLExport(Export):
    """The results as one YAML list."""

    media_type, ending = YAML, "yaml"

    def text(self, job: Job, cases: Cases) -> Iterator[str]:
        return exports.as_yaml(job, self.part(cases))


@extend_schema(parameters=[LIMIT, OFFSET], responses={(200, "text/csv"): OpenApiTypes.STR})
class CSVExport(Export):
    """The results as a table, every field in quotes."""

    media_type, ending = "text/csv", "csv"

    def text(self, job: Job, cases: Cases) -> Iterator[str]:
        return exports.as_csv(job, self.part(cases))


@extend_schema(parameters=[PREFIX], responses={(200, "application/xml"): OpenApiTypes.STR})
class JUnitExport(Export):
    """The results as JUnit XML; a failed case has its part of the log."""

    media_type, ending = "application/xml", "xml"

    def text(self, job: Job, cases: Cases) -> Iterator[str]:
        prefix = self.request.query_params.get("classname_prefix", "")
        return exports.as_junit(job, cases, classname_prefix=prefix)


@extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR})
class TAP13Export(Export):
    """The results as TAP 13."""

    media_type, ending = "text/plain", "tap"

    def text(self, job: Job, cases: Cases) -> Iterator[str]:
        return exports.as_tap13(job, cases)


def _encoded(text: Iterable[str]) -> Iterator[bytes]:
    return (piece.encode("utf-8", "replace") for piece in text)
