"""What the events of the lab say, as JSON Schemas."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from api.v1.base import Resource
from events import contract


class OneSchema(Resource):
    authentication_classes = []

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, event_type: str) -> Response:
        """Show what an event says.

        As a JSON Schema: of the payload of a type, `job.started`, or `event`: of the envelope that all have as
        CloudEvents. `/api/v1/asyncapi.json` has them all.
        """
        if event_type not in contract.names():
            raise NotFound(f"There is no schema {event_type!r}. There are: {', '.join(contract.names())}.")
        return Response(contract.schema(event_type))
