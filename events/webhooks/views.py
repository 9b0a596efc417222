"""The pages of a user's webhooks: make one, see what was sent and what came back, stop it, send again."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.pages import whole_number
from core.paging import page
from events.webhooks import lifecycle
from events.webhooks.forms import WebhookForm
from events.webhooks.lifecycle import WISHES, WebhookRefused
from events.webhooks.models import Delivery, Webhook

SECTION = "account"
ROWS = 50  # of the log, on a page


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def webhooks(request: HttpRequest) -> HttpResponse:
    """All of a user's; with POST a new one, whose secret is in the answer itself."""
    form = WebhookForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            webhook = lifecycle.add(_user(request), **form.cleaned_data)
        except WebhookRefused as refused:
            form.add_error(None, f"{capfirst(str(refused))}.")
        else:
            return _show(request, webhook, secret=webhook.secret, is_new=True)
    context = {
        "section": SECTION,
        "form": form,
        "webhooks": Webhook.objects.of(_user(request)),
        "most": settings.WEBHOOKS_PER_PERSON,
    }
    return render(request, "events/webhooks.html", context, status=400 if form.is_bound else 200)


@never_cache
@require_safe
@login_required
def webhook(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return _show(request, _find(request, uuid))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change(request: HttpRequest, uuid: UUID) -> HttpResponse:
    found = _find(request, uuid)
    now = {name: getattr(found, name) for name in WISHES}
    form = WebhookForm(request.POST if request.method == "POST" else None, initial=now)
    if not (form.is_bound and form.is_valid()):
        context = {"section": SECTION, "form": form, "webhook": found}
        return render(request, "events/webhook_change.html", context, status=400 if form.is_bound else 200)
    lifecycle.change(found, by=_user(request), **form.cleaned_data)
    messages.success(request, "Changed. What happens from now on is sent by what it says now.")
    return redirect("webhook", uuid)


@require_POST
@login_required
def pause(request: HttpRequest, uuid: UUID) -> HttpResponse:
    lifecycle.pause(_find(request, uuid), by=_user(request))
    messages.success(request, "Paused. What happens meanwhile is sent when you resume it.")
    return redirect("webhook", uuid)


@require_POST
@login_required
def resume(request: HttpRequest, uuid: UUID) -> HttpResponse:
    lifecycle.resume(_find(request, uuid), by=_user(request))
    messages.success(request, "Resumed. It goes on from where it stopped.")
    return redirect("webhook", uuid)


@require_POST
@login_required
def ping(request: HttpRequest, uuid: UUID) -> HttpResponse:
    found = _find(request, uuid)
    return _tell(request, uuid, lambda: lifecycle.ping(found, by=_user(request)))


@require_POST
@login_required
def resend(request: HttpRequest, uuid: UUID, pk: int) -> HttpResponse:
    sent = Delivery.objects.filter(webhook=_find(request, uuid)).select_related("webhook__user")
    delivery = get_object_or_404(sent, pk=pk)
    return _tell(request, uuid, lambda: lifecycle.resend(delivery, by=_user(request)))


@never_cache
@require_POST
@login_required
def secret(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """By POST, so that it is in no history of a browser."""
    found = _find(request, uuid)
    return _show(request, found, secret=found.secret)


@never_cache
@require_POST
@login_required
def new_secret(request: HttpRequest, uuid: UUID) -> HttpResponse:
    renewed = lifecycle.renew_secret(_find(request, uuid), by=_user(request))
    return _show(request, renewed, secret=renewed.secret, is_renewed=True)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete(request: HttpRequest, uuid: UUID) -> HttpResponse:
    found = _find(request, uuid)
    if request.method != "POST":
        return render(request, "events/webhook_delete.html", {"section": SECTION, "webhook": found})
    lifecycle.delete(found, by=_user(request))
    messages.success(request, f"Deleted: {found}. Nothing is sent there any more.")
    return redirect("webhooks")


def _show(request: HttpRequest, found: Webhook, **more: Any) -> HttpResponse:
    log = page(
        Delivery.objects.filter(webhook=found),
        size=ROWS,
        before=whole_number(request.GET.get("before")),
        after=whole_number(request.GET.get("after")),
    )
    context = {"section": SECTION, "webhook": found, "log": log, "kept": Delivery.KEPT, **more}
    return render(request, "events/webhook.html", context)


def _tell(request: HttpRequest, uuid: UUID, send: Any) -> HttpResponse:
    """What came back of something that was sent by hand."""
    try:
        delivery: Delivery = send()
    except WebhookRefused as refused:
        messages.warning(request, f"Nothing was sent: {refused}.")
    else:
        _tell_outcome(request, delivery)
    return redirect("webhook", uuid)


def _tell_outcome(request: HttpRequest, delivery: Delivery) -> None:
    if delivery.is_delivered:
        messages.success(request, f"Sent; it answered {delivery.status}.")
    else:
        messages.warning(request, f"It did not arrive. {delivery.error or f'It answered {delivery.status}.'}")


def _find(request: HttpRequest, uuid: UUID) -> Webhook:
    return get_object_or_404(Webhook.objects.of(_user(request)), uuid=uuid)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)  # the views ask for a login
