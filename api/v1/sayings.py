"""Events of somebody's own, said for a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from api.rest.fields import TimeField
from api.v1.base import Body
from api.v1.fields import Text
from api.v1.jobs import JobKey, JobResource
from events import custom
from events.models import Event
from jobs import sayings

Value = TypeVar("Value")


class SayingBody(Body):
    name = Text(
        max_length=custom.LONGEST_NAME, help_text="what follows `custom.` in the type of the event: `flashed`"
    )
    message = Text(
        required=False,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        help_text=f"in words; at most {custom.MOST_BYTES:,} bytes",
    )
    data = serializers.DictField(  # type: ignore[assignment] # DRF takes the fields out of the class
        required=False,
        help_text=f"an object with any keys and values; at most {custom.MOST_BYTES:,} bytes",
    )

    def validate_name(self, name: str) -> str:
        return _checked(name, custom.type_of)

    def validate_message(self, message: str) -> str:
        return _checked(message, custom.check_message)

    def validate_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return _checked(data, custom.check_data)


def _checked(value: Value, check: Callable[[Value], object]) -> Value:
    try:
        check(value)
    except custom.BadSaying as bad:
        raise serializers.ValidationError(str(bad)) from bad
    return value


class SayingSerializer(serializers.ModelSerializer[Event]):
    id = serializers.UUIDField(
        source="uid", read_only=True, help_text="of the event, the same on every transport"
    )
    time = TimeField()

    class Meta:
        model = Event
        fields = ["id", "type", "time", "job_sequence", "attempt"]
        read_only_fields = ["type", "job_sequence", "attempt"]


class Say(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}
    failures = {"POST": (429,)}

    @extend_schema(request=SayingBody, responses={201: SayingSerializer})
    def post(self, request: Request, job: JobKey) -> Response:
        """Say something in an event of the job.

        Everybody who sees the job hears of it, under `custom.` and the name. A job may say 20 things a second, and 1,000
        in each of its runs; what its test says counts, too. For those who may cancel it.
        """
        said = self.body(SayingBody)
        event = sayings.say_for(self.find(job), self.user, said["name"], said["message"], said.get("data"))
        return Response(SayingSerializer(event).data, status=201)
