"""Reservations: hold a device by hand, for longer, or give it back. Each is a job, and shown with the jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from api.v1.base import Body
from api.v1.fields import Text, Whole
from api.v1.jobs import JobKey, JobResource, OneJobSerializer
from jobs import lifecycle, reservations
from jobs.definition import DEFAULT_PRIORITY, MAX_NAME, MAX_NAMES, MAX_TIMEOUT, InvalidDefinition
from jobs.reservations import Wish

LONGEST = int(MAX_TIMEOUT.total_seconds())


def _seconds() -> Whole:
    return Whole(min_value=1, max_value=LONGEST, help_text="seconds")


class ReservationBody(Body):
    device = Text(required=False, max_length=MAX_NAME, help_text="the name of the only one that will do")
    device_type = Text(required=False, max_length=MAX_NAME, help_text="for any device of this type")
    duration = _seconds()
    purpose = Text(max_length=MAX_NAME, help_text="what for, as everybody reads it who sees the device")
    tags = serializers.ListField(
        child=Text(max_length=MAX_NAME), default=list, max_length=MAX_NAMES, help_text="that it must have"
    )
    priority = Whole(default=DEFAULT_PRIORITY, min_value=0, max_value=100, help_text="as that of a job")

    def validate(self, fields: dict[str, Any]) -> dict[str, Any]:
        if not ("device" in fields or "device_type" in fields):
            raise ValidationError("name the device, or a device_type if any device of that type will do")
        return fields


class ExtendBody(Body):
    duration = _seconds()


class Reservations(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}

    @extend_schema(request=ReservationBody, responses={201: OneJobSerializer})
    def post(self, request: Request) -> Response:
        """Reserve a device.

        To use it by hand: it waits in the queue as a job does, and ends by itself. The answer is that job, whose
        `state` is Running as soon as the device is held and whose `deadline` is its end.
        """
        return self.new(self._reserve(_wish(self.body(ReservationBody))))

    def _reserve(self, wish: Wish) -> Any:
        try:
            return lifecycle.reserve(wish, by=self.user)
        except InvalidDefinition as invalid:
            errors: dict[str, list[str]] = {}
            for fault in invalid.faults:
                errors.setdefault(fault.path or "non_field_errors", []).append(fault.message)
            raise ValidationError(errors) from None


class Extend(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}
    failures = {"POST": (409,)}

    @extend_schema(request=ExtendBody, responses=OneJobSerializer)
    def post(self, request: Request, job: JobKey) -> Response:
        """Extend a reservation.

        The device is held for so much longer, as far as the lab allows (409 if it does not, or if no device is held).
        For its holder, and for who looks after its device.
        """
        wanted = timedelta(seconds=self.body(ExtendBody)["duration"])
        extended = reservations.extend_for(self.find(job), self.user, wanted)
        return self.answer(self.find(extended.uuid))


class Release(JobResource):
    permission_classes = [IsAuthenticated]
    scopes = {"POST": Scope.SUBMIT}
    failures = {"POST": (409,)}

    @extend_schema(request=None, responses=OneJobSerializer)
    def post(self, request: Request, job: JobKey) -> Response:
        """Release a device that is held.

        Before its time is over. One that is over already is left as it is; one that still waits is canceled instead
        (409 here). For its holder, and for who looks after its device.
        """
        self.body(Body)
        released = reservations.release_for(self.find(job), self.user)
        return self.answer(self.find(released.uuid))


def _wish(wanted: dict[str, Any]) -> Wish:
    return Wish(
        device=wanted.get("device"),
        device_type=wanted.get("device_type"),
        length=timedelta(seconds=wanted["duration"]),
        purpose=wanted["purpose"],
        tags=tuple(wanted["tags"]),
        priority=wanted["priority"],
    )
