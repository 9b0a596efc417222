"""A job's log as LAVA keeps it, whole or from one record to another."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

from api.rest.base import YAML, Resource
from api.rest.filters import whole_number
from api.rest.jobs import visible_job
from jobs import logs
from jobs.logs import lava_yaml

START = OpenApiParameter("start", int, description="The number of the first record; 0 is the log's first.")
END = OpenApiParameter("end", int, description="The number of the record to stop before; 0 is the log's end.")


class Log(Resource):
    """A job's log as LAVA keeps it, or the records from `start` to `end` of it."""

    @extend_schema(parameters=[START, END], responses={(200, YAML): OpenApiTypes.STR})
    def get(self, request: Request, job_id: str) -> StreamingHttpResponse:
        job = visible_job(request, job_id)
        start, end = _range(request)
        finished = job.is_finished  # read before the log is: its last records cannot be missed
        directory = job.log_directory()
        count = logs.record_count(directory, finished=finished)
        if start >= (count if end is None else min(count, end)):
            raise NotFound(f"The log of job {job.pk} has {count} records now; none of them is in this range.")
        records = lava_yaml.stream(directory, start, end, finished=finished)
        return StreamingHttpResponse(
            lava_yaml.in_pieces(records),
            content_type=YAML,
            headers={"Content-Disposition": f"attachment; filename=job_{job.pk}.yaml"},
        )


def _range(request: Request) -> tuple[int, int | None]:
    """Record numbers; the second is not included, and None where the log's end is meant."""
    given = request.query_params
    faults: dict[str, list[str]] = {}
    numbers: dict[str, int] = {}
    for name in ("start", "end"):
        try:
            if text := given.get(name):
                numbers[name] = whole_number(text)
        except ValueError as wrong:
            faults[name] = [str(wrong)]
    if faults:
        raise ValidationError(faults)
    # LAVA's clients send an end of 0 for none.
    return numbers.get("start", 0), numbers.get("end") or None
