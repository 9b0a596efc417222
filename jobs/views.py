"""The pages about jobs: the lab at a glance, lists, one job, submitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.pages import asks_for_live_parts, render_live, whole_number
from core.paging import page
from devices.models import Device, DeviceQuerySet
from devices.states import USABLE, WorkerHealth, WorkerState
from jobs import lifecycle, waiting
from jobs.definition import Fault, InvalidDefinition
from jobs.forms import SubmitForm
from jobs.log_views import attempt_in
from jobs.models import Job, JobQuerySet
from jobs.page_parts import RESULTS_BESIDE_LOG, LogPart, Results
from jobs.states import ON_A_DEVICE, Health, State

JOBS_OF_PAGE = 50
LATEST_JOBS = 12
STATUSES = {
    "": "All",
    "queued": "Queued",
    "running": "Running",
    "complete": "Complete",
    "incomplete": "Incomplete",
    "canceled": "Canceled",
}
ENDINGS = {"complete": Health.COMPLETE, "incomplete": Health.INCOMPLETE, "canceled": Health.CANCELED}
DRAFT = "draft"  # in the session: what somebody submitted before logging in
DRAFT_LIMIT = 64 * 1024  # characters
LIVE_PARTS = {  # by tab of a job's page
    "log": ["jobs/aside_live.html"],
    "results": ["jobs/results_live.html"],
    "definition": [],
}
NOTHING_TO_SUBMIT = Fault(path="", message="there is no text; begin with one of the examples", line=None)
LINE_LIMIT = 200  # characters of a faulty line that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFault:
    """A fault with the line that has it."""

    path: str
    message: str
    line: int | None
    text: str

    @classmethod
    def of(cls, fault: Fault, lines: list[str]) -> ShownFault:
        text = lines[fault.line - 1] if fault.line and fault.line <= len(lines) else ""
        return cls(path=fault.path, message=fault.message, line=fault.line, text=text.strip()[:LINE_LIMIT])


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    jobs = Job.objects.visible_to(request.user)
    devices = Device.objects.visible_to(request.user).in_service()
    oldest = jobs.filter(state=State.SUBMITTED).order_by("submit_time").first()
    context: dict[str, object] = {
        "running": jobs.filter(state__in=ON_A_DEVICE).count(),
        "queued": jobs.filter(state=State.SUBMITTED).count(),
        "longest_wait": oldest.waited if oldest else None,
        "devices": devices.count(),
        "free": devices.idle().count(),
        "ailing": _ailing(devices),
        "jobs": jobs.recent().select_related("submitter")[:LATEST_JOBS],
    }
    return render_live(request, "home.html", ["home_live.html"], context)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    status = request.GET.get("status", "")
    if status not in STATUSES:
        raise Http404
    rows = page(
        _with_status(Job.objects.visible_to(request.user), status).select_related("submitter"),
        size=JOBS_OF_PAGE,
        before=whole_number(request.GET.get("before")),
        after=whole_number(request.GET.get("after")),
    )
    context: dict[str, object] = {
        "section": "jobs",
        "page": rows,
        "status": status,
        "statuses": STATUSES.items(),
    }
    return render_live(request, "jobs/list.html", ["jobs/list_live.html"], context)


@require_safe
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    tab = request.GET.get("tab", "log")
    if tab not in LIVE_PARTS:
        raise Http404
    attempt = attempt_in(request, job)
    context: dict[str, object] = {
        "section": "jobs",
        "job": job,
        "tab": tab,
        "attempt": attempt,
        "is_canceling": job.state == State.CANCELING,
        "may_change": job.may_be_changed_by(request.user),
        "waits_because": waiting.reason(job).sentence if job.state == State.SUBMITTED else "",
        **_shown(request, job, attempt, tab),
    }
    parts = ["jobs/head_live.html", *LIVE_PARTS[tab]]
    return render_live(request, "jobs/detail.html", parts, context)


@require_safe
def definition(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(_find(request, pk).definition, content_type="text/plain; charset=utf-8")


@require_safe
def by_lava_address(request: HttpRequest, pk: int) -> HttpResponse:
    """LAVA's own address of a job, which its clients print."""
    return redirect("job", pk)


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(job.get_absolute_url())
    lifecycle.cancel_for(job, user)
    if job.is_finished:
        messages.warning(request, f"Job {pk} was finished already.")
    return redirect(job)


@require_POST
def resubmit(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(job.get_absolute_url())
    try:
        return redirect(lifecycle.resubmit(job, by=user))
    except InvalidDefinition as invalid:
        return _show_form(
            request, SubmitForm({"definition": job.definition}), faults=invalid.faults, status=400
        )


@require_http_methods(["GET", "HEAD", "POST"])
def submit(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not isinstance(user, User):
        return _log_in_first(request)
    if request.method != "POST":
        return _show_form(request, SubmitForm(initial={"definition": _first_text(request)}))
    form = SubmitForm(request.POST)
    if not form.is_valid():
        return _show_form(request, form, faults=[NOTHING_TO_SUBMIT], status=400)
    text = form.cleaned_data["definition"]
    if "check" in request.POST:
        faults = lifecycle.check(text, by=user)
        return _show_form(request, form, faults=faults, is_checked=True)
    try:
        return redirect(lifecycle.submit(text, by=user))
    except InvalidDefinition as invalid:
        return _show_form(request, form, faults=invalid.faults, status=400)


def _show_form(
    request: HttpRequest,
    form: SubmitForm,
    *,
    faults: Sequence[Fault] = (),
    is_checked: bool = False,
    status: int = 200,
) -> HttpResponse:
    lines = str(form["definition"].value() or "").splitlines()
    context = {
        "section": "submit",
        "form": form,
        "faults": [ShownFault.of(fault, lines) for fault in faults],
        "is_checked": is_checked,
        "examples": _examples(),
        "example": request.GET.get("example"),
    }
    return render(request, "jobs/submit.html", context, status=status)


def _first_text(request: HttpRequest) -> str:
    """What the form begins with: what was written before logging in, an example, or another job's definition."""
    if draft := request.session.pop(DRAFT, ""):
        return str(draft)
    if (example := request.GET.get("example")) in _examples():
        return (settings.EXAMPLES / f"{example}.yaml").read_text(encoding="utf-8")
    if (number := whole_number(request.GET.get("job"))) is not None:
        return _find(request, number).definition
    return ""


def _examples() -> list[str]:
    return sorted(path.stem for path in settings.EXAMPLES.glob("*.yaml"))


def _log_in_first(request: HttpRequest) -> HttpResponse:
    """Whoever was logged out while writing finds the text in the form after logging in."""
    text = request.POST.get("definition", "")
    if text and len(text) <= DRAFT_LIMIT:
        request.session[DRAFT] = text
    return redirect_to_login(request.get_full_path())


def _shown(request: HttpRequest, job: Job, attempt: int, tab: str) -> dict[str, object]:
    """What the tab shows beside the job itself."""
    match tab:
        case "definition":
            return {}
        case "results":
            return {"results": Results.of(job, attempt, page=whole_number(request.GET.get("page")) or 1)}
    results = Results.of(job, attempt, size=RESULTS_BESIDE_LOG)
    if asks_for_live_parts(request):  # the log has a poller of its own
        return {"results": results}
    return {"results": results, "log": LogPart.of(job, attempt, whole="full" in request.GET)}


def _find(request: HttpRequest, pk: int) -> Job:
    """Http404 for an unknown job and for a hidden one alike."""
    jobs = Job.objects.visible_to(request.user).select_related("submitter", "device")
    job: Job = get_object_or_404(jobs, pk=pk)
    return job


def _with_status(jobs: JobQuerySet, status: str) -> JobQuerySet:
    if status == "queued":
        return jobs.filter(state=State.SUBMITTED)
    if status == "running":
        return jobs.filter(state__in=ON_A_DEVICE)
    return jobs.filter(state=State.FINISHED, health=ENDINGS[status]) if status else jobs


def _ailing(devices: DeviceQuerySet) -> DeviceQuerySet:
    """Those that get no jobs until a person does something."""
    there = Q(worker__state=WorkerState.ONLINE, worker__health=WorkerHealth.ACTIVE)
    well = Q(health__in=USABLE, worker__isnull=False) & there
    return devices.exclude(well).select_related("worker").order_by("-health_since")
