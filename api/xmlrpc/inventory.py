"""`scheduler.devices.*`, `device_types.*` and `workers.*`: what LAVA's clients change of the lab's machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast
from xmlrpc.client import Binary, Fault

from django.db import models, transaction
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import BaseSerializer

from accounts.models import Scope
from api.rest.base import taken
from api.rest.devices import DeviceSerializer, DictionarySerializer, HealthSerializer, rendered
from api.rest.parsers import utf8
from api.rest.workers import WorkerSerializer, checked_file
from api.xmlrpc.methods import BAD_REQUEST, NOT_FOUND, Caller, method
from devices import inventory, lifecycle
from devices.models import Device, DeviceType, Worker
from jobs import health_checks

T = TypeVar("T")

OWNERS = ("user", "group", "public")
NO_OWNERS = "devices have no owners here: give rights to groups, by REST or in the admin site"


@method("scheduler.devices.update")
@transaction.atomic
def update_device(
    caller: Caller,
    hostname: str,
    worker: str | None = None,
    user: str | None = None,
    group: str | None = None,
    public: bool | None = None,
    health: str | None = None,
    description: str | None = None,
    device_type: str | None = None,
    reason: str | None = None,
) -> None:
    """Change a device, and say of its health what it is and why; nil leaves things as they are."""
    by = caller.acting(Scope.FULL)
    if (user, group, public) != (None, None, None):
        raise Fault(BAD_REQUEST, f"{', '.join(OWNERS)}: {NO_OWNERS}")
    device = _find(Device.objects.visible_to(by), hostname)
    said = {"worker_host": worker, "health": health, "description": description, "device_type": device_type}
    values = _values(DeviceSerializer, device, said, caller)
    wanted = values.pop("health", None)
    inventory.change(device, values, by=by)
    if wanted is not None:
        why = _taken(HealthSerializer(data={"health": health, "reason": reason or ""}))["reason"]
        lifecycle.set_health_for([device.pk], wanted, user=by, reason=why)


@method("scheduler.devices.get_dictionary")
def get_dictionary(caller: Caller, hostname: str, render: bool = False, context: str | None = None) -> Binary:
    """The dictionary of a device; with `render` what a worker gets, for a job with that context (YAML).

    For who looks after the device, as it may hold passwords. Fault 404 if it has none.
    """
    by = caller.acting(Scope.READ)
    device = _find(Device.objects.visible_to(by).select_related("device_type"), hostname)
    inventory.require(by, "change", device)
    if not (device.configuration if render else device.dictionary):
        raise Fault(NOT_FOUND, f"Device {hostname!r} has no dictionary.")
    text = _or_fault(lambda: rendered(device, context or "")) if render else device.dictionary
    return Binary(text.encode())


@method("scheduler.devices.set_dictionary")
def set_dictionary(caller: Caller, hostname: str, dictionary: str | Binary | bytes) -> bool:
    """Set the dictionary of a device; an empty one deletes it. Fault 400 says what is wrong with it."""
    by = caller.acting(Scope.FULL)
    device = _find(Device.objects.visible_to(by), hostname)
    inventory.require(by, "change", device, columns=["dictionary"])
    text = _text(dictionary, of="dictionary")
    inventory.change(device, _taken(DictionarySerializer(data={"dictionary": text})), by=by)
    return True


@method("scheduler.workers.update")
@transaction.atomic
def update_worker(
    caller: Caller,
    name: str,
    description: str | None = None,
    health: str | None = None,
    job_limit: int | None = None,
) -> None:
    """Change a worker, and take it out or bring it back by its health; nil leaves things as they are."""
    by = caller.acting(Scope.FULL)
    worker = _find(Worker.objects.all(), name)
    said = {"health": health, "description": description, "job_limit": job_limit}
    values = _values(WorkerSerializer, worker, said, caller)
    wanted = values.pop("health", None)
    inventory.change(worker, values, by=by)
    if wanted is not None:
        lifecycle.set_worker_health_for(worker.pk, wanted, user=by)


def _add_file_methods(word: str, column: str) -> None:
    """`get_<word>` and `set_<word>`, as lavacli calls them for `workers config`, `env` and `env-dut`."""

    @method(f"scheduler.workers.get_{word}")
    def get_file(caller: Caller, name: str) -> Binary:
        """A file of a worker, in YAML. For who looks after workers; fault 404 if it has none of its own."""
        by = caller.acting(Scope.READ)
        worker = _find(Worker.objects.all(), name)
        inventory.require(by, "change", worker)
        if not getattr(worker, column):
            raise Fault(NOT_FOUND, f"Worker {name!r} has no {word} of its own.")
        return Binary(getattr(worker, column).encode())

    @method(f"scheduler.workers.set_{word}")
    def set_file(caller: Caller, name: str, text: str | Binary | bytes) -> bool:
        """Set a file of a worker; an empty one deletes it. Fault 400 says what is wrong with it."""
        by = caller.acting(Scope.FULL)
        worker = _find(Worker.objects.all(), name)
        inventory.require(by, "change", worker)
        checked = _or_fault(lambda: checked_file(column, word, _text(text, of=word)))
        inventory.change(worker, {column: checked}, by=by)
        return True


for _word, _column in {"config": "dispatcher_config", "env": "env", "env_dut": "env_dut"}.items():
    _add_file_methods(_word, _column)


@method("scheduler.device_types.get_health_check")
def get_health_check(caller: Caller, name: str) -> Binary:
    """The job that checks the devices of a type, in YAML. For who looks after the type; fault 404 if it has none."""
    by = caller.acting(Scope.READ)
    device_type = _find(DeviceType.objects.visible_to(by), name)
    inventory.require(by, "change", device_type)
    if not device_type.health_check:
        raise Fault(NOT_FOUND, f"Device type {name!r} has no health check.")
    return Binary(device_type.health_check.encode())


@method("scheduler.device_types.set_health_check")
def set_health_check(caller: Caller, name: str, definition: str | Binary | bytes) -> bool:
    """Set the job that checks the devices of a type; an empty one deletes it. Fault 400 says what is wrong with it."""
    by = caller.acting(Scope.FULL)
    device_type = _find(DeviceType.objects.visible_to(by), name)
    health_checks.change(device_type, {"health_check": _text(definition, of="health check")}, by=by)
    return True


def _text(given: str | Binary | bytes, *, of: str) -> str:
    if isinstance(given, str):
        return given
    if not isinstance(given, Binary | bytes):
        raise Fault(BAD_REQUEST, f"{of}: expected a text, got {type(given).__name__}")
    return utf8(given.data if isinstance(given, Binary) else given, of=of)


def _find(rows: models.QuerySet[Any], name: Any) -> Any:
    """Fault 404 for what is hidden from the caller, as for what is not there."""
    row = rows.filter(pk=str(name)).first()
    if row is None:
        raise Fault(NOT_FOUND, f"There is no {rows.model._meta.verbose_name} {str(name)[:40]!r}.")
    return row


def _values(
    serializer: type[BaseSerializer[Any]], row: models.Model, said: Mapping[str, Any], caller: Caller
) -> dict[str, Any]:
    """What is to change, read as the REST API reads it."""
    data = {name: value for name, value in said.items() if value is not None}
    return _taken(serializer(row, data=data, partial=True, context={"request": caller}))


def _taken(given: BaseSerializer[Any]) -> dict[str, Any]:
    return _or_fault(lambda: taken(given))


def _or_fault(read: Callable[[], T]) -> T:
    try:
        return read()
    except ValidationError as wrong:
        texts = cast(dict[str, list[str]], wrong.detail)
        faults = [f"{name}: {' '.join(map(str, told))}" for name, told in texts.items()]
        raise Fault(BAD_REQUEST, "; ".join(faults)) from wrong
