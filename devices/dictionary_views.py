"""The page of a device's dictionary: what it means for a worker, where each value comes from, and the text to edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts import audit
from devices import configuration, inventory
from devices.forms import DictionaryForm
from devices.models import Device

LAST_CHANGES = 10


@require_http_methods(["GET", "HEAD", "POST"])
def dictionary(request: HttpRequest, name: str) -> HttpResponse:
    """For who looks after the device, as it may hold passwords; set by who may change all, as it holds commands."""
    visible = Device.objects.visible_to(request.user).select_related("device_type")
    device = get_object_or_404(visible, pk=name)
    user = request.user
    if not isinstance(user, User):
        return redirect_to_login(request.get_full_path())
    inventory.require(user, "change", device)
    if request.method != "POST":
        given = {"dictionary": device.dictionary, "context": request.GET.get("context", "")}
        return _page(request, device, DictionaryForm(given))
    inventory.require(user, "change", device, columns=["dictionary"])
    form = DictionaryForm(request.POST)
    if "check" in request.POST:
        return _page(request, device, form)
    if not form.is_valid() or form.shown(device).faults:
        return _page(request, device, form, status=400)
    inventory.change(device, {"dictionary": form.cleaned_data["dictionary"]}, by=user)
    messages.success(request, f"The dictionary of {device.name} is saved.")
    return redirect(reverse("device-dictionary", args=[device.name]))


def _page(request: HttpRequest, device: Device, form: DictionaryForm, *, status: int = 200) -> HttpResponse:
    context: Mapping[str, Any] = {
        "section": "devices",
        "device": device,
        "form": form,
        "shown": form.shown(device) if form.is_valid() else None,
        "inherited": form.is_valid() and not form.cleaned_data["dictionary"],
        "directories": configuration.directories(),
        "may_set": "dictionary" not in inventory.closed_columns(Device, request.user),  # type: ignore[arg-type]
        "history": audit.of(device)[:LAST_CHANGES],
    }
    return render(request, "devices/dictionary_page.html", context, status=status)
