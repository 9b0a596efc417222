"""People, groups, tokens and the audit trail in the admin site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts import lifecycle
from accounts.admin_base import (
    Deed,
    HistoryAdmin,
    LabAdmin,
    ModelForm,
    Refused,
    asking,
    named,
    secret_page,
)
from accounts.forms import RemoteTokenForm
from accounts.lifecycle import LastAdministrator
from accounts.models import RemoteToken, Token, digest, make_secret

if TYPE_CHECKING:
    DjangosUserAdmin = auth_admin.UserAdmin[User]
else:
    DjangosUserAdmin = auth_admin.UserAdmin

DEACTIVATE = Deed(
    action="deactivate",
    title="Deactivate",
    consequence="They can no longer log in, and their tokens stop working at once. Their jobs and history stay.",
    button="Deactivate",
)
ACTIVATE = Deed(
    action="activate",
    title="Activate",
    consequence="They can log in again, and their tokens that have not expired work again.",
    button="Activate",
)
REVOKE = Deed(
    action="revoke",
    title="Revoke",
    consequence="Whoever uses one of these is shut out at once. A revoked token does not come back.",
    button="Revoke",
    permission="delete",
)


def actor(request: HttpRequest) -> User:
    """Who does it: the admin site lets nobody in without a login."""
    return cast(User, request.user)


class PeopleAdmin(LabAdmin):
    """Users and groups: nobody gives a right that they lack."""

    REFUSALS: ClassVar = (*LabAdmin.REFUSALS, LastAdministrator)

    def may_manage(self, request: HttpRequest, row: Any) -> bool:
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or self.may_manage(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or self.may_manage(request, obj))

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in ("permissions", "user_permissions"):
            kwargs["queryset"] = lifecycle.permissions_of(actor(request)).select_related("content_type")
        if db_field.name == "groups":
            kwargs["queryset"] = lifecycle.groups_of(actor(request))
        return super().formfield_for_manytomany(db_field, request, **kwargs)


def _activate(page: LabAdmin, request: HttpRequest, users: QuerySet[User], reason: str) -> str:
    return f"Activated: {_set_active(request, users, reason, active=True)}"


def _deactivate(page: LabAdmin, request: HttpRequest, users: QuerySet[User], reason: str) -> str:
    return f"Deactivated: {_set_active(request, users, reason, active=False)}"


def _set_active(request: HttpRequest, users: QuerySet[User], reason: str, *, active: bool) -> str:
    changed = lifecycle.set_active(users, active=active, by=actor(request), reason=reason)
    return named(changed) if changed else "nobody, as it was so already"


class UserAdmin(PeopleAdmin, DjangosUserAdmin):
    list_display = ["username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups"]
    actions = [asking(DEACTIVATE, _deactivate), asking(ACTIVATE, _activate)]
    # The name is what events and histories know somebody by; who may log in is changed by an act with a reason.
    SHOWN: ClassVar = ["username", "last_login", "date_joined", "standing", "tokens_word"]
    fieldsets = (
        (None, {"fields": ("username", "password", "standing", "tokens_word")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "What they may do",
            {
                "fields": ("groups", "is_staff", "is_superuser", "user_permissions"),
                "description": "Groups are given rights on devices and device types. Staff may enter this site, "
                "and there do what their permissions say. A superuser may do everything.",
            },
        ),
        ("When", {"fields": ("last_login", "date_joined")}),
    )

    def may_manage(self, request: HttpRequest, row: User) -> bool:
        return lifecycle.may_manage(actor(request), row)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        shown = [] if obj is None else list(self.SHOWN)
        return shown if request.user.is_superuser else [*shown, "is_superuser"]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if "is_superuser" in form.changed_data:
            lifecycle.keep_an_administrator()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        for user in objs:
            _check_not_needed(user)
        return self.in_numbers(objs, request, {"tokens": Token.objects.filter(user__in=list(objs)).count()})

    def remove(self, pk: Any, *, by: str) -> None:
        user = User.objects.select_for_update().get(pk=pk)
        _check_not_needed(user)
        user.delete()

    @admin.display(description="standing")
    def standing(self, user: User) -> str:
        return "may log in" if user.is_active else "deactivated: no login, and no token of theirs works"

    @admin.display(description="tokens")
    def tokens_word(self, user: User) -> SafeString:
        address = f"{reverse('admin:accounts_token_changelist')}?user__id__exact={user.pk}"
        return format_html('<a href="{}">{}</a>', address, user.tokens.count())


def _check_not_needed(user: User) -> None:
    """Refused for somebody whose name other rows and the audit trail still need."""
    kept = [
        (relation.related_model._base_manager.filter(**{relation.field.name: user}).count(), relation)
        for relation in User._meta.related_objects
        if relation.on_delete is models.PROTECT or relation.related_model is LogEntry
    ]
    held = [
        f"{count} {relation.related_model._meta.verbose_name_plural}" for count, relation in kept if count
    ]
    if held:
        raise Refused(f"{user} is named by {' and '.join(held)}. Deactivate {user} instead.")


class GroupAdmin(PeopleAdmin):
    """The packages above add inlines for what a group may do with their rows."""

    list_display = ["name", "number_of_members"]
    inlines: ClassVar[list[Any]] = []
    fields = ["name", "members", "permissions"]
    readonly_fields = ["members"]
    search_fields = ["name"]
    filter_horizontal = ["permissions"]

    def may_manage(self, request: HttpRequest, row: Group) -> bool:
        return lifecycle.may_manage_group(actor(request), row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(member_count=Count("user"))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        for group in objs:
            self._check_holds_nothing(group)
        members = User.objects.filter(groups__in=list(objs)).distinct().count()
        return self.in_numbers(objs, request, {"members (who stay)": members})

    def remove(self, pk: Any, *, by: str) -> None:
        group = Group.objects.select_for_update().get(pk=pk)
        self._check_holds_nothing(group)
        group.delete()

    def _check_holds_nothing(self, group: Group) -> None:
        rights = sum(inline.model._base_manager.filter(group=group).count() for inline in self.inlines)
        if rights:
            raise Refused(
                f"{group} has {rights} rights on devices and their types, which would be open to all without it. "
                "Take its rights away first."
            )

    @admin.display(description="members", ordering="member_count")
    def number_of_members(self, group: Any) -> int:
        return int(group.member_count)

    @admin.display(description="members")
    def members(self, group: Group) -> SafeString | str:
        if group.pk is None:
            return "Save the group, then add people to it in their own pages."
        users = group.user_set.order_by("username")
        links = ((reverse("admin:auth_user_change", args=[user.pk]), user) for user in users)
        return format_html_join(", ", '<a href="{}">{}</a>', links) or "nobody yet"


admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.register(User, UserAdmin)
admin.site.register(Group, GroupAdmin)


class TokenForm(ModelForm):
    def clean_expires(self) -> Any:
        expires = self.cleaned_data["expires"]
        if expires is not None and "expires" in self.changed_data and expires <= timezone.now():
            raise ValidationError("That is past. To end a token now, revoke it.")
        return expires


def _revoke(page: LabAdmin, request: HttpRequest, tokens: QuerySet[Token], reason: str) -> str:
    ended = list(tokens.select_related("user"))
    lifecycle.revoke(ended, by=actor(request), reason=reason)
    return f"Revoked: {named(ended)}"


class SecretsAdmin(LabAdmin):
    """Of secrets that are somebody's: superusers see and add everybody's, other staff their own.

    Each kind has an action of its own in place of Django's deletion.
    """

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(user=actor(request))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {
            name: each for name, each in super().get_actions(request).items() if name != "delete_selected"
        }

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user" and not request.user.is_superuser:
            kwargs["queryset"] = User.objects.filter(pk=actor(request).pk)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Token)
class TokenAdmin(SecretsAdmin):
    """Superusers make tokens for everybody; other staff for themselves, since a token is as good as its user."""

    form = TokenForm
    formfield_overrides = {
        models.DateTimeField: {
            "form_class": forms.DateTimeField,
            "widget": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
            "help_text": "In the zone of the lab; empty: never.",
        }
    }
    list_display = ["description", "user", "scope", "created", "last_used", "expires"]
    list_display_links = ["description", "user"]
    list_filter = ["scope"]
    list_select_related = ["user"]
    search_fields = ["description", "user__username"]
    actions = [asking(REVOKE, _revoke)]
    fields = ["user", "description", "scope", "expires", "created", "last_used"]

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> list[str]:
        return ["created", "last_used"] if obj is None else ["user", "created", "last_used"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "user__id__exact" or super().lookup_allowed(lookup, value, request)

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


FORGET = Deed(
    action="forget",
    title="Forget",
    consequence="Jobs that begin from now on get the bare name. The other server still takes the token.",
    button="Forget",
    permission="delete",
)


def _forget(page: LabAdmin, request: HttpRequest, tokens: QuerySet[RemoteToken], reason: str) -> str:
    forgotten = list(tokens)
    lifecycle.forget_remote_tokens(forgotten, by=actor(request), reason=reason)
    return f"Forgotten: {named(forgotten)}"


class KeptTokenForm(RemoteTokenForm, ModelForm):
    """Its secret is only ever taken: a row that is there is shown by its name."""


@admin.register(RemoteToken)
class RemoteTokenAdmin(SecretsAdmin):
    """As with tokens for the lab: superusers keep them for everybody, other staff for themselves."""

    list_display = ["name", "user"]
    list_select_related = ["user"]
    search_fields = ["name", "user__username"]
    actions = [asking(FORGET, _forget)]

    def get_form(
        self, request: HttpRequest, obj: RemoteToken | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = {"form": KeptTokenForm} if obj is None else {}
        return super().get_form(request, obj, change=change, **form, **kwargs)

    def get_fields(self, request: HttpRequest, obj: RemoteToken | None = None) -> list[Any]:
        return ["user", "name", "secret"] if obj is None else ["user", "name"]

    def has_change_permission(self, request: HttpRequest, obj: RemoteToken | None = None) -> bool:
        return False


@admin.register(LogEntry)
class AuditAdmin(HistoryAdmin):
    """Who did what. Superusers read all of it; other staff what they did themselves, as it names what is hidden."""

    list_display = ["action_time", "user", "act", "kind", "row", "what"]
    list_display_links = ["action_time"]
    list_filter = [
        "action_flag",
        "action_time",
        ("user", admin.RelatedOnlyFieldListFilter),
        ("content_type", admin.RelatedOnlyFieldListFilter),
    ]
    list_select_related = ["user", "content_type"]
    search_fields = ["=object_id", "object_repr", "change_message", "=user__username"]
    ordering = ["-id"]
    fields = ["action_time", "user", "act", "kind", "row", "what"]
    readonly_fields = ["act", "kind", "row", "what"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        entries = super().get_queryset(request)
        return entries if request.user.is_superuser else entries.filter(user=actor(request))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "title": "Audit trail"})

    @admin.display(description="act", ordering="action_flag")
    def act(self, entry: LogEntry) -> str:
        return entry.get_action_flag_display()

    @admin.display(description="kind")
    def kind(self, entry: LogEntry) -> str:
        return entry.content_type.name if entry.content_type else ""

    @admin.display(description="what it was done to", ordering="object_repr")
    def row(self, entry: LogEntry) -> SafeString | str:
        address = None if entry.is_deletion() else entry.get_admin_url()
        return (
            format_html('<a href="{}">{}</a>', address, entry.object_repr) if address else entry.object_repr
        )

    @admin.display(description="in words")
    def what(self, entry: LogEntry) -> str:
        return entry.get_change_message()
