"""Users' tokens in the admin site, and what the pages of the other packages there share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.models import Token, digest, make_secret

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    ModelForm = forms.ModelForm[Any]
else:
    # Django's own classes take type parameters in the type checker only.
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline
    ModelForm = forms.ModelForm


def secret_page(
    model_admin: ModelAdmin, request: HttpRequest, of: models.Model, secret: str, *, use: str
) -> TemplateResponse:
    """A new secret, shown this once: in the answer itself, so that no message store or history keeps it."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"New token: {of}",
        "opts": model_admin.opts,
        "secret": secret,
        "use": use,
    }
    return TemplateResponse(request, "admin/secret.html", context)


class ReadOnlyAdmin(ModelAdmin):
    """For what only the lab itself writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Token)
class TokenAdmin(ModelAdmin):
    """Superusers make tokens for everybody; other staff for themselves, since a token is as good as its user."""

    list_display = ["description", "user", "created", "last_used", "expires"]
    list_display_links = ["description", "user"]
    list_select_related = ["user"]
    search_fields = ["description", "user__username"]
    show_full_result_count = False
    fields = ["user", "description", "expires", "created", "last_used"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        tokens = super().get_queryset(request)
        return tokens if request.user.is_superuser else tokens.filter(user=request.user)

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> list[str]:
        return ["created", "last_used"] if obj is None else ["user", "created", "last_used"]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user" and not request.user.is_superuser:
            kwargs["queryset"] = User.objects.filter(username=request.user.get_username())
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        if not change:
            obj.digest = digest(make_secret())  # nobody's; `response_add` gives it the one that is shown
        obj.save()

    def response_add(
        self, request: HttpRequest, obj: Token, post_url_continue: str | None = None
    ) -> HttpResponse:
        secret = make_secret()
        obj.digest = digest(secret)
        obj.save(update_fields=["digest"])
        return secret_page(self, request, obj, secret, use=f"Authorization: Token {secret}")
