"""The pages of a user's subscriptions: how far each has got, one more, begin anew, delete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from events import numbering, retention
from events.feed import Lost
from events.models import Subscription
from events.subscriptions import lifecycle
from events.subscriptions.forms import HERE, PlaceForm, SubscriptionForm
from events.subscriptions.lifecycle import SubscriptionRefused

SECTION = "account"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def subscriptions(request: HttpRequest) -> HttpResponse:
    """All of a user's; with POST a new one."""
    form = SubscriptionForm(
        request.POST if request.method == "POST" else None, initial={"days": settings.SUBSCRIPTION_DAYS}
    )
    if form.is_bound and form.is_valid():
        try:
            made = lifecycle.add(_user(request), **form.cleaned_data)
        except SubscriptionRefused as refused:
            form.add_error(None, f"{capfirst(str(refused))}.")
        else:
            messages.success(request, f"Subscribed: {made}. What happens waits until it is fetched.")
            return redirect("subscriptions")
    context = {
        "section": SECTION,
        "form": form,
        "subscriptions": list(_shown(Subscription.objects.of(_user(request)))),
        "most": settings.SUBSCRIPTIONS_PER_PERSON,
    }
    return render(request, "events/subscriptions.html", context, status=400 if form.is_bound else 200)


@require_POST
@login_required
def renew(request: HttpRequest, name: str) -> HttpResponse:
    found, form = _find(request, name), PlaceForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was changed: say from where on it is to begin anew.")
        return redirect("subscriptions")
    since = form.cleaned_data["since"]
    try:
        lifecycle.renew(found, by=_user(request), since=found.sequence if since == HERE else since)
    except Lost as lost:
        messages.error(request, f"Nothing was changed. {lost}")
    else:
        messages.success(request, f"{found} begins anew.")
    return redirect("subscriptions")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete(request: HttpRequest, name: str) -> HttpResponse:
    found = _find(request, name)
    if request.method != "POST":
        context = {
            "section": SECTION,
            "subscription": found,
            "lag": found.lag(numbering.last_number()),
        }
        return render(request, "events/subscription_delete.html", context)
    lifecycle.delete(found, by=_user(request))
    messages.success(request, f"Deleted: {found}.")
    return redirect("subscriptions")


def _shown(rows: Iterable[Subscription]) -> Iterator[dict[str, Any]]:
    last, gone = numbering.last_number(), retention.last_cleared()
    for row in rows:
        is_lost = row.sequence < gone  # whether events after its place are gone
        yield {
            "subscription": row,
            "lag": row.lag(last),
            "is_lost": is_lost,
            "may_go_on": row.is_expired and not is_lost,
            "may_begin_anew": row.is_expired or is_lost,
        }


def _find(request: HttpRequest, name: str) -> Subscription:
    return get_object_or_404(Subscription.objects.of(_user(request)), name=name)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)  # the views ask for a login
