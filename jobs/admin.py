"""Jobs in the admin site: to be read, canceled and deleted there."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin import ReadOnlyAdmin, TabularInline
from core.looks import Look
from core.templatetags.lab import ago, preformatted, status
from devices.admin import Deed, LabAdmin, check_number, confirmed, named
from jobs import lifecycle, looks, upkeep
from jobs.models import Attempt, Job, TestCase
from jobs.states import State

CANCEL = Deed(
    action="cancel",
    question="Cancel?",
    consequence="A waiting job leaves the queue. A started one is asked to stop. A finished one stays as it is.",
    button="Cancel the jobs",
)


class AttemptInline(TabularInline):
    model = Attempt
    fields = ["number", "device_name", "worker_name", "scheduled", "started", "ended", "result", "error_type"]
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin, LabAdmin):
    list_display = [
        "id",
        "word",
        "description",
        "submitter",
        "device_type_name",
        "device_name",
        "submitted",
    ]
    list_display_links = ["id", "description"]
    list_filter = ["state", "health", "device_type", "health_check"]
    list_select_related = ["submitter"]
    search_fields = ["=id", "description", "submitter__username"]
    actions = ["cancel"]
    inlines = [AttemptInline]
    fields = [
        "word",
        "failure_comment",
        "error_type",
        "description",
        "submitter",
        "device_type",
        "device",
        "tags",
        "priority",
        "visibility",
        "viewing_groups",
        "health_check",
        "attempt",
        "submit_time",
        "start_time",
        "end_time",
        "uuid",
        "resubmitted_from",
        "definition_text",
    ]
    readonly_fields = ["word", "definition_text"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).defer("definition")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("jobs.change_job"))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """In numbers, as one job may have a hundred thousand results."""
        check_number(objs)
        cases = TestCase.objects.filter(attempt__job__in=[job.pk for job in objs]).count()
        lacking = set() if self.has_delete_permission(request) else {self.opts.verbose_name}
        return [_fate(job) for job in objs], {"jobs": len(objs), "results": cases}, lacking, []

    def remove(self, pk: Any, *, by: str) -> None:
        upkeep.remove(pk, by=by)

    def look_of(self, row: Job) -> Look:
        return looks.of_job(row)

    @admin.action(permissions=["cancel"], description="Cancel")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> TemplateResponse | None:
        form = confirmed(request)
        if not form.is_valid():
            return self.ask(request, queryset, CANCEL, form)
        by, reason = request.user.get_username(), form.cleaned_data["reason"]
        # In the order in which their devices are locked, so that two who cancel never wait for each other.
        unfinished = list(queryset.unfinished().order_by("device", "id"))  # type: ignore[attr-defined]
        for job in unfinished:
            lifecycle.cancel(job.pk, by=by, reason=reason)
            self.log_change(request, job, f"Cancel: {reason or 'no reason given'}")
        told = (
            f"Canceled, or asked to stop: {named(unfinished)}" if unfinished else "All were finished already."
        )
        self.message_user(request, told, messages.SUCCESS)
        return None

    @admin.display(description="state", ordering="state")
    def word(self, job: Job) -> SafeString:
        return status(looks.of_job(job))

    @admin.display(description="device type", ordering="device_type")
    def device_type_name(self, job: Job) -> str:
        return job.device_type_id

    @admin.display(description="device", ordering="device")
    def device_name(self, job: Job) -> str:
        return job.device_id or ""

    @admin.display(description="submitted", ordering="submit_time")
    def submitted(self, job: Job) -> str:
        return ago(job.submit_time)

    @admin.display(description="definition")
    def definition_text(self, job: Job) -> SafeString:
        return format_html('<pre class="text">{}</pre>', preformatted(job.definition))


def _fate(job: Job) -> str:
    return f"{job} (waits in the queue; it is canceled first)" if job.state == State.SUBMITTED else str(job)
