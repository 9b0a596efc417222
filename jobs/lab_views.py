"""The lab as it is now: what runs, what waits, and what needs a person."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.rights import Anyone
from core.pages import render_live
from devices.models import Device, DeviceQuerySet, Worker
from devices.states import WorkerHealth, WorkerState
from jobs import waiting
from jobs.models import Job, JobQuerySet, Wait
from jobs.states import ON_A_DEVICE
from jobs.timing import TimeBar

RUNNING_SHOWN = 10
QUEUED_SHOWN = 5
WAITS_SHOWN = 10
AILING_SHOWN = 10
OFFLINE_SHOWN = 10
LATEST_SHOWN = 8


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    jobs = Job.objects.visible_to(request.user)
    devices = Device.objects.visible_to(request.user).in_service()
    context = {
        "section": "lab",
        **_work(jobs, request.user),
        **_waits(jobs),
        **_inventory(devices),
        **_latest(jobs, request),
    }
    return render_live(request, "home.html", ["home_live.html"], context)


def _work(jobs: JobQuerySet, user: Anyone) -> dict[str, object]:
    """What runs and what waits, the first few of each."""
    counts = jobs.unfinished().tally()
    first = list(jobs.queued().for_lists().prefetch_related("tags")[:QUEUED_SHOWN])
    reasons = waiting.reasons(first, to=user)
    shown = jobs.filter(state__in=ON_A_DEVICE).recent().for_lists()[:RUNNING_SHOWN]
    return {
        "running": counts["on_a_device"],
        "running_jobs": [(job, TimeBar.of(job)) for job in shown],
        "queued": counts["queued"],
        "queued_jobs": [(job, reasons[job.pk]) for job in first],
        "longest_wait": _since(counts["due_since"]),
    }


def _since(moment: datetime | None) -> timedelta | None:
    return max(timezone.now() - moment, timedelta(0)) if moment else None


def _waits(jobs: JobQuerySet) -> dict[str, object]:
    """The questions of running tests, the oldest first."""
    # None is open of a job that has left its device; of all that are seen, there may be a hundred thousand.
    questions = Wait.objects.open().filter(attempt__job__in=jobs.filter(state__in=ON_A_DEVICE))
    shown = list(questions.order_by("since", "pk").select_related("attempt__job__group")[:WAITS_SHOWN])
    number = len(shown) if len(shown) < WAITS_SHOWN else questions.count()
    return {"waits": number, "waits_shown": [(wait, wait.attempt.job) for wait in shown]}


def _inventory(devices: DeviceQuerySet) -> dict[str, object]:
    ailing = devices.ailing().select_related("worker").order_by("-health_since")
    offline = Worker.objects.filter(state=WorkerState.OFFLINE).exclude(health=WorkerHealth.RETIRED)
    return {
        **devices.tally(),
        "ailing_devices": ailing[:AILING_SHOWN],
        "offline_workers": offline[:OFFLINE_SHOWN],
    }


def _latest(jobs: JobQuerySet, request: HttpRequest) -> dict[str, object]:
    """The last jobs of whoever looks; of everybody for a visitor, and for somebody who has none yet."""
    latest = jobs.recent().for_lists()
    mine = []
    if isinstance(request.user, User):
        mine = list(latest.filter(submitter=request.user)[:LATEST_SHOWN])
    return {"are_mine": bool(mine), "jobs": mine or list(latest[:LATEST_SHOWN])}
