"""My subscriptions to events: the lab keeps how far each has got. `fetch` waits for events in events.subscriptions.waiting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.validators import RegexValidator
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.models import Scope
from api.rest.fields import TimeField
from api.v1 import parameters
from api.v1.base import Body, Listing, Resource, Shape, find
from api.v1.events import USUAL_EVENTS, CloudEventField
from api.v1.fields import Number, Text, Whole
from events import cloud, history, numbering
from events.models import Subscription
from events.selection import LONGEST, BadFilter, Selection
from events.subscriptions import delivery, lifecycle
from events.subscriptions.models import LONGEST_NAME, MOST_DAYS, NAME, SubscriptionState
from events.subscriptions.waiting import LONGEST_WAIT

LARGEST = parameters.NUMBER["maximum"]
WORDS = ("now", "oldest")
BEGINS = "after which event it begins: a `sequence`, `now`, or `oldest`: all that are kept"


@extend_schema_field({"anyOf": [dict(parameters.NUMBER), {"type": "string", "enum": list(WORDS)}]})
class SinceField(serializers.Field[Any, Any, Any, Any]):
    """After which event: its `sequence`, or a word."""

    def to_internal_value(self, data: Any) -> Any:
        if data in WORDS and isinstance(data, str):
            return data
        if type(data) is int and 0 <= data <= LARGEST:
            return data
        raise ValidationError(
            f"expected the sequence of an event, or {' or '.join(WORDS)}, got {str(data)[:40]!r}"
        )


class SubscriptionSerializer(serializers.ModelSerializer[Subscription]):
    created = TimeField()
    state = serializers.ChoiceField(choices=[state.value for state in SubscriptionState], read_only=True)
    reason = serializers.CharField(read_only=True, source="why", help_text="why it is expired; else empty")
    days = serializers.IntegerField(read_only=True, help_text="without a fetch, after which it expires")
    expires = TimeField()
    fetched = TimeField(allow_null=True)
    sequence = serializers.IntegerField(
        read_only=True, help_text="all events up to this one are acknowledged, or are not for it"
    )
    lag = serializers.SerializerMethodField(help_text="events of the lab after that; not all may be for it")

    class Meta:
        model = Subscription
        fields = [
            "id",
            "name",
            "filter",
            "created",
            "state",
            "reason",
            "days",
            "expires",
            "fetched",
            "sequence",
            "lag",
        ]
        read_only_fields = ["name", "filter"]

    def get_lag(self, subscription: Subscription) -> int:
        return subscription.lag(self.context["last"])


class AckSerializer(Shape):
    sequence = serializers.IntegerField(help_text="of the last event")
    generation = serializers.IntegerField(help_text="of this fetch")


class FetchedSerializer(Shape):
    events = serializers.ListField(child=CloudEventField(), help_text="the oldest first")
    ack = AckSerializer(
        allow_null=True,
        help_text="what acknowledges all of them, once they are dealt with; null if there are none",
    )
    sequence = serializers.IntegerField(
        help_text="all events up to this one are acknowledged, or are not for it"
    )
    lag = serializers.IntegerField(help_text="events of the lab after that; not all may be for it")
    expires = TimeField()


class ChangeSubscriptionBody(Body):
    filter = Text(
        required=False,
        allow_blank=True,
        max_length=LONGEST,
        help_text="which events: `job.# submitter=alice state=finished`; empty: all that you may see",
    )
    days = Whole(
        required=False,
        min_value=1,
        max_value=MOST_DAYS,
        help_text="it expires after so many in which nothing was fetched",
    )

    def validate_filter(self, value: str) -> str:
        try:
            Selection.parse(value)
        except BadFilter as bad:
            raise ValidationError(str(bad)) from None
        return value


class NewSubscriptionBody(ChangeSubscriptionBody):
    name = Text(
        validators=[
            RegexValidator(
                f"^{NAME}$",
                f"Expected at most {LONGEST_NAME} characters, letters, digits, `.`, `_` and `-`, a letter or digit first.",
            )
        ],
        help_text="letters, digits, `.`, `_` and `-`; one of your own",
    )
    since = SinceField(required=False, help_text=f"{BEGINS}; `now` unless told")


class RenewSubscriptionBody(Body):
    since = SinceField(help_text=BEGINS)  # told each time, as what is before it is not told any more


class FetchBody(Body):
    limit = Whole(required=False, min_value=1, max_value=history.MOST, default=USUAL_EVENTS)
    wait = Number(
        required=False,
        min_value=0,
        max_value=LONGEST_WAIT,
        default=0.0,
        help_text="seconds in which it may be answered if there is nothing yet",
    )


class AckBody(Body):
    sequence = Whole(min_value=0, max_value=LARGEST, help_text="of the last event that is dealt with")
    generation = Whole(min_value=0, max_value=LARGEST, help_text="of the fetch that told it")


class SubscriptionResource(Resource):
    permission_classes = [IsAuthenticated]
    serializer_class: Any = SubscriptionSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return Subscription.objects.of(self.user)

    def about(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"last": numbering.last_number()}

    def find(self, name: str) -> Subscription:
        subscription: Subscription = find(self.get_queryset(), "subscription of yours", name=name)
        return subscription


class Subscriptions(Listing, SubscriptionResource):
    """List your subscriptions.

    The newest first.
    """

    newest_first = True
    parameters = parameters.PAGES_BY_ID
    failures = {"POST": (409, 410)}

    @extend_schema(request=NewSubscriptionBody, responses={201: SubscriptionSerializer})
    def post(self, request: Request) -> Response:
        """Subscribe to events.

        The lab keeps your place among them, from `since` on, under this name.
        """
        subscription = lifecycle.add(self.user, **self.body(NewSubscriptionBody))
        address = reverse("api:v1-subscription", [subscription.name], request=request)
        return self.answer(subscription, status=201, headers={"Location": address})


class OneSubscription(SubscriptionResource):
    def get(self, request: Request, name: str) -> Response:
        """Show a subscription of yours."""
        return self.answer(self.find(name))

    @extend_schema(request=ChangeSubscriptionBody, responses=SubscriptionSerializer)
    def patch(self, request: Request, name: str) -> Response:
        """Change a subscription of yours.

        What is not given stays as it is. A new `filter` holds for what is not acknowledged yet.
        """
        wanted = self.body(ChangeSubscriptionBody)
        return self.answer(lifecycle.change(self.find(name), by=self.user, **wanted))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        """Delete a subscription of yours."""
        lifecycle.delete(self.find(name), by=self.user)
        return Response(status=204)


class Fetch(SubscriptionResource):
    scopes = {"POST": Scope.READ}
    failures = {"POST": (410,)}

    @extend_schema(request=FetchBody, responses=FetchedSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Fetch what is not acknowledged.

        The oldest events first, at most `limit`. They come again with the next fetch, until `ack` is sent back. If
        there are none, the answer waits for up to `wait` seconds for some.
        """
        wanted = self.body(FetchBody)
        try:
            batch = delivery.fetch(self.find(name), limit=wanted["limit"])
        except Subscription.DoesNotExist:
            raise NotFound(f"The subscription {name} was deleted.") from None
        return Response(_shown(batch))


class Ack(SubscriptionResource):
    scopes = {"POST": Scope.READ}
    failures = {"POST": (409, 410)}

    @extend_schema(request=AckBody, responses=SubscriptionSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Acknowledge events.

        All up to and with `sequence` are dealt with, and are not told again. 409 if another fetch came after the one
        that told them.
        """
        wanted = self.body(AckBody)
        try:
            return self.answer(delivery.acknowledge(self.find(name), **wanted))
        except Subscription.DoesNotExist:
            raise NotFound(f"The subscription {name} was deleted.") from None


class Renew(SubscriptionResource):
    failures = {"POST": (410,)}

    @extend_schema(request=RenewSubscriptionBody, responses=SubscriptionSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Begin anew with a subscription of yours.

        Whether it is expired, or events that it has not told are gone.
        """
        return self.answer(lifecycle.renew(self.find(name), by=self.user, **self.body(RenewSubscriptionBody)))


def _shown(batch: delivery.Batch) -> dict[str, Any]:
    row = batch.subscription
    shown = {
        "events": [cloud.rendered(event) for event in batch.events],
        "ack": {"sequence": row.told, "generation": row.generation} if batch.events else None,
        "sequence": row.sequence,
        "lag": row.lag(batch.last),
        "expires": row.expires,
    }
    return FetchedSerializer(shown).data
