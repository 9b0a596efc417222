"""The page on which jobs are written and submitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from core.pages import asks_for_live_parts, render_live
from jobs import availability, commands, lifecycle, strictness
from jobs.definition import Fault, InvalidDefinition
from jobs.forms import SubmitForm
from jobs.models import Job

DRAFT = "draft"  # in the session: what somebody submitted before logging in
DRAFT_LIMIT = 64 * 1024  # characters
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
    def of(cls, fault: Fault, lines: list[str]) -> Self:
        text = lines[fault.line - 1] if fault.line and fault.line <= len(lines) else ""
        return cls(path=fault.path, message=fault.message, line=fault.line, text=text.strip()[:LINE_LIMIT])


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found out about a text: nothing yet, or its faults."""

    text: str = ""
    faults: Sequence[Fault] = ()
    warnings: Sequence[Fault] = ()
    is_done: bool = False

    @property
    def shown(self) -> list[ShownFault]:
        return self._with_lines(self.faults)

    @property
    def shown_warnings(self) -> list[ShownFault]:
        return self._with_lines(self.warnings)

    def _with_lines(self, faults: Sequence[Fault]) -> list[ShownFault]:
        lines = self.text.splitlines()
        return [ShownFault.of(fault, lines) for fault in faults]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A file of `examples/`; its first line is a comment that says what it is for."""

    name: str
    sentence: str


@require_http_methods(["GET", "HEAD", "POST"])
def submit(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not isinstance(user, User):
        return _log_in_first(request)
    if request.method != "POST":
        return show_form(request, _filled(_first_text(request)))
    form = SubmitForm(request.POST, request.FILES)
    if not form.is_valid():
        return show_form(request, form, Check(faults=[NOTHING_TO_SUBMIT], is_done=True), status=400)
    text = form.cleaned_data["definition"]
    if "check" in request.POST:
        return show_form(request, _filled(text), _check(request, text))
    try:
        return redirect(lifecycle.submit(text, by=user))
    except InvalidDefinition as invalid:
        refused = Check(text=text, faults=invalid.faults, is_done=True)
        return show_form(request, _filled(text), refused, status=400)


@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """What keeps a text from being a job, for a page that asks while it is written. No text is no fault yet."""
    form = SubmitForm(request.POST)
    found = _check(request, form.cleaned_data["definition"]) if form.is_valid() else Check()
    return render(request, "jobs/check.html", {"check": found})


def show_form(
    request: HttpRequest, form: SubmitForm, check: Check | None = None, *, status: int = 200
) -> HttpResponse:
    context = {
        "section": "submit",
        "form": form,
        "check": check or Check(),
        "examples": _examples(),
        "example": request.GET.get("example"),
        "types": availability.for_jobs_of(request.user),
        "commands": commands.submitting(request.build_absolute_uri("/"), request.user.get_username()),
    }
    response = render_live(request, "jobs/submit.html", ["jobs/types_live.html"], context)
    response.status_code = status
    return response


def _filled(text: str) -> SubmitForm:
    """The form with a text that may have come as a file."""
    return SubmitForm(initial={"definition": text})


def _check(request: HttpRequest, text: str) -> Check:
    faults = lifecycle.check(text, by=request.user)
    warnings = [] if faults else strictness.warnings(text)
    return Check(text=text, faults=faults, warnings=warnings, is_done=True)


def _first_text(request: HttpRequest) -> str:
    """What the form begins with: what was written before logging in, an example, or another job's definition."""
    if asks_for_live_parts(request):
        return ""  # the form is there already, and must not lose a draft to another window
    if draft := request.session.pop(DRAFT, ""):
        return str(draft)
    if (example := request.GET.get("example")) in {example.name for example in _examples()}:
        return (settings.EXAMPLES / f"{example}.yaml").read_text(encoding="utf-8")
    if "job" in request.GET:
        return _definition_of(request)
    return ""


def _definition_of(request: HttpRequest) -> str:
    jobs = Job.objects.visible_to(request.user).whole_to(request.user).select_related("group")
    job: Job = get_object_or_404(jobs.numbered(request.GET["job"]))
    return job.whole_definition


def _examples() -> list[Example]:
    return [
        Example(name=path.stem, sentence=_first_comment(path.read_text(encoding="utf-8")))
        for path in sorted(settings.EXAMPLES.glob("*.yaml"))
    ]


def _first_comment(text: str) -> str:
    return text.partition("\n")[0].lstrip("# ")


def _log_in_first(request: HttpRequest) -> HttpResponse:
    """Whoever was logged out while writing finds the text in the form after logging in."""
    form = SubmitForm(request.POST, request.FILES)
    if request.method == "POST" and form.is_valid() and len(form.cleaned_data["definition"]) <= DRAFT_LIMIT:
        request.session[DRAFT] = form.cleaned_data["definition"]
    return redirect_to_login(request.get_full_path())
