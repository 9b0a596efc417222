"""The events in the admin site, to be read there and never to be written, and where users have them sent or keep their place."""

from __future__ import annotations

import json
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth.models import User
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin_base import Deed, HistoryAdmin, LabAdmin, ReadOnlyAdmin, WordFilter, asking, named
from core.looks import Look
from events import looks
from events.catalogue import CATALOGUE
from events.models import Event, Subscription, Webhook
from events.outbox import CAUSES
from events.subscriptions import lifecycle as subscriptions
from events.subscriptions.models import SubscriptionState
from events.webhooks import lifecycle
from events.webhooks.models import WebhookState

LOOKED_THROUGH = 100_000  # events, for those that are chosen
CHOOSES = frozenset({"type", "cause", SEARCH_VAR})  # of an address


class TypeFilter(WordFilter):
    title = parameter_name = "type"
    words = list(CATALOGUE)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        entry = CATALOGUE.get(self.value() or "")
        if entry is not None and entry.prefix:
            return queryset.filter(type__startswith=entry.prefix)
        return super().queryset(request, queryset)


class CauseFilter(WordFilter):
    title = parameter_name = "cause"
    words = CAUSES


@admin.register(Event)
class EventAdmin(HistoryAdmin):
    """For superusers: the events of hidden jobs and devices are among them."""

    list_display = ["sequence", "time", "type", "subject", "actor", "cause"]
    list_display_links = ["sequence", "type"]
    list_filter = [TypeFilter, CauseFilter]
    search_fields = ["=subject", "=actor"]
    ordering = ["-id"]
    fields = [
        "sequence",
        "uid",
        "type",
        "time",
        "actor",
        "cause",
        "subject",
        "job_id",
        "job_sequence",
        "attempt",
        "payload",
    ]
    readonly_fields = ["payload"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        events = super().get_queryset(request)
        if not CHOOSES & request.GET.keys():
            return events
        # No index helps to choose, and one would cost every event that is written.
        newest = events.aggregate(newest=Max("id"))["newest"] or 0
        return events.filter(id__gt=newest - LOOKED_THROUGH)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if CHOOSES & request.GET.keys():
            extra_context = {
                **(extra_context or {}),
                "title": f"Chosen from the newest {LOOKED_THROUGH:,} events",
            }
        return super().changelist_view(request, extra_context)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    @admin.display(description="data")
    def payload(self, event: Event) -> SafeString:
        return format_html(
            '<pre class="text" tabindex="0">{}</pre>', json.dumps(event.data, indent=2, ensure_ascii=False)
        )


class StateFilter(WordFilter):
    title = parameter_name = "state"
    words = WebhookState.values


DISABLE = Deed(
    action="disable",
    title="Disable webhooks",
    consequence="Nothing more is sent by them until their users switch them on again, who are shown the reason.",
    button="Disable",
    permission="disable",
)


def _disable(page: LabAdmin, request: HttpRequest, webhooks: QuerySet[Webhook], reason: str) -> str:
    changed = lifecycle.disable(webhooks, by=cast(User, request.user), reason=reason)
    return f"Disabled: {named(changed) if changed else 'none, as they were so already'}"


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin, LabAdmin):
    """For superusers: an address may hold a key of its user's."""

    list_display = ["host", "user", "state", "failing_since", "filter", "created"]
    list_filter = [StateFilter]
    list_select_related = ["user"]
    search_fields = ["=user__username", "address"]
    actions = [asking(DISABLE, _disable)]
    fields = [
        "uuid",
        "user",
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
    readonly_fields = ["uuid", "created", "state_since"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_disable_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def look_of(self, row: Any) -> Look:
        return looks.of_webhook(row)


class ExpiryFilter(WordFilter):
    title = parameter_name = "state"
    words = [state.value for state in SubscriptionState]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == SubscriptionState.ACTIVE:
            return queryset.active(timezone.now())
        if self.value() == SubscriptionState.EXPIRED:
            return queryset.expired(timezone.now())
        return queryset


END = Deed(
    action="end",
    title="End subscriptions",
    consequence="They tell nothing more until their users begin anew with them, who are shown the reason.",
    button="End",
    permission="end",
)


def _end(page: LabAdmin, request: HttpRequest, queryset: QuerySet[Subscription], reason: str) -> str:
    changed = subscriptions.expire(queryset, by=cast(User, request.user), reason=reason)
    return f"Ended: {named(changed) if changed else 'none, as they were so already'}"


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin, LabAdmin):
    """For superusers: a filter may name what is hidden from others."""

    list_display = ["name", "user", "state", "sequence", "fetched", "expires", "filter"]
    list_filter = [ExpiryFilter]
    list_select_related = ["user"]
    search_fields = ["=user__username", "name"]
    actions = [asking(END, _end)]
    fields = [
        "user",
        "name",
        "filter",
        "created",
        "state",
        "why",
        "days",
        "expires",
        "fetched",
        "sequence",
        "generation",
        "told",
        "reached",
    ]
    readonly_fields = ["created", "state", "why", "fetched"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def look_of(self, row: Any) -> Look:
        return looks.of_subscription(row)
