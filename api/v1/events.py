"""What has happened, as JSON. Who asks for `text/event-stream` at the same address is told as it happens (events.sse)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.rest.filters import whole_number
from api.v1 import parameters
from api.v1.base import Resource, Shape
from api.v1.parameters import TEXT, Parameter
from events import cloud, contract, history, snapshots, sse
from events.history import Page
from events.selection import LONGEST, Selection

USUAL_EVENTS = 100
VARY = {"Vary": "Accept"}


def _limit(text: str) -> int:
    limit = whole_number(text)
    if not 1 <= limit <= history.MOST:
        raise ValueError(f"expected 1 to {history.MOST}, got {limit}")
    return limit


@extend_schema_field(contract.envelope())
class CloudEventField(serializers.JSONField):
    """An event as every transport that speaks CloudEvents tells it."""


class SnapshotSerializer(Shape):
    as_of_sequence = serializers.IntegerField(help_text="the newest event that is in it")
    jobs = serializers.ListField(
        child=serializers.DictField(), help_text="the unfinished ones, as the payloads of their events"
    )
    devices = serializers.ListField(child=serializers.DictField(), help_text="all of them")
    workers = serializers.ListField(child=serializers.DictField(), help_text="all of them")


class EventsSerializer(Shape):
    events = serializers.ListField(child=CloudEventField())
    next_since = serializers.IntegerField(
        allow_null=True,
        help_text="`since` of the next page, also where this one is empty; null where the newest come first",
    )
    next_before = serializers.IntegerField(
        allow_null=True, help_text="`before` of the next page where the newest come first; null at the end"
    )
    last_sequence = serializers.IntegerField(help_text="the newest event of the lab; 0: there is none yet")
    oldest_sequence = serializers.IntegerField(help_text="from which on every event is still here")
    snapshot = SnapshotSerializer(required=False, help_text="where it was asked for")


class Events(Resource):
    parameters = {
        "since": parameters.number("Only events after this `sequence`; without it, from the oldest on."),
        "before": parameters.number("Only events before this `sequence`, the newest first."),
        "filter": Parameter(
            help="Which events: topics as `job.#`, and names as `submitter=alice`, with spaces between them.",
            read=Selection.parse,
            schema={**TEXT, "maxLength": LONGEST},
        ),
        "limit": Parameter(
            help=f"How many events a page has at most; {USUAL_EVENTS} unless told.",
            read=_limit,
            schema={"type": "integer", "minimum": 1, "maximum": history.MOST, "default": USUAL_EVENTS},
        ),
        "snapshot": parameters.flag("How the lab is now, instead of events; go on with `next_since`."),
    }
    failures = {"GET": (410,)}

    @extend_schema(
        operation_id="events_list",
        responses={
            (200, "application/json"): EventsSerializer,
            (200, sse.MEDIA_TYPE): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> Response:
        """List what has happened, or be told as it happens.

        Oldest first after `since`, newest first before `before`. A page may have few events or none and lead on all
        the same, as a bounded number of events is looked through for it.

        With `Accept: text/event-stream` the answer never ends: each event comes as it happens, from the header
        `Last-Event-ID` on, or from `since`, or else from now; with `snapshot`, after a first message that tells how
        the lab is.
        """
        selection = self.query.get("filter", Selection())
        if self.query.get("snapshot"):
            return Response(self._snapshot(selection), headers=VARY)
        since, before = self.query.get("since"), self.query.get("before")
        limit = self.query.get("limit", USUAL_EVENTS)
        if since is not None and before is not None:
            raise ValidationError({"before": ["give this or since, not both"]})
        if before is not None:
            page = history.before(request.user, selection, before, limit)
            return Response(_shown(page, next_before=None if page.is_last else page.reached), headers=VARY)
        page = history.after(request.user, selection, since, limit)
        return Response(_shown(page, next_since=page.reached), headers=VARY)

    def _snapshot(self, selection: Selection) -> dict[str, Any]:
        taken = snapshots.taken(self.request.user, selection)
        sequence = taken[snapshots.AS_OF]
        page = history.after(self.request.user, selection, sequence, 1)
        return {**_shown(page, next_since=sequence), "events": [], "snapshot": taken}


class OneEvent(Resource):
    @extend_schema(responses={200: contract.envelope()})
    def get(self, request: Request, sequence: int) -> Response:
        """Show one event.

        As a CloudEvent.
        """
        event = history.one(request.user, sequence)
        if event is None:
            raise NotFound(
                f"There is no event {sequence}, or it is hidden from you, or it was cleared away "
                f"(from {history.oldest()} on, all are here)."
            )
        return Response(cloud.rendered(event))


def _shown(page: Page, *, next_since: int | None = None, next_before: int | None = None) -> dict[str, Any]:
    return {
        "events": [cloud.rendered(event) for event in page.events],
        "next_since": next_since,
        "next_before": next_before,
        "last_sequence": page.last,
        "oldest_sequence": page.oldest,
    }
