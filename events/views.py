"""The pages of events: the newest first, and all that is told of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from core.pages import asks_for_live_parts, whole_number
from events import catalogue, cloud, history
from events.catalogue import CATALOGUE
from events.models import Event
from events.selection import NAMES, BadFilter, Selection

SHOWN = 50
PAGES = {
    "job": "job",
    "step": "job",
    "device": "device",
    "worker": "worker",
    "custom": "job",
}  # of what events are about
EXAMPLES = ("job.#", "device.changed", "job.# state=finished", "job.# submitter={user}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An event as a line of a list."""

    event: Event
    words: str
    page: str  # of what it is about; empty for what has none any more

    @classmethod
    def of(cls, event: Event) -> Shown:
        return cls(event=event, words=_words(event), page=_page_of(event))


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("filter", "").strip()
    context: dict[str, object] = {
        "section": "events",
        "filter": text,
        "names": NAMES,
        "types": " ".join(CATALOGUE),
        "examples": [example.format(user=request.user.get_username() or "alice") for example in EXAMPLES],
    }
    try:
        context |= _page(request, Selection.parse(text), text)
    except BadFilter as wrong:
        return render(request, "events/list.html", {**context, "wrong": str(wrong)}, status=400)
    if asks_for_live_parts(request):
        return render(request, "live.html", {**context, "parts": ["events/list_live.html"]})
    return render(request, "events/list.html", context)


@require_safe
def detail(request: HttpRequest, sequence: int) -> HttpResponse:
    event = history.one(request.user, sequence)
    if event is None:
        raise Http404
    return render(
        request,
        "events/detail.html",
        {
            "section": "events",
            "shown": Shown.of(event),
            "entry": catalogue.find(event.type),
            "text": json.dumps(cloud.rendered(event), indent=2, ensure_ascii=False),
        },
    )


def _page(request: HttpRequest, selection: Selection, text: str) -> dict[str, object]:
    before = whole_number(request.GET.get("before"))
    page = history.before(request.user, selection, before, SHOWN)
    onward = {"filter": text} if text else {}
    return {
        "events": [Shown.of(event) for event in page.events],
        "before": before,
        "reached": page.reached,
        "newest": f"?{urlencode(onward)}" if onward else reverse("events"),
        "older": "" if page.is_last else f"?{urlencode({**onward, 'before': page.reached})}",
    }


def _words(event: Event) -> str:
    """What is told of it, in short."""
    data = event.data
    told = [_change(event, "state"), _change(event, "health").removeprefix("Unknown")]
    if event.job_id and data.get("device"):
        told.append(f"on {data['device']}")
    told += [f"{n} {word}" for counts in ("states", "flags") for word, n in (data.get(counts) or {}).items()]
    told += [str(data.get(name) or "") for name in ("name", "text", "message", "reason")]
    return ", ".join(filter(None, told))


def _change(event: Event, name: str) -> str:
    now, before = event.data.get(name), event.data.get(f"previous_{name}")
    return f"{before} → {now}" if before and before != now else str(now or "")


def _page_of(event: Event) -> str:
    entry = catalogue.find(event.type)
    if entry is None or entry.name.endswith(".deleted") or entry.subject not in PAGES:
        return ""
    if entry.subject == "custom" and event.job_id is None:
        return ""  # said by a program in its own name
    return reverse(PAGES[entry.subject], args=[event.job_id or event.subject])
