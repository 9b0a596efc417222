"""My webhooks, what was sent to them, and what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.models import Scope
from api.rest.fields import TimeField
from api.v1 import parameters
from api.v1.base import Body, Listing, Resource, Shape, find
from api.v1.fields import Seconds, Text
from events.models import Delivery, Webhook
from events.selection import LONGEST as LONGEST_FILTER
from events.selection import BadFilter
from events.webhooks import lifecycle
from events.webhooks.addresses import LONGEST as LONGEST_ADDRESS
from events.webhooks.addresses import BadAddress
from events.webhooks.models import WebhookState
from events.webhooks.verdicts import Outcome

CHOSEN = (WebhookState.ACTIVE, WebhookState.PAUSED)  # by a user; only the lab disables


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    created = TimeField()
    state = serializers.ChoiceField(choices=WebhookState.choices, read_only=True)
    reason = serializers.CharField(read_only=True, help_text="why it is disabled; else empty")
    state_since = TimeField()
    sequence = serializers.IntegerField(
        read_only=True, help_text="of the last event that was sent, or is not for this webhook"
    )
    failing_since = TimeField(allow_null=True)
    next_try = TimeField(allow_null=True)
    tries = serializers.IntegerField(read_only=True, help_text="of the next event, so far")

    class Meta:
        model = Webhook
        fields = [
            "id",
            "uuid",
            "address",
            "filter",
            "description",
            "created",
            "state",
            "reason",
            "state_since",
            "sequence",
            "failing_since",
            "next_try",
            "tries",
        ]
        read_only_fields = ["address", "filter", "description"]


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(read_only=True, help_text="by which signatures are checked")

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]


class SecretSerializer(Shape):
    secret = serializers.CharField(help_text="by which signatures are checked")


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    sequence = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="of the event; null for what is none"
    )
    message_id = serializers.UUIDField(read_only=True, help_text="of the event, the same each time")
    about = serializers.CharField(read_only=True, help_text="the event's subject, or what else it tells")
    number = serializers.IntegerField(read_only=True, help_text="which try of this message, from 1")
    by_hand = serializers.BooleanField(read_only=True, help_text="whether somebody sent it, and not the lab")
    time = TimeField()
    duration = Seconds(read_only=True, help_text="seconds")
    status = serializers.IntegerField(read_only=True, allow_null=True, help_text="that was answered")
    error = serializers.CharField(read_only=True)
    answer = serializers.CharField(read_only=True, help_text="the first 256 bytes")
    outcome = serializers.ChoiceField(choices=[word.value for word in Outcome], read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "type",
            "about",
            "sequence",
            "message_id",
            "number",
            "by_hand",
            "time",
            "duration",
            "status",
            "error",
            "answer",
            "outcome",
        ]
        read_only_fields = ["type"]


class ChangeWebhookBody(Body):
    address = Text(
        required=False, max_length=LONGEST_ADDRESS, help_text="http or https, on the public internet"
    )
    filter = Text(
        required=False,
        allow_blank=True,
        max_length=LONGEST_FILTER,
        help_text="which events: `job.# submitter=alice state=finished`; empty: all that you may see",
    )
    description = Text(required=False, allow_blank=True, max_length=200)
    state = serializers.ChoiceField(choices=CHOSEN, required=False)

    def validate_address(self, value: str) -> str:
        try:
            lifecycle.check_address(value)
        except BadAddress as bad:
            raise ValidationError(str(bad)) from None
        return value

    def validate_filter(self, value: str) -> str:
        try:
            lifecycle.check_filter(value)
        except BadFilter as bad:
            raise ValidationError(str(bad)) from None
        return value


class NewWebhookBody(ChangeWebhookBody):
    address = Text(max_length=LONGEST_ADDRESS, help_text="http or https, on the public internet")
    state = None  # type: ignore[assignment] # a new one is active


class WebhookResource(Resource):
    permission_classes = [IsAuthenticated]
    serializer_class: Any = WebhookSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return Webhook.objects.of(self.user)

    def find(self, uuid: UUID) -> Webhook:
        webhook: Webhook = find(Webhook.objects.of(self.user), "webhook of yours", uuid=uuid)
        return webhook


class Webhooks(Listing, WebhookResource):
    """List your webhooks.

    The newest first.
    """

    newest_first = True
    parameters = parameters.PAGES_BY_ID
    failures = {"POST": (409,)}

    @extend_schema(request=NewWebhookBody, responses={201: NewWebhookSerializer})
    def post(self, request: Request) -> Response:
        """Make a webhook.

        From now on each event that fits its `filter`, and that you may see, is sent to its `address`.
        """
        webhook = lifecycle.add(self.user, **self.body(NewWebhookBody))
        address = reverse("api:v1-webhook", [webhook.uuid], request=request)
        return Response(NewWebhookSerializer(webhook).data, status=201, headers={"Location": address})


class OneWebhook(WebhookResource):
    def get(self, request: Request, uuid: UUID) -> Response:
        """Show a webhook of yours."""
        return self.answer(self.find(uuid))

    @extend_schema(request=ChangeWebhookBody, responses=WebhookSerializer)
    def patch(self, request: Request, uuid: UUID) -> Response:
        """Change a webhook of yours.

        What is not given stays as it is. A `state` of `paused` keeps what happens for later; `active` goes on from
        where it stopped, also where the lab had disabled it.
        """
        wanted = self.body(ChangeWebhookBody)
        webhook = self.find(uuid)
        state = wanted.pop("state", None)
        lifecycle.change(webhook, by=self.user, **wanted)
        if state is not None:
            DEEDS[state](webhook, by=self.user)
        return self.answer(self.find(uuid))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, uuid: UUID) -> Response:
        """Delete a webhook of yours.

        With the log of its deliveries.
        """
        lifecycle.delete(self.find(uuid), by=self.user)
        return Response(status=204)


class Secret(WebhookResource):
    scopes = {"GET": Scope.FULL}

    @extend_schema(responses=SecretSerializer)
    def get(self, request: Request, uuid: UUID) -> Response:
        """Show the secret of a webhook of yours."""
        return Response({"secret": self.find(uuid).secret})

    @extend_schema(request=None, responses=SecretSerializer)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Give a webhook of yours a new secret.

        For a day everything is signed with the old one as well.
        """
        self.body(Body)
        return Response({"secret": lifecycle.renew_secret(self.find(uuid), by=self.user).secret})


class Ping(WebhookResource):
    serializer_class = DeliverySerializer
    failures = {"POST": (409,)}

    @extend_schema(request=None, responses=DeliverySerializer)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Try a webhook of yours out.

        A `lava_lite.webhook.ping` is sent now; the answer says what came back.
        """
        self.body(Body)
        return self.answer(lifecycle.ping(self.find(uuid), by=self.user))


class Deliveries(Listing, WebhookResource):
    """List what was sent to a webhook of yours.

    Each try, the newest first. The last 1,000 are kept, for 30 days.
    """

    serializer_class = DeliverySerializer
    newest_first = True
    parameters = {
        "outcome": parameters.choice("What became of it", Outcome, "outcome"),
        **parameters.PAGES_BY_ID,
    }

    def get_queryset(self) -> QuerySet[Any]:
        return Delivery.objects.filter(webhook=self.find(self.kwargs["uuid"]))


class Resend(WebhookResource):
    serializer_class = DeliverySerializer
    failures = {"POST": (409,)}

    @extend_schema(request=None, responses=DeliverySerializer)
    def post(self, request: Request, uuid: UUID, delivery_id: int) -> Response:
        """Send an event again.

        Now, and with the same id. 409 if the lab does not keep the event any more, or if you may not see it any more.
        """
        self.body(Body)
        sent = Delivery.objects.filter(webhook=self.find(uuid))
        delivery = find(sent.select_related("webhook__user"), "delivery", pk=delivery_id)
        return self.answer(lifecycle.resend(delivery, by=self.user))


DEEDS = {WebhookState.ACTIVE: lifecycle.resume, WebhookState.PAUSED: lifecycle.pause}
