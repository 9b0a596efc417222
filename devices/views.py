"""The pages of the inventory."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from core.pages import render_live
from devices import lifecycle
from devices.forms import HealthForm
from devices.models import Device, DeviceQuerySet
from devices.states import DeviceHealth

LAST_JOBS = 20


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    context: dict[str, object] = {"section": "devices", "devices": _devices(request).in_service()}
    return render_live(request, "devices/list.html", ["devices/list_live.html"], context)


@require_safe
def detail(request: HttpRequest, name: str) -> HttpResponse:
    return _detail(request, get_object_or_404(_devices(request), pk=name))


@require_POST
def change_health(request: HttpRequest, name: str) -> HttpResponse:
    device = get_object_or_404(_devices(request), pk=name)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(device.get_absolute_url())
    if not device.may_be_changed_by(user):
        raise PermissionDenied(f"Only those who look after {name} may change its health.")
    form = HealthForm(request.POST)
    if not form.is_valid():
        return _detail(request, device, form, status=400)
    health: DeviceHealth = form.cleaned_data["health"]
    lifecycle.set_health_for([device.name], health, user=user, reason=form.cleaned_data["reason"])
    messages.success(request, f"The health of {device.name} is {health.label} now.")
    return redirect(device)


def _detail(
    request: HttpRequest, device: Device, form: HealthForm | None = None, *, status: int = 200
) -> HttpResponse:
    context: dict[str, object] = {
        "section": "devices",
        "device": device,
        "jobs": _jobs_of(device, request)[:LAST_JOBS],
        "form": form or HealthForm(initial={"health": device.health, "reason": device.health_reason}),
        "may_change": device.may_be_changed_by(request.user),
    }
    parts = ["devices/head_live.html", "devices/jobs_live.html"]
    response = render_live(request, "devices/detail.html", parts, context)
    response.status_code = status
    return response


def _devices(request: HttpRequest) -> DeviceQuerySet:
    """All devices, each with `jobs_now`: the job that has it, if this user may see it."""
    # Jobs are a package above this one; its model is reached by the relation that it made.
    jobs: Any = Device._meta.get_field("jobs").related_model
    now = Prefetch("jobs", jobs.objects.visible_to(request.user).unfinished(), to_attr="jobs_now")
    devices = Device.objects.visible_to(request.user)
    return devices.select_related("worker").prefetch_related("tags", now)


def _jobs_of(device: Device, request: HttpRequest) -> Any:
    return device.jobs.visible_to(request.user).recent().select_related("submitter")
