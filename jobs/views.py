"""The pages about jobs: the list, one job, and what is done to it."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from core.pages import asks_for_live_parts, render_live, whole_number
from core.paging import page
from devices.models import DeviceType
from jobs import attempts, commands, lifecycle, moving, reservation_views, sayings, upkeep, waits
from jobs.attempts import NotDeferrable
from jobs.definition import InvalidDefinition
from jobs.filters import STATUSES, JobFilter, UnknownStatus
from jobs.forms import AnswerForm, CancelForm, DeferForm, SubmitForm
from jobs.log_access import attempt_in
from jobs.logs import lines as log_lines
from jobs.models import Attempt, Job, Progress, TestCase, Wait
from jobs.page_parts import RESULTS_BESIDE_LOG, LogPart, Results, Verdict
from jobs.states import InvalidMove, State
from jobs.steps_shown import Steps
from jobs.submit_views import Check, show_form
from jobs.tallies import Tally
from jobs.timing import TimeBar
from jobs.waiting import Prospect

JOBS_OF_PAGE = 50
ATTEMPTS_SHOWN = 10
LOOKED_THROUGH = 10_000  # jobs of one page, where no index finds those that are asked for
LIVE_PARTS = {  # by tab of a job's page
    "log": ["jobs/steps_now_live.html", "jobs/steps_live.html", "jobs/aside_live.html"],
    "results": ["jobs/results_live.html"],
    "definition": [],
}


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    try:
        chosen = JobFilter.of(request.GET)
    except UnknownStatus as unknown:
        raise Http404 from unknown
    jobs = Job.objects.visible_to(request.user)
    rows = page(
        chosen.apply(jobs).for_lists(),
        size=JOBS_OF_PAGE,
        before=whole_number(request.GET.get("before")),
        after=whole_number(request.GET.get("after")),
        span=None if chosen.is_indexed else LOOKED_THROUGH,
    )
    context: dict[str, object] = {
        "section": "jobs",
        "page": rows,
        "chosen": chosen,
        "statuses": [(word, status.label, chosen.with_status(word)) for word, status in STATUSES.items()],
        "all_statuses": chosen.with_status(""),
        "mine": chosen.with_submitter(request.user.get_username()) if request.user.is_authenticated else "",
        "types": DeviceType.objects.visible_to(request.user)
        .filter(display=True)
        .values_list("pk", flat=True),
    }
    return render_live(request, "jobs/list.html", ["jobs/list_live.html"], context)


@require_safe
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    if job.is_reservation:
        return reservation_views.show(request, job)
    tab = request.GET.get("tab", "log")
    if tab not in LIVE_PARTS:
        raise Http404
    attempt = attempt_in(request, job)
    attempt_query = "" if attempt == job.attempt else f"&attempt={attempt}"
    record = whole_number(request.GET.get("record"))
    if record is not None:
        return redirect(f"{request.path}?tab=log{attempt_query}{_line_of(job, attempt, record)}")
    tally = Tally.of(job, attempt)
    verdict = Verdict.of(job, attempt, tally)
    shows_whole = job.shows_whole_to(request.user)
    context: dict[str, object] = {
        "section": "jobs",
        "job": job,
        "tab": tab,
        "attempt": attempt,
        "attempt_query": attempt_query,
        "verdict": verdict,
        "steps": Steps.of(job, attempt),
        "progress": _progress(job),
        "waits": list(Wait.objects.open().filter(attempt__job=job, attempt__number=attempt)),
        "time_bar": TimeBar.of(job),
        "is_canceling": job.state == State.CANCELING,
        "may_change": job.may_be_changed_by(request.user),
        "shows_whole": shows_whole,
        "attempts": _attempts(request, job),
        "members": _members(request, job),
        "prospect": Prospect.of(job, to=request.user) if job.state == State.SUBMITTED else None,
        **_shown(request, job, attempt, tab, tally, shows_whole=shows_whole),
    }
    parts = ["jobs/head_live.html", "jobs/actions_live.html", "jobs/waits_live.html", *LIVE_PARTS[tab]]
    return render_live(request, "jobs/detail.html", parts, context)


@require_safe
def definition(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(_find(request, pk).definition, content_type="text/plain; charset=utf-8")


@require_safe
def whole_definition(request: HttpRequest, pk: int) -> HttpResponse:
    jobs = Job.objects.visible_to(request.user).whole_to(request.user).select_related("group")
    job: Job = get_object_or_404(jobs, pk=pk)
    return HttpResponse(job.whole_definition, content_type="text/plain; charset=utf-8")


@require_safe
def by_number(request: HttpRequest, number: str, place: str, rest: str = "") -> HttpResponse:
    """The address of a job by its number in its group, or one below it."""
    job: Job = get_object_or_404(Job.objects.visible_to(request.user).numbered(number))
    query = request.META.get("QUERY_STRING", "")
    return redirect(f"{place}/{job.pk}/{rest}" + (f"?{query}" if query else ""))


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
    form = CancelForm(request.POST)
    if not form.is_valid():
        messages.warning(request, f"Job {job.number} goes on: the reason has more than 200 characters.")
        return redirect(job)
    lifecycle.cancel_for(job, user, reason=form.cleaned_data["reason"])
    if job.is_finished:
        messages.warning(request, f"Job {job.number} was finished already.")
    return redirect(job)


@require_POST
def defer(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(job.get_absolute_url())
    moving.require_right(job, user, "defer")  # before it is said what is wrong with the form
    form = DeferForm(request.POST)
    if not form.is_valid():
        messages.warning(
            request, f"Job {job.number} is not deferred: say for how many minutes it is to wait."
        )
        return redirect(job)
    until = timezone.now() + timedelta(minutes=form.cleaned_data["minutes"])
    try:
        attempts.defer_for(job, until, user=user, reason=form.cleaned_data["reason"])
    except (NotDeferrable, InvalidMove) as refused:
        messages.warning(request, f"{capfirst(str(refused))}.")
    return redirect(job)


@require_POST
def hurry(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(job.get_absolute_url())
    try:
        attempts.hurry_for(job, user=user)
    except InvalidMove as refused:
        messages.warning(request, f"{capfirst(str(refused))}.")
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
        if job.is_reservation:
            messages.warning(request, f"Not reserved: {invalid.faults[0].message}.")
            return redirect(job)
        text = job.whole_definition
        refused = Check(text=text, faults=invalid.faults, is_done=True)
        return show_form(request, SubmitForm(initial={"definition": text}), refused, status=400)


def _progress(job: Job) -> Progress | None:
    """What its test says of itself in percent, while it runs."""
    if job.is_finished:
        return None
    of_job = Progress.objects.filter(attempt__job=job, attempt__number=job.attempt)
    return of_job.filter(percent__isnull=False).first()


@require_POST
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(job.get_absolute_url())
    form = AnswerForm(request.POST)
    if not form.is_valid():
        messages.warning(request, f"Job {job.number} goes on waiting: {_first_fault(form)}")
        return redirect(job)
    given = form.cleaned_data
    try:
        waits.answer(job, user, Wait.Answer(given["answer"]), comment=given["comment"], key=given["wait"])
    except waits.NotWaiting:
        messages.warning(request, f"Job {job.number} did not wait for this answer any more.")
    return redirect(job)


def _first_fault(form: AnswerForm) -> str:
    name, faults = next(iter(form.errors.items()))
    return f"{name}: {faults[0]}"


@require_POST
def pin(request: HttpRequest, pk: int) -> HttpResponse:
    return _set_pinned(request, pk, True)


@require_POST
def unpin(request: HttpRequest, pk: int) -> HttpResponse:
    return _set_pinned(request, pk, False)


def _set_pinned(request: HttpRequest, pk: int, pinned: bool) -> HttpResponse:
    job = _find(request, pk)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(job.get_absolute_url())
    upkeep.pin(job, by=user, pinned=pinned)
    return redirect(job)


def _shown(
    request: HttpRequest, job: Job, attempt: int, tab: str, tally: Tally, *, shows_whole: bool
) -> dict[str, object]:
    """What the tab shows beside the job itself."""
    match tab:
        case "definition":
            return _definition_shown(request, job, shows_whole=shows_whole)
        case "results":
            return {**_results_shown(request, tally), "dropped_sayings": sayings.dropped(job, attempt)}
    results = Results.of(tally, size=RESULTS_BESIDE_LOG)
    if asks_for_live_parts(request):  # the log has a poller of its own
        return {"results": results}
    start = whole_number(request.GET.get("from"))
    return {"results": results, "log": LogPart.of(job, attempt, whole="full" in request.GET, start=start)}


def _line_of(job: Job, attempt: int, record: int) -> str:
    """The address of the line with which a record of the log begins. Results count records, which may have many lines."""
    line = log_lines.of_record(job.log_directory(attempt), record)
    return "" if line is None else f"#L{line}"


def _attempts(request: HttpRequest, job: Job) -> list[Attempt]:
    """The last ones, the newest first; none for a job that has had but one."""
    if job.attempt == 1:
        return []
    return list(job.attempts_seen_by(request.user).order_by("-number")[:ATTEMPTS_SHOWN])


def _members(request: HttpRequest, job: Job) -> list[Job]:
    """The jobs of its group that the user may see, in their order; none for a job that is in no group."""
    if job.group is None:
        return []
    return list(Job.objects.visible_to(request.user).filter(group=job.group).for_lists().order_by("member"))


def _results_shown(request: HttpRequest, tally: Tally) -> dict[str, object]:
    result, suite = request.GET.get("result", ""), request.GET.get("suite", "")
    if result and result not in TestCase.Result.values:
        raise Http404
    number = whole_number(request.GET.get("page")) or 1
    results = Results.of(tally, result=result, suite=suite, page=max(1, min(number, 1_000_000)))
    return {"results": results, "result": result, "suite": suite, "kinds": TestCase.Result.values}


def _definition_shown(request: HttpRequest, job: Job, *, shows_whole: bool) -> dict[str, object]:
    """Its own, or that of its whole group, which is what runs again."""
    is_whole = "whole" in request.GET and job.group is not None and shows_whole
    raw = reverse("job-whole-definition" if job.group else "job-definition", args=[job.pk])
    user = request.user.get_username() or "NAME"
    text = job.whole_definition if is_whole else job.definition
    return {
        "is_whole": is_whole,
        "lines": text.removesuffix("\n").split("\n"),
        "commands": commands.running_again(
            request.build_absolute_uri("/"), user, request.build_absolute_uri(raw)
        ),
    }


def _find(request: HttpRequest, pk: int) -> Job:
    """Http404 for an unknown job and for a hidden one alike."""
    jobs = Job.objects.visible_to(request.user)
    jobs = jobs.select_related("submitter", "device", "group", "resubmitted_from__group")
    job: Job = get_object_or_404(jobs, pk=pk)
    return job
