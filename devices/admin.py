"""The inventory in the admin site. States and health are words here; what changes them are the verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import connection, models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from accounts.admin import ModelAdmin, ModelForm, secret_page
from core import yaml
from core.looks import Look
from core.templatetags.lab import status
from devices import lifecycle, looks
from devices.lifecycle import StillInUse
from devices.models import Device, DeviceType, Tag, Worker
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from events.announced import AnnouncedModel
from events.outbox import Cause

MOST_AT_ONCE = 500  # what is chosen goes through the browser and back, name by name
NAMED_AT_MOST = 5
NEW_DEVICE_HEALTH = (DeviceHealth.MAINTENANCE, DeviceHealth.GOOD)
WORKERS_TOKEN = (
    "Give it to the worker in place of its old one: in the token file of lava-worker, or, for the built-in worker, "
    "in worker/token in the data directory."
)


class Refused(Exception):
    """Something that is not done; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """An action that is asked about on a page of its own, where a reason is given."""

    action: str  # its name in the admin site
    question: str
    consequence: str
    button: str
    asks_reason: bool = True


class ReasonForm(forms.Form):
    reason = forms.CharField(
        required=False, max_length=500, widget=AdminTextInputWidget(attrs={"autocomplete": "off"})
    )


class LabAdmin(ModelAdmin):
    """An admin page whose changes are whole, and whose refusals are words."""

    list_per_page = 100
    show_full_result_count = False
    change_form_template = "admin/lab_change_form.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With POST: an action, for all that are chosen or for none."""
        if request.method != "POST":
            return super().changelist_view(request, extra_context)
        try:
            with transaction.atomic():
                return super().changelist_view(request, extra_context)
        except (StillInUse, Refused) as refused:
            return self._refuse(request, str(refused), request.get_full_path())
        except ObjectDoesNotExist:
            return self._refuse(request, "One of them is gone meanwhile.", request.get_full_path())

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), "deeds": self._deeds(request)}
        )

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except (StillInUse, Refused) as refused:
            return self._refuse(request, str(refused), self._address("change", object_id))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Locked from the look to the save: what was checked is what is changed."""
        found = super().get_object(request, object_id, from_field)
        may_change = request.method == "POST" and connection.in_atomic_block
        if found is None or not may_change or not issubclass(self.model, AnnouncedModel):
            return found
        return self.model._default_manager.select_for_update(of=("self",)).filter(pk=found.pk).first()

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        self.delete_queryset(request, self.model._default_manager.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for pk in list(queryset.order_by("pk").values_list("pk", flat=True)):
            self.remove(pk, by=request.user.get_username())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        check_number(objs)
        return super().get_deleted_objects(objs, request)

    def remove(self, pk: Any, *, by: str) -> None:
        """Delete one row, inside a transaction. StillInUse if that would harm what depends on it."""
        row = self.model.objects.lock(pk)
        row.tell(f"{self.opts.model_name}.deleted", cause=Cause(kind="user", actor=by))
        row.delete()

    def look_of(self, row: Any) -> Look | None:
        """What the page that asks about a deed shows beside the row's name."""
        return None

    def ask(
        self, request: HttpRequest, queryset: QuerySet[Any], deed: Deed, form: ReasonForm
    ) -> TemplateResponse:
        check_number(queryset)
        context = {
            **self.admin_site.each_context(request),
            "title": deed.question,
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


def confirmed(request: HttpRequest) -> ReasonForm:
    """The form of the page that asks; bound when it comes back from there."""
    return ReasonForm(request.POST if "confirmed" in request.POST else None)


def check_number(rows: Any) -> None:
    number = len(rows)
    if number > MOST_AT_ONCE:
        raise Refused(f"{number} were chosen; choose at most {MOST_AT_ONCE} at once.")


def named(rows: Sequence[object]) -> str:
    """`qemu01, qemu02`, or how many there are. For the end of a message: its first letter is made a capital."""
    return ", ".join(map(str, rows)) if len(rows) <= NAMED_AT_MOST else f"{len(rows)} in all"


def check_dictionary(text: str) -> str:
    """The text of a YAML mapping, or nothing. ValidationError says what and where it is wrong."""
    try:
        value = yaml.load(text)
    except yaml.YAMLError as error:
        raise ValidationError(f"Not valid YAML: {error}") from error
    if value is not None and not isinstance(value, dict):
        raise ValidationError("Expected a mapping, for example “executor: shell”.")
    return text


class DictionaryForm(ModelForm):
    def clean_dictionary(self) -> str:
        return check_dictionary(self.cleaned_data["dictionary"])


class DeviceForm(DictionaryForm):
    FIXED_WHILE_BUSY: ClassVar = ("device_type", "worker")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        state = DeviceState(self.instance.state)
        if state != DeviceState.IDLE:
            for name in sorted(set(self.FIXED_WHILE_BUSY) & set(self.changed_data)):
                self.add_error(name, f"The device is {state.label}; this can be changed when it is idle.")
        return cleaned


@admin.register(Device)
class DeviceAdmin(LabAdmin):
    form = DeviceForm
    list_display = ["name", "health_word", "health_reason", "state_word", "device_type_name", "worker_word"]
    list_filter = ["health", "state", "device_type", "worker", "tags"]
    list_select_related = ["worker"]
    search_fields = ["name", "health_reason"]
    filter_horizontal = ["tags"]
    actions = ["maintenance", "good", "retire"]
    EDITED: ClassVar = ["device_type", "worker", "tags", "description", "dictionary"]
    SHOWN: ClassVar = ["health_word", "health_reason", "health_by", "health_since", "state_word", "last_used"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        return super().get_queryset(request).defer("dictionary", "worker__description")

    def get_fields(self, request: HttpRequest, obj: Device | None = None) -> list[Any]:
        return ["name", *(["health"] if obj is None else self.SHOWN), *self.EDITED]

    def get_readonly_fields(self, request: HttpRequest, obj: Device | None = None) -> list[str]:
        return [] if obj is None else ["name", *self.SHOWN]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "health":
            kwargs["choices"] = [(health.value, health.label) for health in NEW_DEVICE_HEALTH]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Device, form: Any, change: bool) -> None:
        if not change:
            obj.health_by = request.user.get_username()
            obj.tell("device.added", cause=Cause(kind="user", actor=obj.health_by))
        obj.save()

    def look_of(self, row: Device) -> Look:
        return looks.of_health(row)

    @admin.action(permissions=["change"], description="Take out for maintenance")
    def maintenance(self, request: HttpRequest, queryset: QuerySet[Device]) -> TemplateResponse | None:
        deed = Deed(
            action="maintenance",
            question="Take out for maintenance?",
            consequence="A job on a device goes on; no new one is given to it.",
            button="Take out",
        )
        return self._change_health(request, queryset, deed, lifecycle.maintenance)

    @admin.action(permissions=["change"], description="Bring back as good")
    def good(self, request: HttpRequest, queryset: QuerySet[Device]) -> TemplateResponse | None:
        deed = Deed(
            action="good",
            question="Bring back as good?",
            consequence="Jobs are given to it again.",
            button="Bring back",
        )
        return self._change_health(request, queryset, deed, lifecycle.good)

    @admin.action(permissions=["change"], description="Retire")
    def retire(self, request: HttpRequest, queryset: QuerySet[Device]) -> TemplateResponse | None:
        deed = Deed(
            action="retire",
            question="Retire?",
            consequence="A job on a device is canceled, and no new one is given to it. Its history stays.",
            button="Retire",
        )
        return self._change_health(request, queryset, deed, lifecycle.retire)

    def _change_health(
        self,
        request: HttpRequest,
        queryset: QuerySet[Device],
        deed: Deed,
        verb: Callable[..., Device],
    ) -> TemplateResponse | None:
        form = confirmed(request)
        if not form.is_valid():
            return self.ask(request, queryset, deed, form)
        names = list(queryset.values_list("pk", flat=True))
        by, reason = request.user.get_username(), form.cleaned_data["reason"]
        devices = lifecycle.set_health_of_many(names, verb, by=by, reason=reason)
        for device in devices:
            self.log_change(request, device, f"{deed.question.rstrip('?')}: {reason or 'no reason given'}")
        self.message_user(request, f"{_health_now(devices)} now: {named(devices)}", messages.SUCCESS)
        return None

    @admin.display(description="health", ordering="health")
    def health_word(self, device: Device) -> SafeString:
        return status(looks.of_health(device))

    @admin.display(description="state", ordering="state")
    def state_word(self, device: Device) -> SafeString:
        return status(looks.of_state(device))

    @admin.display(description="device type", ordering="device_type")
    def device_type_name(self, device: Device) -> str:
        return device.device_type_id

    @admin.display(description="worker", ordering="worker")
    def worker_word(self, device: Device) -> str | SafeString:
        if device.worker is None or looks.of_worker(device.worker) is not looks.ONLINE:
            return status(looks.of_worker(device.worker))
        return device.worker.name


def _health_now(devices: Iterable[Device]) -> str:
    return ", ".join(sorted({DeviceHealth(device.health).label for device in devices}))


@admin.register(DeviceType)
class DeviceTypeAdmin(LabAdmin):
    form = DictionaryForm
    list_display = ["name", "description", "display"]
    search_fields = ["name"]
    fields = ["name", "description", "display", "dictionary"]

    def get_readonly_fields(self, request: HttpRequest, obj: DeviceType | None = None) -> list[str]:
        return [] if obj is None else ["name"]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        for device_type in objs:
            _check_unused(device_type)
        return super().get_deleted_objects(objs, request)

    def remove(self, pk: Any, *, by: str) -> None:
        device_type = DeviceType.objects.select_for_update().get(pk=pk)
        _check_unused(device_type)
        device_type.delete()


def _check_unused(device_type: DeviceType) -> None:
    # Django would list every job of the type here; there may be a hundred thousand.
    devices, jobs = device_type.devices.count(), device_type.jobs.count()
    if devices or jobs:
        raise StillInUse(
            f"device type {device_type.name} has {devices} devices and {jobs} jobs. Retire the devices instead, "
            "and switch off the type's “display”."
        )


@admin.register(Worker)
class WorkerAdmin(LabAdmin):
    list_display = ["name", "state_word", "health_word", "version", "last_ping", "job_limit"]
    list_filter = ["state", "health"]
    search_fields = ["name"]
    actions = ["new_token"]
    EDITED: ClassVar = ["description", "health", "job_limit"]
    SHOWN: ClassVar = ["state_word", "version", "last_ping"]

    def get_fields(self, request: HttpRequest, obj: Worker | None = None) -> list[Any]:
        return ["name", *([] if obj is None else self.SHOWN), *self.EDITED]

    def get_readonly_fields(self, request: HttpRequest, obj: Worker | None = None) -> list[str]:
        return [] if obj is None else ["name", *self.SHOWN]

    def save_model(self, request: HttpRequest, obj: Worker, form: Any, change: bool) -> None:
        cause = Cause(kind="user", actor=request.user.get_username())
        if not change:
            obj.tell("worker.added", cause=cause)
        elif "health" in form.changed_data:
            obj.tell("worker.changed", cause=cause)
        obj.save()

    def response_add(
        self, request: HttpRequest, obj: Worker, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._token_page(request, obj)

    def look_of(self, row: Worker) -> Look:
        return looks.of_worker(row)

    @admin.action(permissions=["change"], description="Make a new token")
    def new_token(self, request: HttpRequest, queryset: QuerySet[Worker]) -> TemplateResponse:
        deed = Deed(
            action="new_token",
            question="Make a new token?",
            consequence="The old one ends at once; the worker is shut out until it has the new one.",
            button="Make it",
            asks_reason=False,
        )
        if len(queryset) != 1:
            raise Refused("choose one worker; each needs a token of its own.")
        form = confirmed(request)
        if not form.is_valid():
            return self.ask(request, queryset, deed, form)
        worker: Worker = Worker.objects.lock(queryset[0].pk)
        self.log_change(request, worker, "Made a new token")
        return self._token_page(request, worker)

    def _token_page(self, request: HttpRequest, worker: Worker) -> TemplateResponse:
        secret = worker.new_token()
        worker.save()
        return secret_page(self, request, worker, secret, use=WORKERS_TOKEN)

    @admin.display(description="state", ordering="state")
    def state_word(self, worker: Worker) -> SafeString:
        return status(looks.ONLINE if worker.state == WorkerState.ONLINE else looks.OFFLINE)

    @admin.display(description="health", ordering="health")
    def health_word(self, worker: Worker) -> SafeString:
        return status(WORKER_HEALTH[WorkerHealth(worker.health)])


WORKER_HEALTH = {
    WorkerHealth.ACTIVE: Look(word="Active", icon="good", tone="good"),
    WorkerHealth.MAINTENANCE: looks.WORKER_MAINTENANCE,
    WorkerHealth.RETIRED: looks.WORKER_RETIRED,
}


@admin.register(Tag)
class TagAdmin(LabAdmin):
    list_display = ["name", "description"]
    search_fields = ["name"]
    fields = ["name", "description"]

    def get_readonly_fields(self, request: HttpRequest, obj: Tag | None = None) -> list[str]:
        return [] if obj is None else ["name"]

    def remove(self, pk: Any, *, by: str) -> None:
        tag = Tag.objects.select_for_update().get(pk=pk)
        # Without the tag, a waiting job would be given a device that it cannot use.
        if waiting := tag.jobs.queued().count():
            raise StillInUse(f"{waiting} waiting jobs ask for {tag.name}; cancel them or wait for their end.")
        tag.delete()
