"""The pages of a user's own account: what it may do, its tokens, its password."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit, lifecycle
from accounts.forms import RemoteTokenForm, TokenForm
from accounts.models import Token, digest


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    # What groups may do belongs to packages above this one; it is reached by the relations that they made.
    groups = _user(request).groups.order_by("name")
    context = {
        "section": "account",
        "groups": groups.prefetch_related("device_rights", "device_type_rights"),
    }
    return render(request, "accounts/account.html", context)


@method_decorator(require_http_methods(["GET", "HEAD", "POST"]), name="dispatch")
class ChangePassword(PasswordChangeView):
    template_name = "accounts/password.html"
    success_url = reverse_lazy("account")
    extra_context = {"section": "account"}

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            audit.note(form.user, form.user, "Changed the own password")
            response = super().form_valid(form)
        messages.success(
            self.request, "Your password was changed. Other browsers are logged out; tokens go on."
        )
        return response


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def tokens(request: HttpRequest) -> HttpResponse:
    form = TokenForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        return _make(request, form)
    return _show_tokens(request, {"form": form}, status=400 if form.is_bound else 200)


def _make(request: HttpRequest, form: TokenForm) -> HttpResponse:
    """The secret is in the answer itself, so that no session, message or history keeps it."""
    user, scope = _user(request), form.cleaned_data["scope"]
    with transaction.atomic():
        secret = Token.objects.issue(
            user, description=form.cleaned_data["description"], expires=form.expires, scope=scope
        )
        token = Token.objects.get(digest=digest(secret))
        audit.note(user, token, f"Token for {scope.label}", kind=audit.ADDITION)
    return _show_tokens(request, {"form": TokenForm(), "secret": secret, "made": token})


def _show_tokens(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    common = {
        "section": "tokens",
        "tokens": _user(request).tokens.all(),
        "address": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "accounts/tokens.html", common | context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(_user(request).tokens, pk=pk)
    if request.method != "POST":
        return render(request, "accounts/revoke.html", {"section": "tokens", "token": token})
    with transaction.atomic():
        audit.note(_user(request), token, "Revoked", kind=audit.DELETION)
        token.delete()
    messages.success(request, f"Revoked: {token}. Whoever used it is shut out from now on.")
    return redirect("tokens")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remote_tokens(request: HttpRequest) -> HttpResponse:
    """A token is told to nobody who looks here, not even to its owner."""
    user = _user(request)
    form = RemoteTokenForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        name, secret = form.cleaned_data["name"], form.cleaned_data["secret"]
        token, is_new = lifecycle.keep_remote_token(user, name, secret)
        done = "Kept" if is_new else "Replaced"
        messages.success(request, f"{done}: {token}. Jobs that begin from now on get it.")
        return redirect("remote-tokens")
    context = {"section": "tokens", "form": form, "tokens": user.remote_tokens.all()}
    return render(request, "accounts/remote_tokens.html", context, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def forget_remote_token(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(_user(request).remote_tokens, pk=pk)
    if request.method != "POST":
        return render(request, "accounts/forget_remote_token.html", {"section": "tokens", "token": token})
    lifecycle.forget_remote_tokens([token], by=_user(request))
    messages.success(request, f"Forgotten: {token}. At the other server it is still valid.")
    return redirect("remote-tokens")


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)  # the views ask for a login
