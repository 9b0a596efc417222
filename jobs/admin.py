"""Jobs in the admin site: to be read, canceled and deleted there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import smart_split, unescape_string_literal

from accounts.admin import actor
from accounts.admin_base import (
    Deed,
    HistoryAdmin,
    LabAdmin,
    ReadOnlyAdmin,
    ReasonForm,
    StackedInline,
    WordFilter,
    asking,
    check_number,
    named,
)
from core.looks import Look
from core.templatetags.lab import ago, preformatted, status
from core.times import in_utc
from devices.admin import InventoryAdmin, VisibleFilter
from devices.models import Device
from events.outbox import Cause
from jobs import attempts, lifecycle, looks, upkeep
from jobs.attempts import NotDeferrable
from jobs.definition import InvalidDefinition
from jobs.forms import DeferForm
from jobs.models import NUMBER, Attempt, Job, TestCase, by_number
from jobs.states import InvalidMove, State

CANCEL = Deed(
    action="cancel",
    title="Cancel",
    consequence=(
        "A waiting job leaves the queue. A started one is asked to stop. A finished one stays as it is. "
        "A job of a group takes all of its group with it."
    ),
    button="Cancel the jobs",
    permission="cancel",
)


def _cancel(page: LabAdmin, request: HttpRequest, jobs: QuerySet[Job], reason: str) -> str:
    # In the order in which their devices are locked, so that two who cancel never wait for each other.
    unfinished = list(jobs.unfinished().select_related("submitter", "group").order_by("device", "id"))  # type: ignore[attr-defined]
    _lock_devices(unfinished)
    for job in unfinished:
        lifecycle.cancel_for(job, actor(request), reason=reason)
    return f"Canceled, or asked to stop: {named(unfinished)}" if unfinished else "All were finished already."


def _lock_devices(jobs: Sequence[Job]) -> None:
    """Those of the jobs and of their groups: a group that is canceled holds several at once."""
    groups = {job.group_id for job in jobs if job.group_id}
    held = Job.objects.unfinished().filter(Q(pk__in=[job.pk for job in jobs]) | Q(group__in=groups))
    names = held.filter(device__isnull=False).values("device")
    list(Device.objects.select_for_update(of=("self",)).filter(pk__in=names).order_by("pk"))


PIN = Deed(
    action="pin",
    title="Pin",
    consequence="Their logs, results and events stay, however old they get.",
    button="Pin the jobs",
    permission="cancel",
)
UNPIN = Deed(
    action="unpin",
    title="Unpin",
    consequence="They are let go of like others when the lab's settings say so.",
    button="Unpin the jobs",
    permission="cancel",
)
HURRY = Deed(
    action="hurry",
    title="Run now",
    consequence=(
        "A job that was deferred, or is to be tried again later, gets the next device, and with it all of its group. "
        "Others stay as they are."
    ),
    button="Run the jobs now",
    asks_reason=False,
    permission="cancel",
)


DEFER = Deed(
    action="defer",
    title="Run later",
    consequence="Each gets no device before then, nor does anything else of its group. Only jobs that wait can be put off.",
    button="Put the jobs off",
    permission="cancel",
)
RESUBMIT = Deed(
    action="resubmit",
    title="Run again",
    consequence="Each is run as a new job of yours, linked to the old one; of a group, all of its jobs.",
    button="Run the jobs again",
    asks_reason=False,
    permission="cancel",
)


class DeferralForm(ReasonForm):
    field_order = ("minutes", "reason")
    minutes = DeferForm.base_fields["minutes"]


def _pinning(pinned: bool) -> Callable[[LabAdmin, HttpRequest, QuerySet[Job], str], str]:
    def pin(page: LabAdmin, request: HttpRequest, jobs: QuerySet[Job], reason: str) -> str:
        rows = list(jobs.select_related("submitter", "group").order_by("id"))
        for job in rows:
            upkeep.pin(job, by=actor(request), pinned=pinned, reason=reason)
        return f"{'Pinned' if pinned else 'Unpinned'}: {named(rows)}"

    return pin


def _hurry(page: LabAdmin, request: HttpRequest, jobs: QuerySet[Job], reason: str) -> str:
    put_off = list(jobs.put_off().select_related("submitter", "group").order_by("id"))  # type: ignore[attr-defined]
    for job in put_off:
        attempts.hurry_for(job, user=actor(request))
    return f"Told to run now: {named(put_off)}" if put_off else "None of them was put off."


def _defer(page: LabAdmin, request: HttpRequest, jobs: QuerySet[Job], reason: str, *, minutes: int) -> str:
    until = timezone.now() + timedelta(minutes=minutes)
    rows = _one_of_each_group(jobs)
    for job in rows:
        attempts.defer_for(job, until, user=actor(request), reason=reason)
    return f"Put off until {in_utc(until)}: {named(rows)}"


def _resubmit(page: LabAdmin, request: HttpRequest, jobs: QuerySet[Job], reason: str) -> str:
    new = [lifecycle.resubmit(job, by=actor(request)) for job in _one_of_each_group(jobs)]
    return f"Submitted: {named([each for job in new for each in job.members])}"


def _one_of_each_group(jobs: QuerySet[Job]) -> list[Job]:
    """What is done to one is done to its group."""
    rows = jobs.select_related("submitter", "group").order_by("-id")
    return list({job.group_id or job.pk: job for job in rows}.values())[::-1]


class AttemptInline(StackedInline):
    model = Attempt
    fields = [
        "number",
        "device_name",
        "worker_name",
        "scheduled",
        "started",
        "ended",
        "result",
        "error_type",
        "deferral",
        "deferral_reason",
    ]
    can_delete = False
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        attempts: Any = super().get_queryset(request)
        seen: QuerySet[Attempt] = attempts.seen_by(actor(request))
        return seen.select_related("job__group").defer("job__definition", "job__group__definition")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin, InventoryAdmin):
    REFUSALS = (*InventoryAdmin.REFUSALS, InvalidMove, InvalidDefinition, NotDeferrable)
    list_display = [
        "numbered",
        "word",
        "description",
        "submitter",
        "device_type_name",
        "device_name",
        "submitted",
    ]
    list_display_links = ["numbered", "description"]
    list_filter = ["kind", "state", "health", ("device_type", VisibleFilter), "health_check", "pinned"]
    search_fields = ["=id", "description", "submitter__username"]  # see `get_search_results`
    actions = [
        asking(CANCEL, _cancel),
        asking(DEFER, _defer, DeferralForm),
        asking(HURRY, _hurry),
        asking(RESUBMIT, _resubmit),
        asking(PIN, _pinning(True)),
        asking(UNPIN, _pinning(False)),
    ]
    inlines = [AttemptInline]
    fields = [
        "word",
        "kind",
        "failure_comment",
        "error_type",
        "description",
        "submitter",
        "group_link",
        "member",
        "role",
        "is_essential",
        "device_type",
        "device",
        "wanted_device",
        "tags",
        "priority",
        "visibility",
        "viewing_groups",
        "health_check",
        "attempt",
        "not_before",
        "not_before_reason",
        "submit_time",
        "start_time",
        "deadline",
        "end_time",
        "pinned",
        "log_removed",
        "uuid",
        "resubmitted_from",
        "definition_text",
    ]
    readonly_fields = ["word", "group_link", "definition_text"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        visible = Job.objects.visible_to(actor(request))
        rows: Any = super().get_queryset(request) & visible
        shown: QuerySet[Job] = rows.for_lists()
        return shown

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """As Django's; but users are looked for once and not for each job, and only a number is looked for as one."""
        for word in smart_split(search_term):
            queryset = queryset.filter(_found_by(_unquoted(word)))
        return queryset, False

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("jobs.change_job"))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """In numbers, as one job may have a hundred thousand results."""
        check_number(objs)
        cases = TestCase.objects.filter(attempt__job__in=[job.pk for job in objs]).count()
        _, numbers, lacking, _ = self.in_numbers(objs, request, {"results": cases})
        return [_fate(job) for job in objs], numbers, lacking, []

    def remove(self, pk: Any, *, by: str) -> None:
        upkeep.remove(pk, cause=Cause(kind="user", actor=by))

    def look_of(self, row: Job) -> Look:
        return looks.of_job(row)

    @admin.display(description="state", ordering="state")
    def word(self, job: Job) -> SafeString:
        return status(looks.of_job(job))

    @admin.display(description="number", ordering="id")
    def numbered(self, job: Job) -> str:
        return str(job.number)

    @admin.display(description="group")
    def group_link(self, job: Job) -> str | SafeString:
        if job.group is None:
            return "none"
        address = f"{reverse('admin:jobs_job_changelist')}?group={job.group_id}"
        return format_html('<a href="{}">all jobs of {}</a>', address, job.group)

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
        return format_html('<pre class="text" tabindex="0">{}</pre>', preformatted(job.definition))


class ResultFilter(WordFilter):
    title = parameter_name = "result"
    words = ["pass", "fail"]


@admin.register(Attempt)
class AttemptAdmin(HistoryAdmin):
    """Each run of a job, by the device and worker that it had."""

    list_display = [
        "job",
        "number",
        "device_name",
        "worker_name",
        "scheduled",
        "ended",
        "result",
        "error_type",
    ]
    list_display_links = ["job", "number"]
    list_filter = [ResultFilter, "scheduled"]
    list_select_related = ["job__group"]
    search_fields = ["=job__id", "=device_name", "=worker_name", "=error_type"]
    ordering = ["-id"]
    fields = [*AttemptInline.fields, "errors", "pipeline"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        user = actor(request)
        attempts: Any = super().get_queryset(request)
        if user.is_superuser:
            return attempts  # type: ignore[no-any-return]
        # Looked up for each row: the database would begin with all the jobs, and sort what it finds.
        visible = Job.objects.visible_to(user).filter(pk=OuterRef("job"))
        seen: QuerySet[Attempt] = attempts.filter(Exists(visible)).seen_by(user)
        return seen


def _found_by(word: str) -> Q:
    found = Q(description__icontains=word) | Q(submitter__in=User.objects.filter(username__icontains=word))
    return found | by_number(word) if NUMBER.fullmatch(word) else found


def _unquoted(word: str) -> str:
    """Several words in quotes are looked for as they stand."""
    is_quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "\"'"
    return unescape_string_literal(word) if is_quoted else word


def _fate(job: Job) -> str:
    return f"{job} (waits in the queue; it is canceled first)" if job.state == State.SUBMITTED else str(job)
