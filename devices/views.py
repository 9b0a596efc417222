"""The pages of the inventory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.db.models import Count, Prefetch, Q
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from accounts import audit
from core.pages import render_live, whole_number
from core.paging import page
from devices import lifecycle
from devices.forms import DeviceFilter, FreeForm, HealthForm, ReasonForm, WorkerHealthForm
from devices.models import Device, DeviceQuerySet, DeviceType, Worker
from devices.page_parts import (
    DEEDS,
    DEEDS_FOR_MANY,
    WORKER_DEEDS,
    Availability,
    DeviceList,
    RightsInWords,
    availability,
    deeds_for,
    deeds_for_worker,
    named,
)
from devices.states import DeviceHealth, DeviceState

LAST_JOBS = 20
CHANGES_OF_PAGE = 10
DEVICES_BESIDE = 50  # on the page of a type or a worker; the list has the others
LAST_DEEDS = 10


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    form = DeviceFilter(request.GET, user=request.user)
    context: dict[str, object] = {"section": "devices", "form": form, "deeds": DEEDS_FOR_MANY}
    if not form.is_valid():
        return render(request, "devices/list.html", context, status=400)
    context["list"] = DeviceList.of(
        _devices(request),
        form.cleaned_data,
        page=whole_number(request.GET.get("page")) or 1,
        changeable=Device.objects.changeable_by(request.user),
    )
    return render_live(request, "devices/list.html", ["devices/list_live.html"], context)


@require_safe
def detail(request: HttpRequest, name: str) -> HttpResponse:
    device = get_object_or_404(_devices(request).select_related("device_type"), pk=name)
    context: dict[str, object] = {
        "section": "devices",
        "device": device,
        "jobs": _jobs_of(device, request),
        "deeds": deeds_for(device),
        "may_change": device.may_be_changed_by(request.user),
        "may_reserve": _may_reserve(request, pk=name),
        "closed_by": _job(device.closed_by, request),
        "last_check": _job(device.last_check, request),
        "rights": RightsInWords.of(device.device_type, device),
        "history": page(
            device.health_changes.all(),
            size=CHANGES_OF_PAGE,
            before=whole_number(request.GET.get("before")),
            after=whole_number(request.GET.get("after")),
        ),
    }
    parts = [f"devices/{part}_live.html" for part in ("head", "deeds", "jobs", "history")]
    return render_live(request, "devices/detail.html", parts, context)


@require_POST
def change_health(request: HttpRequest, name: str) -> HttpResponse:
    device = get_object_or_404(Device.objects.visible_to(request.user), pk=name)
    return _change_health(request, [device.name], back=device.get_absolute_url())


@require_POST
def free(request: HttpRequest, name: str) -> HttpResponse:
    return _act(request, name, FreeForm, lifecycle.free_for, done="Freed: {}.", undone="{} stays closed: {}")


@require_POST
def check(request: HttpRequest, name: str) -> HttpResponse:
    done, undone = "{} is checked before it gets any other job.", "{} is not checked: {}"
    return _act(request, name, ReasonForm, lifecycle.check_for, done=done, undone=undone)


def _act(
    request: HttpRequest,
    name: str,
    form_of_reason: type[Form],
    verb: Callable[..., Device],
    *,
    done: str,
    undone: str,
) -> HttpResponse:
    """Do it to one device, for a reason. `done` is told with its name, `undone` with what is wrong with the form too."""
    device = get_object_or_404(Device.objects.visible_to(request.user), pk=name)
    if not isinstance(request.user, User):
        return redirect_to_login(device.get_absolute_url())
    lifecycle.require_right([name], user=request.user)
    form = form_of_reason(request.POST)
    if not form.is_valid():
        messages.warning(request, undone.format(name, form.errors["reason"][0]))
        return redirect(device)
    try:
        verb(name, user=request.user, reason=form.cleaned_data["reason"])
    except (lifecycle.DeviceBusy, lifecycle.NoHealthCheck) as refused:
        messages.warning(request, f"{capfirst(str(refused))}.")
    else:
        messages.success(request, done.format(name))
    return redirect(device)


@require_POST
def change_health_of_many(request: HttpRequest) -> HttpResponse:
    """The address has the filters of the list, to which it leads back."""
    query = request.GET.urlencode()
    back = reverse("devices") + (f"?{query}" if query else "")
    return _change_health(request, request.POST.getlist("device"), back=back)


def _change_health(request: HttpRequest, names: list[str], *, back: str) -> HttpResponse:
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(back)
    form = HealthForm(request.POST, names=names)
    if not form.is_valid():
        return _ask(request, user, form, back, status=400)
    if form.asks_first:
        return _ask(request, user, form, back)
    health, reason = form.cleaned_data["health"], form.cleaned_data["reason"]
    try:
        devices = lifecycle.set_health_for(names, health, user=user, reason=reason)
    except lifecycle.NoHealthCheck as refused:
        messages.warning(request, f"Nothing was changed: {refused}.")
        return redirect(back)
    except Device.DoesNotExist as missing:
        form.add_error(None, f"{capfirst(str(missing))}.")
        return _ask(request, user, form, back, status=404)
    messages.success(request, f"{DEEDS[health].done}: {named(devices)}.")
    return redirect(back)


def _ask(request: HttpRequest, user: User, form: HealthForm, back: str, *, status: int = 200) -> HttpResponse:
    """Before a job is ended, or when something was not understood: nothing has been changed yet."""
    devices = list(_devices(request).filter(pk__in=form.plain_names))
    lifecycle.require_right([device.pk for device in devices], user=user)
    health: DeviceHealth | None = form.cleaned_data.get("health")
    deed = None if health is None else DEEDS[health]
    context = {
        "section": "devices",
        "form": form,
        "devices": devices,
        "deeds": DEEDS_FOR_MANY if deed is None else [deed],
        "deed": deed,
        "back": back,
        "query": request.GET.urlencode(),
    }
    return render(request, "devices/ask.html", context, status=status)


@require_safe
def device_types(request: HttpRequest) -> HttpResponse:
    types = DeviceType.objects.visible_to(request.user).filter(display=True).prefetch_related("aliases")
    found = _availability(request)
    context: dict[str, object] = {
        "section": "device-types",
        "types": [(each, found.get(each.pk, Availability())) for each in types],
    }
    return render_live(request, "device_types/list.html", ["device_types/list_live.html"], context)


@require_safe
def device_type(request: HttpRequest, name: str) -> HttpResponse:
    found = get_object_or_404(DeviceType.objects.visible_to(request.user), pk=name)
    jobs = _jobs().visible_to(request.user).filter(device_type=found)
    context: dict[str, object] = {
        "section": "device-types",
        "type": found,
        "availability": _availability(request, found).get(found.pk, Availability()),
        "devices": _first(_devices(request).filter(device_type=found)),
        "jobs": jobs.recent().for_lists()[:LAST_JOBS],
        "may_change": found.may_be_changed_by(request.user),
        "may_reserve": _may_reserve(request, device_type=found),
        "rights": RightsInWords.of(found),
    }
    parts = [f"device_types/{part}_live.html" for part in ("head", "devices", "jobs")]
    return render_live(request, "device_types/detail.html", parts, context)


@require_safe
def workers(request: HttpRequest) -> HttpResponse:
    context: dict[str, object] = {"section": "workers", "workers": _workers(request)}
    return render_live(request, "workers/list.html", ["workers/list_live.html"], context)


@require_safe
def worker(request: HttpRequest, name: str) -> HttpResponse:
    found: Worker = get_object_or_404(_workers(request), pk=name)
    may_change = request.user.has_perm("devices.change_worker")
    context: dict[str, object] = {
        "section": "workers",
        "worker": found,
        "devices": _first(_devices(request).filter(worker=found)),
        "deeds": deeds_for_worker(found),
        "may_change": may_change,
        "history": audit.of(found)[:LAST_DEEDS] if may_change else [],
    }
    parts = [f"workers/{part}_live.html" for part in ("head", "deeds", "devices")]
    return render_live(request, "workers/detail.html", parts, context)


@require_POST
def change_worker_health(request: HttpRequest, name: str) -> HttpResponse:
    found = get_object_or_404(Worker, pk=name)
    if not isinstance(request.user, User):
        return redirect_to_login(found.get_absolute_url())
    lifecycle.require_right_on_workers(request.user)
    form = WorkerHealthForm(request.POST)
    if not form.is_valid():
        return render(request, "workers/refused.html", {"worker": found, "form": form}, status=400)
    health, reason = form.cleaned_data["health"], form.cleaned_data["reason"]
    lifecycle.set_worker_health_for(found.name, health, user=request.user, reason=reason)
    messages.success(request, f"{WORKER_DEEDS[health].done}: {found.name}.")
    return redirect(found)


def _devices(request: HttpRequest) -> DeviceQuerySet:
    """All devices, each with `jobs_now`: the job that has it, if this user may see it."""
    jobs = _jobs().visible_to(request.user).unfinished().for_lists()
    devices = Device.objects.visible_to(request.user).select_related("worker")
    return devices.prefetch_related("tags", Prefetch("jobs", jobs, to_attr="jobs_now"))


def _first(devices: DeviceQuerySet) -> DeviceQuerySet:
    """Those in service, the most urgent first, and one more than are shown."""
    return devices.in_service().by_urgency().defer("dictionary")[: DEVICES_BESIDE + 1]


def _workers(request: HttpRequest) -> Any:
    """With `device_count` and `busy_count`, of the devices that this user sees."""
    seen = Q(devices__in=Device.objects.visible_to(request.user).in_service())
    busy = seen & Q(devices__state__in=[DeviceState.RESERVED, DeviceState.RUNNING])
    return Worker.objects.annotate(
        device_count=Count("devices", filter=seen), busy_count=Count("devices", filter=busy)
    )


def _availability(request: HttpRequest, of: DeviceType | None = None) -> dict[str, Availability]:
    devices, jobs = Device.objects.visible_to(request.user), _jobs().visible_to(request.user)
    if of is not None:
        devices, jobs = devices.filter(device_type=of), jobs.filter(device_type=of)
    return availability(devices, jobs)


def _jobs_of(device: Device, request: HttpRequest) -> list[Any]:
    jobs = device.jobs.visible_to(request.user).recent()
    return list(jobs.for_lists()[:LAST_JOBS])


def _job(pk: int | None, request: HttpRequest) -> Any:
    """The job of this number; None if there is none, or if it is hidden from this user."""
    return pk and _jobs().visible_to(request.user).filter(pk=pk).for_lists().first()


def _may_reserve(request: HttpRequest, **devices: Any) -> bool:
    if not settings.RESERVATION_LIMIT:
        return False
    return Device.objects.open_to(request.user).in_service().filter(**devices).exists()


def _jobs() -> Any:
    # Jobs are a package above this one; its model is reached by the relation that it made.
    jobs: Any = Device._meta.get_field("jobs").related_model
    return jobs.objects
