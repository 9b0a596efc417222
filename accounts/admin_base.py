"""What all pages of the admin site have in common: acts are asked about, whole, and refused in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core import paginator
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import digest
from accounts.rights import NotAllowed
from core.looks import Look
from core.paging import stretch

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    StackedInline = admin.StackedInline[Any, Any]
    BaseTabularInline = admin.TabularInline[Any, Any]
    BaseInlineFormSet = forms.BaseInlineFormSet[Any, Any, Any]
    BasePaginator = paginator.Paginator[Any]
    ModelForm = forms.ModelForm[Any]
else:
    # Django's own classes take type parameters in the type checker only.
    ModelAdmin = admin.ModelAdmin
    StackedInline = admin.StackedInline
    BaseTabularInline = admin.TabularInline
    BaseInlineFormSet = forms.BaseInlineFormSet
    BasePaginator = paginator.Paginator
    ModelForm = forms.ModelForm

MOST_AT_ONCE = 500  # what is chosen goes through the browser and back, name by name
NAMED_AT_MOST = 5


class Refused(Exception):
    """Something that is not done; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """An action that is asked about on a page of its own, where a reason is given."""

    action: str  # its name in the admin site
    title: str
    consequence: str
    button: str
    asks_reason: bool = True
    permission: str = "change"


# Does it to all that are chosen, for a reason and with what else its form asks for, by name; returns what to tell, or a page.
Act = Callable[..., str | HttpResponse]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=500,
        widget=AdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Shown beside the new state, and told with its event.",
    )


class _Seen(forms.CharField):
    """A mark of the values that the form was opened with; nobody changes it."""

    widget = forms.HiddenInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class OpenedForm(ModelForm):
    """Refuses to save over what somebody else saved while it was open. The page's fields must name `seen`."""

    seen = _Seen(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        values = {name: _plain(value) for name, value in self.initial.items()}
        self.fields["seen"].initial = digest(repr(sorted(values.items())))

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if (seen := self.cleaned_data.get("seen")) and seen != self.fields["seen"].initial:
            raise ValidationError(
                "Somebody else changed this while you had it open. Nothing was saved; open it anew to see theirs."
            )
        return cleaned


def _plain(value: Any) -> Any:
    """Rows of a many-to-many field by their keys."""
    return sorted(row.pk for row in value) if isinstance(value, list) else value


class NamedFields(BaseInlineFormSet):
    """A table has its labels in its head, where screen readers do not look for those of a field."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for bound in form:
            widget = bound.field.widget
            # What adds the links beside a choice of rows has the choice itself inside.
            getattr(widget, "widget", widget).attrs["aria-label"] = bound.label


class TabularInline(BaseTabularInline):
    formset = NamedFields


class NearerEnd(BasePaginator):
    """Finds a page as keys first, from the nearer end of the list: the last one costs what the first one does."""

    def page(self, number: Any) -> Any:
        number = self.validate_number(number)
        rows: Any = self.object_list
        keys = rows.values_list("pk", flat=True)
        found = stretch(keys, self.per_page * (number - 1), self.per_page, count=self.count)
        return paginator.Page(rows.filter(pk__in=found), number, self)


class LabAdmin(ModelAdmin):
    """A page whose changes are whole, and whose refusals are words."""

    REFUSALS: ClassVar[tuple[type[Exception], ...]] = (Refused, NotAllowed)

    list_per_page = 50
    paginator = NearerEnd
    show_full_result_count = False
    change_form_template = "admin/lab_change_form.html"

    def action_checkbox(self, obj: models.Model) -> SafeString:
        """As Django's, which writes it by a form and a template for each row."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="Choose {}">',
            ACTION_CHECKBOX_NAME,
            obj.pk,
            obj,
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With POST: an action, for all that are chosen or for none."""
        if request.method != "POST":
            return super().changelist_view(request, extra_context)
        try:
            with transaction.atomic():
                return super().changelist_view(request, extra_context)
        except self.REFUSALS as refused:
            return self._refuse(request, str(refused), request.get_full_path())
        except ObjectDoesNotExist:
            return self._refuse(request, "One of them is gone meanwhile.", request.get_full_path())

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """No row has NUL in its key, and PostgreSQL refuses to be asked for one."""
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = {**(extra_context or {}), "deeds": self._deeds(request)}
        try:
            return super().changeform_view(request, object_id, form_url, context)
        except self.REFUSALS as refused:
            return self._refuse(request, str(refused), request.get_full_path())

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except self.REFUSALS as refused:
            return self._refuse(request, str(refused), self._address("change", object_id))

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        self.delete_queryset(request, self.model._default_manager.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for pk in list(queryset.order_by("pk").values_list("pk", flat=True)):
            self.remove(pk, by=request.user.get_username())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        check_number(objs)
        return super().get_deleted_objects(objs, request)

    def in_numbers(self, objs: Any, request: HttpRequest, numbers: dict[str, int]) -> Any:
        """What `get_deleted_objects` returns where the single rows that go with these would be too many to list."""
        check_number(objs)
        allowed = all(self.has_delete_permission(request, each) for each in objs)
        what = {str(self.opts.verbose_name_plural): len(objs), **numbers}
        return [str(each) for each in objs], what, set() if allowed else {self.opts.verbose_name}, []

    def remove(self, pk: Any, *, by: str) -> None:
        """Delete one row, inside a transaction. One of REFUSALS if that would harm what depends on it."""
        self.model._default_manager.select_for_update(of=("self",)).get(pk=pk).delete()

    def look_of(self, row: Any) -> Look | None:
        """What the page that asks about a deed shows beside the row's name."""
        return None

    def ask(
        self, request: HttpRequest, queryset: QuerySet[Any], deed: Deed, form: ReasonForm
    ) -> TemplateResponse:
        check_number(queryset)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{deed.title}?",
            "opts": self.opts,
            "deed": deed,
            "form": form,
            "rows": [(row, self.look_of(row)) for row in queryset],
        }
        return TemplateResponse(request, "admin/ask.html", context)

    def _deeds(self, request: HttpRequest) -> list[tuple[str, str]]:
        """The actions that a row's own page offers as buttons."""
        return [choice for choice in self.get_action_choices(request, []) if choice[0] != "delete_selected"]

    def _refuse(self, request: HttpRequest, text: str, address: str) -> HttpResponse:
        self.message_user(request, f"Nothing was changed: {text}", messages.ERROR)
        return redirect(address)

    def _address(self, page: str, object_id: str) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}"
        return str(redirect(name, quote(object_id)).url)


class WordFilter(admin.SimpleListFilter):
    """By a column of a few known words. Django would read the table from end to end for those that are in it."""

    words: ClassVar[Sequence[str]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in self.words]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class ReadOnlyAdmin(ModelAdmin):
    """For what only the lab itself writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class HistoryAdmin(ReadOnlyAdmin):
    """For what has happened: it stays as it was written."""

    list_per_page = 50
    paginator = NearerEnd
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def asking(deed: Deed, act: Act, form_of: type[ReasonForm] = ReasonForm) -> Any:
    """The admin action that asks first, and then acts."""

    @admin.action(permissions=[deed.permission], description=deed.title)
    def run(page: LabAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        form = form_of(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return page.ask(request, queryset, deed, form)
        more = {name: value for name, value in form.cleaned_data.items() if name != "reason"}
        answer = act(page, request, queryset, form.cleaned_data["reason"], **more)
        if isinstance(answer, HttpResponse):
            return answer
        page.message_user(request, answer, messages.SUCCESS)
        return None

    run.__name__ = deed.action
    return run


def check_number(rows: Any) -> None:
    number = len(rows)
    if number > MOST_AT_ONCE:
        raise Refused(f"{number} were chosen; choose at most {MOST_AT_ONCE} at once.")


def named(rows: Sequence[object]) -> str:
    """`qemu01, qemu02`, or how many there are. For the end of a message: its first letter is made a capital."""
    return ", ".join(map(str, rows)) if len(rows) <= NAMED_AT_MOST else f"{len(rows)} in all"


def secret_page(
    model_admin: ModelAdmin, request: HttpRequest, of: models.Model, secret: str, *, use: str, ready: str = ""
) -> TemplateResponse:
    """A new secret, shown this once: in the answer itself, so that no message store or history keeps it.

    `ready`: what can be copied as it is to where the secret is used.
    """
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"New token: {of}",
        "opts": model_admin.opts,
        "secret": secret,
        "use": use,
        "ready": ready,
    }
    return TemplateResponse(request, "admin/secret.html", context)
