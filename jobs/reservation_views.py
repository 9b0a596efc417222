"""The pages on which people reserve devices, keep them for longer, and give them back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_POST

from accounts.rights import Anyone
from core.pages import render_live
from devices.models import Device, DeviceType
from jobs import lifecycle, moving, reservations
from jobs.definition import InvalidDefinition
from jobs.forms import ExtendForm, ReserveForm
from jobs.models import Job
from jobs.reservations import ReservationRefused, Wish
from jobs.states import State
from jobs.timing import TimeBar
from jobs.waiting import Prospect

MORE = (30, 60)  # minutes by which a click extends


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a person who holds a device can do, and has to know."""

    access: tuple[str, ...]
    more: list[int]  # minutes by which it may be extended
    waiting: int  # who else wants a device of the type

    @classmethod
    def of(cls, job: Job, user: Anyone) -> Self | None:
        """None while no device is held."""
        if job.state != State.RUNNING or job.job_timeout is None:
            return None
        left = reservations.limit() - job.job_timeout
        return cls(
            access=reservations.access_for(job, user),
            more=[minutes for minutes in MORE if timedelta(minutes=minutes) <= left],
            waiting=Job.objects.due().filter(device_type=job.device_type_id).count(),
        )


def show(request: HttpRequest, job: Job) -> HttpResponse:
    """The page of a job that is a reservation."""
    context: dict[str, object] = {
        "section": "jobs",
        "job": job,
        "time_bar": TimeBar.of(job),
        "may_change": job.may_be_changed_by(request.user),
        "prospect": Prospect.of(job) if job.state == State.SUBMITTED else None,
        "holding": Holding.of(job, request.user),
        "limit": reservations.limit(),
    }
    return render_live(request, "jobs/reservation.html", ["jobs/reservation_live.html"], context)


@require_http_methods(["GET", "HEAD", "POST"])
def reserve(request: HttpRequest) -> HttpResponse:
    """`?device=` or `?type=` says what."""
    device, device_type = _wanted(request)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(request.get_full_path())
    if device_type is None:
        return redirect("devices")
    form = ReserveForm(request.POST or None)
    context = {"section": "devices", "form": form, "device": device, "type": device_type}
    if form.is_valid():
        wish = Wish(device=device.name if device else None, device_type=device_type.name, **form.wished)
        try:
            return redirect(lifecycle.reserve(wish, by=user))
        except InvalidDefinition as invalid:
            form.refuse(invalid.faults)
    waiting = Job.objects.visible_to(user).due().filter(device_type=device_type).count()
    status = 400 if form.errors else 200
    return render(request, "jobs/reserve.html", context | {"waiting": waiting}, status=status)


@require_POST
def extend(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(job.get_absolute_url())
    moving.require_right(job, user, "extend")
    form = ExtendForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "It was not extended: say by how many minutes.")
        return redirect(job)
    try:
        reservations.extend_for(job, user, form.cleaned_data["minutes"])
    except ReservationRefused as refused:
        messages.warning(request, f"{capfirst(str(refused))}.")
    return redirect(job)


@require_POST
def release(request: HttpRequest, pk: int) -> HttpResponse:
    job = _find(request, pk)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(job.get_absolute_url())
    try:
        reservations.release_for(job, user)
    except ReservationRefused as refused:
        messages.warning(request, f"{capfirst(str(refused))}.")
    return redirect(job)


def _wanted(request: HttpRequest) -> tuple[Device | None, DeviceType | None]:
    """Http404 for what is not there or hidden."""
    if name := request.GET.get("device"):
        devices = Device.objects.visible_to(request.user).select_related("device_type")
        device: Device = get_object_or_404(devices, pk=name)
        return device, device.device_type
    if name := request.GET.get("type"):
        return None, get_object_or_404(DeviceType.objects.visible_to(request.user), pk=name)
    return None, None


def _find(request: HttpRequest, pk: int) -> Job:
    jobs = Job.objects.visible_to(request.user).select_related("submitter")
    job: Job = get_object_or_404(jobs, pk=pk)
    return job
