"""The events in the admin site: to be read there, never to be written."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin_base import HistoryAdmin, WordFilter
from events.catalogue import CATALOGUE
from events.models import Event
from events.outbox import CAUSES


class TypeFilter(WordFilter):
    title = parameter_name = "type"
    words = list(CATALOGUE)


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

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    @admin.display(description="data")
    def payload(self, event: Event) -> SafeString:
        return format_html(
            '<pre class="text" tabindex="0">{}</pre>', json.dumps(event.data, indent=2, ensure_ascii=False)
        )
