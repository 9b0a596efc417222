"""The inventory in the admin site. States and health are words here; what changes them are the verbs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from accounts import audit
from accounts.admin import GroupAdmin, actor
from accounts.admin_base import (
    Act,
    Deed,
    HistoryAdmin,
    LabAdmin,
    ModelForm,
    OpenedForm,
    Refused,
    TabularInline,
    asking,
    named,
    secret_page,
)
from core.looks import Look
from core.templatetags.lab import status
from devices import configuration, health, inventory, lifecycle, looks, worker_files
from devices.dictionary import InvalidDictionary
from devices.lifecycle import DeviceBusy, NoHealthCheck, StillInUse
from devices.models import (
    Alias,
    Device,
    DeviceRight,
    DeviceType,
    DeviceTypeRight,
    HealthChange,
    Tag,
    Worker,
)
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from devices.worker_files import FILES, InvalidFile
from events.announced import AnnouncedModel
from events.outbox import Cause

NEW_DEVICE_HEALTH = (DeviceHealth.MAINTENANCE, DeviceHealth.UNKNOWN, DeviceHealth.GOOD)
WORKERS_TOKEN = (
    "Give it to the worker in place of its old one: for Debian's lava-worker, in /etc/lava-dispatcher/lava-worker, as "
    "below; for the built-in worker, in worker/token in the data directory."
)
# What Debian's package reads, and the same for who starts it by hand.
WORKER_SETTINGS = """\
WORKER_NAME="--name {name}"
URL="{url}"
TOKEN="--token {token}"

# or, as root: lava-worker --name {name} --url {url} --token {token}"""
RULE = (
    "a right to view or submit that no group has is everybody's; given to a group, it is that group's alone"
)
WORKER_HEALTH = {
    WorkerHealth.ACTIVE: Look(word="Active", icon="good", tone="good"),
    WorkerHealth.MAINTENANCE: looks.WORKER_MAINTENANCE,
    WorkerHealth.RETIRED: looks.WORKER_RETIRED,
}


class InventoryAdmin(LabAdmin):
    """Rows that others still need are kept, and those whose state is told are locked while they change."""

    REFUSALS: ClassVar = (*LabAdmin.REFUSALS, StillInUse, DeviceBusy, NoHealthCheck)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Locked from the look to the save: what was checked is what is changed."""
        found = super().get_object(request, object_id, from_field)
        may_change = request.method == "POST" and connection.in_atomic_block
        if found is None or not may_change or not issubclass(self.model, AnnouncedModel):
            return found
        return self.model._default_manager.select_for_update(of=("self",)).filter(pk=found.pk).first()

    def remove(self, pk: Any, *, by: str) -> None:
        row = self.model.objects.lock(pk)
        row.tell(f"{self.opts.model_name}.deleted", cause=Cause(kind="user", actor=by))
        row.delete()


class SharedAdmin(InventoryAdmin):
    """Devices and their types: changed by who has the permission for all of them, or a group's right on one."""

    FIXED: ClassVar[list[str]]  # shown, and no field of the form once the row is there

    def mine(self, request: HttpRequest) -> QuerySet[Any]:
        """Those that the user looks after."""
        rows: QuerySet[Any] = self.model.objects.changeable_by(request.user)
        return rows

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model.objects.visible_to(request.user)
        return super().get_queryset(request) & rows

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) or self.has_change_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if super().has_change_permission(request, obj):
            return True
        mine = self.mine(request)
        return mine.exists() if obj is None else mine.filter(pk=obj.pk).exists()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Of one that is there: what is never edited, and what this user may not."""
        return (
            []
            if obj is None
            else [*self.FIXED, *sorted(inventory.closed_columns(self.model, actor(request)))]
        )


class DictionaryForm(OpenedForm):
    def clean_dictionary(self) -> str:
        text: str = self.cleaned_data["dictionary"]
        try:
            configuration.check(text)
        except InvalidDictionary as wrong:
            raise ValidationError(capfirst(str(wrong))) from None
        return text


class DeviceForm(DictionaryForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        state = looks.of_state(self.instance).word
        if self.instance.state != DeviceState.IDLE:
            for name in sorted(inventory.MOVES_A_DEVICE & set(self.changed_data)):
                self.add_error(name, f"The device is {state}; this can be changed when it is idle.")
        return cleaned


class VisibleFilter(admin.RelatedFieldListFilter):
    """Names only what the user may know of."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        return [(row.pk, str(row)) for row in field.related_model.objects.visible_to(request.user)]


class RightRows:
    """Rights of groups: shown to, and given by, who looks after what they are about."""

    about: ClassVar[str]

    def get_queryset(self, request: HttpRequest) -> Any:
        mine = self._subjects().changeable_by(actor(request))
        return super().get_queryset(request).filter(**{f"{self.about}__in": mine})  # type: ignore[misc]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == self.about:
            kwargs["queryset"] = self._subjects().changeable_by(actor(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def _subjects(self) -> Any:
        return self.model._meta.get_field(self.about).related_model._default_manager  # type: ignore[attr-defined]


class DeviceTypeRightInline(RightRows, TabularInline):
    model = DeviceTypeRight
    about = "device_type"
    extra = 0
    verbose_name_plural = f"Rights on device types ({RULE})"


class DeviceRightInline(RightRows, TabularInline):
    model = DeviceRight
    about = "device"
    extra = 0
    verbose_name_plural = f"Rights on devices ({RULE}; those of a device stand before those of its type)"


GroupAdmin.inlines += [DeviceTypeRightInline, DeviceRightInline]


class RightAdmin(RightRows, LabAdmin):
    list_filter = ["right", "group"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["group", self.about]


@admin.register(DeviceTypeRight)
class DeviceTypeRightAdmin(RightAdmin):
    about = "device_type"
    fields = ["group", "device_type", "right"]
    list_display = ["group", "right", "device_type"]
    list_select_related = ["group", "device_type"]
    search_fields = ["group__name", "device_type__name"]


@admin.register(DeviceRight)
class DeviceRightAdmin(RightAdmin):
    about = "device"
    fields = ["group", "device", "right"]
    list_display = ["group", "right", "device"]
    list_select_related = ["group", "device"]
    search_fields = ["group__name", "device__name"]


def _health_verb(health: DeviceHealth) -> Act:
    def act(page: LabAdmin, request: HttpRequest, devices: QuerySet[Device], reason: str) -> str:
        names = devices.values_list("pk", flat=True)
        changed = lifecycle.set_health_for(names, health, user=actor(request), reason=reason)
        return f"{health.label} now: {named(changed)}"

    return act


def _check(page: LabAdmin, request: HttpRequest, devices: QuerySet[Device], reason: str) -> str:
    names = sorted(devices.values_list("pk", flat=True))
    checked = [lifecycle.check_for(name, user=actor(request), reason=reason) for name in names]
    return f"Checked next: {named(checked)}"


def _free(page: LabAdmin, request: HttpRequest, devices: QuerySet[Device], reason: str) -> str:
    if not reason:
        raise Refused("Give a reason: how do you know that nothing runs there?")
    names = sorted(devices.values_list("pk", flat=True))
    freed = [lifecycle.free_for(name, user=actor(request), reason=reason) for name in names]
    return f"Free now: {named(freed)}"


TAKE_OUT = Deed(
    action="maintenance",
    title="Take out for maintenance",
    consequence="A job on a device goes on; no new one is given to it.",
    button="Take out",
)
BRING_BACK = Deed(
    action="good", title="Bring back as good", consequence="Jobs are given to it again.", button="Bring back"
)
CHECK = Deed(
    action="check",
    title="Check now",
    consequence="A job on a device goes on; after it, the health check of the type runs before any other job, and says "
    "whether the device is good or bad.",
    button="Check now",
)
LOOP = Deed(
    action="loop",
    title="Loop the health check",
    consequence="The health check runs again and again, and no other job, until somebody says otherwise.",
    button="Loop",
)
FREE = Deed(
    action="free",
    title="Free (closed devices)",
    consequence="The lab ended a job there by itself, and its worker has not confirmed that it stopped. Freed, the "
    "device gets jobs again: be sure that nothing runs there, and say in the reason how you know.",
    button="Free",
)
RETIRE = Deed(
    action="retire",
    title="Retire",
    consequence="A job on a device is canceled, and no new one is given to it. Its history stays.",
    button="Retire",
)


@admin.register(Device)
class DeviceAdmin(SharedAdmin):
    form = DeviceForm
    list_display = ["name", "health_word", "health_reason", "state_word", "device_type_name", "worker_word"]
    list_filter = ["health", "state", ("device_type", VisibleFilter), "worker", "tags"]
    list_select_related = ["worker"]
    search_fields = ["name", "health_reason"]
    filter_horizontal = ["tags"]
    actions = [
        asking(TAKE_OUT, _health_verb(DeviceHealth.MAINTENANCE)),
        asking(BRING_BACK, _health_verb(DeviceHealth.GOOD)),
        asking(CHECK, _check),
        asking(LOOP, _health_verb(DeviceHealth.LOOPING)),
        asking(FREE, _free),
        asking(RETIRE, _health_verb(DeviceHealth.RETIRED)),
    ]
    inlines = [DeviceRightInline]
    EDITED: ClassVar = ["device_type", "worker", "tags", "description", "dictionary", "seen"]
    SHOWN: ClassVar = [
        "health_word",
        "health_reason",
        "health_by",
        "health_since",
        "history",
        "state_word",
        "last_used",
        "last_check",
        "jobs_since_check",
    ]
    FIXED: ClassVar = ["name", *SHOWN]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        return super().get_queryset(request).defer("dictionary", "worker__description")

    def get_fields(self, request: HttpRequest, obj: Device | None = None) -> list[Any]:
        return ["name", *(["health"] if obj is None else self.SHOWN), *self.EDITED]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "health":
            kwargs["choices"] = [(health.value, health.label) for health in NEW_DEVICE_HEALTH]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "device_type":
            kwargs["queryset"] = DeviceType.objects.visible_to(actor(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Device, form: Any, change: bool) -> None:
        if not change:
            obj.health_by = request.user.get_username()
            obj.tell("device.added", cause=Cause(kind="user", actor=obj.health_by))
        obj.save()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        for device in objs:
            inventory.check_removable(device)
        lines = HealthChange.objects.filter(device__in=[device.pk for device in objs]).count()
        return self.in_numbers(objs, request, {"lines of their history": lines})

    def remove(self, pk: Any, *, by: str) -> None:
        inventory.check_removable(Device.objects.get(pk=pk))
        super().remove(pk, by=by)

    def look_of(self, row: Device) -> Look:
        return looks.of_health(row)

    @admin.display(description="health", ordering="health")
    def health_word(self, device: Device) -> SafeString:
        return status(looks.of_health(device))

    @admin.display(description="health history")
    def history(self, device: Device) -> SafeString:
        address = f"{reverse('admin:devices_healthchange_changelist')}?device__name__exact={device.pk}"
        return format_html('<a href="{}">{} changes</a>', address, device.health_changes.count())

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


class AliasForm(ModelForm):
    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if DeviceType.objects.filter(pk=name).exists():
            raise ValidationError("There is a device type of this name, which jobs would get instead.")
        return name


class AliasInline(TabularInline):
    model = Alias
    form = AliasForm
    extra = 0
    verbose_name_plural = "aliases: other names by which jobs may ask for it"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is nothing but its name: delete it and add another


class DeviceTypeForm(DictionaryForm):
    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if alias := Alias.objects.filter(pk=name).first():
            raise ValidationError(f"That is an alias of {alias.device_type_id}. Delete the alias first.")
        return name

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if "health_check" not in self.changed_data or self.errors:
            return cleaned
        name = self.cleaned_data.get("name", self.instance.name)
        dictionary = self.cleaned_data.get("dictionary", self.instance.dictionary)
        as_it_will_be = DeviceType(name=name, dictionary=dictionary)
        for fault in health.faults(as_it_will_be, self.cleaned_data["health_check"]):
            self.add_error("health_check", fault)
        return cleaned


@admin.register(DeviceType)
class DeviceTypeAdmin(SharedAdmin):
    form = DeviceTypeForm
    list_display = ["name", "description", "number_of_devices", "display"]
    search_fields = ["name"]
    fields = [
        "name",
        "description",
        "display",
        "dictionary",
        "retry_attempts",
        "retry_delay",
        "retry_backoff",
        "retry_max_delay",
        "health_check",
        ("health_frequency", "health_denominator"),
        "disable_health_check",
        "seen",
    ]
    inlines = [AliasInline, DeviceTypeRightInline]
    FIXED: ClassVar = ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeviceType]:
        types: QuerySet[DeviceType] = super().get_queryset(request)
        return types.annotate(device_count=Count("devices"))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        for device_type in objs:
            inventory.check_removable(device_type)
        return super().get_deleted_objects(objs, request)

    def remove(self, pk: Any, *, by: str) -> None:
        device_type = DeviceType.objects.select_for_update().get(pk=pk)
        inventory.check_removable(device_type)
        device_type.delete()

    @admin.display(description="devices", ordering="device_count")
    def number_of_devices(self, device_type: Any) -> int:
        return int(device_type.device_count)


@admin.register(Alias)
class AliasAdmin(InventoryAdmin):
    form = AliasForm
    list_display = ["name", "device_type"]
    list_select_related = ["device_type"]
    search_fields = ["name", "device_type__name"]
    fields = ["name", "device_type"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alias]:
        visible = DeviceType.objects.visible_to(actor(request))
        return super().get_queryset(request).filter(device_type__in=visible)

    def get_readonly_fields(self, request: HttpRequest, obj: Alias | None = None) -> list[str]:
        return [] if obj is None else ["name"]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = DeviceType.objects.visible_to(actor(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def _worker_verb(health: WorkerHealth) -> Act:
    def act(page: LabAdmin, request: HttpRequest, workers: QuerySet[Worker], reason: str) -> str:
        names = list(workers.order_by("pk").values_list("pk", flat=True))
        user = actor(request)
        changed = [lifecycle.set_worker_health_for(name, health, user=user, reason=reason) for name in names]
        return f"{health.label} now: {named(changed)}"

    return act


def _new_token(
    page: LabAdmin, request: HttpRequest, workers: QuerySet[Worker], reason: str
) -> TemplateResponse:
    if len(workers) != 1:
        raise Refused("choose one worker; each needs a token of its own.")
    worker: Worker = Worker.objects.lock(workers[0].pk)
    audit.note(actor(request), worker, "Made a new token")
    return _token_page(page, request, worker)


def _token_page(page: LabAdmin, request: HttpRequest, worker: Worker) -> TemplateResponse:
    secret = worker.new_token()
    worker.save()
    ready = WORKER_SETTINGS.format(name=worker.name, url=settings.LAB_URL, token=secret)
    return secret_page(page, request, worker, secret, use=WORKERS_TOKEN, ready=ready)


WORKER_OUT = Deed(
    action="maintenance",
    title="Take out for maintenance",
    consequence="Jobs on its devices go on; its devices get no new ones.",
    button="Take out",
)
WORKER_BACK = Deed(
    action="active", title="Bring back", consequence="Its devices get jobs again.", button="Bring back"
)
WORKER_RETIRED = Deed(
    action="retire",
    title="Retire",
    consequence="Jobs on its devices go on to their end; its devices get no new ones. Its history stays.",
    button="Retire",
)
NEW_TOKEN = Deed(
    action="new_token",
    title="Make a new token",
    consequence="The old one ends at once; the worker is shut out until it has the new one.",
    button="Make it",
    asks_reason=False,
)


class WorkerForm(OpenedForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for column in FILES.keys() & set(self.changed_data):
            try:
                worker_files.check(column, self.cleaned_data.get(column, ""))
            except InvalidFile as wrong:
                self.add_error(column, str(wrong).splitlines())
        return cleaned


@admin.register(Worker)
class WorkerAdmin(InventoryAdmin):
    form = WorkerForm
    list_display = ["name", "state_word", "health_word", "version", "last_ping", "job_limit"]
    list_filter = ["state", "health"]
    search_fields = ["name"]
    actions = [
        asking(WORKER_OUT, _worker_verb(WorkerHealth.MAINTENANCE)),
        asking(WORKER_BACK, _worker_verb(WorkerHealth.ACTIVE)),
        asking(WORKER_RETIRED, _worker_verb(WorkerHealth.RETIRED)),
        asking(NEW_TOKEN, _new_token),
    ]
    EDITED: ClassVar = ["description", "job_limit", *FILES, "seen"]
    SHOWN: ClassVar = ["state_word", "health_word", "version", "last_ping"]

    def get_fields(self, request: HttpRequest, obj: Worker | None = None) -> list[Any]:
        return ["name", *([] if obj is None else self.SHOWN), *self.EDITED]

    def get_readonly_fields(self, request: HttpRequest, obj: Worker | None = None) -> list[str]:
        return [] if obj is None else ["name", *self.SHOWN]

    def save_model(self, request: HttpRequest, obj: Worker, form: Any, change: bool) -> None:
        if not change:
            obj.tell("worker.added", cause=Cause(kind="user", actor=request.user.get_username()))
        obj.save()

    def response_add(
        self, request: HttpRequest, obj: Worker, post_url_continue: str | None = None
    ) -> HttpResponse:
        return _token_page(self, request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        for worker in objs:
            inventory.check_removable(worker)
        return super().get_deleted_objects(objs, request)

    def remove(self, pk: Any, *, by: str) -> None:
        inventory.check_removable(Worker.objects.lock(pk))
        super().remove(pk, by=by)

    def look_of(self, row: Worker) -> Look:
        return looks.of_worker(row)

    @admin.display(description="state", ordering="state")
    def state_word(self, worker: Worker) -> SafeString:
        return status(looks.ONLINE if worker.state == WorkerState.ONLINE else looks.OFFLINE)

    @admin.display(description="health", ordering="health")
    def health_word(self, worker: Worker) -> SafeString:
        return status(WORKER_HEALTH[WorkerHealth(worker.health)])


@admin.register(Tag)
class TagAdmin(InventoryAdmin):
    list_display = ["name", "description"]
    search_fields = ["name"]
    fields = ["name", "description"]

    def get_readonly_fields(self, request: HttpRequest, obj: Tag | None = None) -> list[str]:
        return [] if obj is None else ["name"]

    def remove(self, pk: Any, *, by: str) -> None:
        tag = Tag.objects.select_for_update().get(pk=pk)
        inventory.check_removable(tag)
        tag.delete()


@admin.register(HealthChange)
class HealthChangeAdmin(HistoryAdmin):
    list_display = ["time", "device", "before", "after", "reason", "by"]
    list_display_links = ["time"]
    list_filter = ["health", "time"]
    list_select_related = ["device"]
    search_fields = ["=device__name", "reason", "=by"]
    fields = ["time", "device", "before", "after", "reason", "by"]
    readonly_fields = ["before", "after"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[HealthChange]:
        return super().get_queryset(request).filter(device__in=Device.objects.visible_to(actor(request)))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "device__name__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="before", ordering="previous")
    def before(self, change: HealthChange) -> SafeString | str:
        return "" if change.previous is None else status(looks.HEALTH[DeviceHealth(change.previous)])

    @admin.display(description="after", ordering="health")
    def after(self, change: HealthChange) -> SafeString:
        return status(looks.HEALTH[DeviceHealth(change.health)])
