"""The verbs of the inventory: what the lab consists of is added, changed and deleted here.

Each asks for the right to it first, is whole, and is noted in the audit trail. What a person says of a health is
left to `devices.lifecycle`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import models, transaction

from accounts import audit
from accounts.rights import NotAllowed
from devices import dictionary
from devices.lifecycle import DeviceBusy, StillInUse
from devices.models import Device, DeviceType, Right, Tag, Worker
from devices.states import DeviceState
from events.announced import AnnouncedModel
from events.outbox import Cause

R = TypeVar("R", bound=models.Model)

MOVES_A_DEVICE = frozenset({"device_type", "worker"})

# A type says who may do what with a device, and worker and dictionary which machine runs which commands for it: no
# group's right reaches so far.
_FOR_ALL: Mapping[type[models.Model], frozenset[str]] = {
    Device: MOVES_A_DEVICE | {"dictionary"},
    DeviceType: frozenset({"dictionary"}),
}


@transaction.atomic
def add(model: type[R], values: Mapping[str, Any], *, by: User) -> R:
    """NotAllowed without the permission to; IntegrityError if there is such a row already."""
    require(by, "add", model)
    columns = {name: value for name, value in values.items() if name != "tags"}
    row = model(**columns)
    if isinstance(row, Device):
        row.health_by = by.get_username()
    _tell(row, "added", by)
    row.save(force_insert=True)
    if isinstance(row, Device):
        row.tags.set(values.get("tags", []))
    audit.note(by, row, "Added", kind=audit.ADDITION)
    return row


@transaction.atomic
def change(row: R, values: Mapping[str, Any], *, by: User) -> R:
    """NotAllowed for who does not look after it; DeviceBusy if a job is in the way. The row as it is then."""
    require(by, "change", row)
    locked: R = type(row)._default_manager.select_for_update(of=("self",)).get(pk=row.pk)
    changed = sorted(name for name, value in values.items() if _differs(locked, name, value))
    require(by, "change", locked, columns=changed)
    _check_idle(locked, changed)
    told = [_told(locked, name, values[name]) for name in changed]
    for name in changed:
        if name == "tags":
            locked.tags.set(values[name])  # type: ignore[attr-defined]
        else:
            setattr(locked, name, values[name])
    locked.save(update_fields=[name for name in changed if name != "tags"])
    if changed:
        audit.note(by, locked, f"Changed {', '.join(told)}")
    return locked


@transaction.atomic
def remove(row: models.Model, *, by: User) -> None:
    """NotAllowed without the permission to; StillInUse if that would harm what depends on it."""
    require(by, "delete", row)
    locked = type(row)._default_manager.select_for_update(of=("self",)).get(pk=row.pk)
    check_removable(locked)
    audit.note(by, locked, "Deleted", kind=audit.DELETION)
    _tell(locked, "deleted", by)
    locked.delete()


def check_removable(row: models.Model) -> None:
    """StillInUse says what depends on it, and what to do instead."""
    for check in _BEFORE_REMOVING.get(type(row), ()):
        check(row)


def before_removing(model: type[R], check: Callable[[R], None]) -> None:
    """Have this checked as well, for a package above: it raises StillInUse."""
    if check not in _BEFORE_REMOVING[model]:
        _BEFORE_REMOVING[model].append(check)


@transaction.atomic
def new_token(worker: Worker, *, by: User) -> str:
    """Give a worker a new token, which ends its old one; it is returned this once and never stored."""
    require(by, "change", worker)
    locked: Worker = Worker.objects.lock(worker.pk)
    secret = locked.new_token()
    locked.save()
    audit.note(by, locked, "Made a new token")
    return secret


def require(
    by: User, act: str, what: models.Model | type[models.Model], *, columns: Collection[str] = ()
) -> None:
    """NotAllowed if somebody may not add, change or delete: a device or type by who looks after it, others by permission.

    `columns` are those that are to change: some need the permission for all devices or types.
    """
    if act == "change" and isinstance(what, Device | DeviceType):
        if not what.may_be_changed_by(by):
            raise NotAllowed(f"you do not look after {what.pk}")
        if closed := sorted(closed_columns(type(what), by) & set(columns)):
            kinds = what._meta.verbose_name_plural
            raise NotAllowed(f"the {closed[0]} of {what.pk} is for those who may change all {kinds}")
    elif not may(by, act, what):
        raise NotAllowed(f"you may not {act} a {what._meta.verbose_name}")


def may(user: User, act: str, what: models.Model | type[models.Model]) -> bool:
    """Whether a permission says so, for all rows of the kind."""
    return user.has_perm(f"{what._meta.app_label}.{act}_{what._meta.model_name}")


def closed_columns(model: type[models.Model], user: User) -> frozenset[str]:
    """What who looks after some devices or types only, by a group's right, may not set of them."""
    closed = _FOR_ALL.get(model, frozenset())
    return frozenset() if closed and may(user, "change", model) else closed


def _differs(row: models.Model, name: str, value: Any) -> bool:
    if name == "tags":
        return set(row.tags.all()) != set(value)  # type: ignore[attr-defined]
    return bool(getattr(row, name) != value)


def _told(row: models.Model, column: str, value: Any) -> str:
    """The column in the audit trail; of a dictionary, what in it: its values may be passwords."""
    if column != "dictionary":
        return column
    names = dictionary.changed_names(row.dictionary, value)  # type: ignore[attr-defined]
    return f"{column} ({', '.join(names)})" if names else column


def _check_idle(row: models.Model, columns: Collection[str]) -> None:
    """DeviceBusy if one of these columns may not change while a job has the device."""
    moved = sorted(MOVES_A_DEVICE & set(columns))
    if moved and isinstance(row, Device) and row.state != DeviceState.IDLE:
        state = "closed" if row.is_closed else DeviceState(row.state).label
        raise DeviceBusy(f"{row.pk} is {state}; its {moved[0]} can be changed when it is idle")


def _tell(row: models.Model, happened: str, by: User) -> None:
    if isinstance(row, AnnouncedModel):
        row.tell(f"{row._meta.model_name}.{happened}", cause=Cause(kind="user", actor=by.get_username()))


def _check_hides_no_job(device: Device) -> None:
    # Its jobs outlive it, and what hides them from others would go with it.
    hidden = device.rights.filter(right=Right.VIEW).exists()
    if hidden and (jobs := device.jobs.count()):
        raise StillInUse(
            f"{device.pk} is shown to some groups only, and so are its {jobs} jobs, which would be shown to all "
            "without it. Retire it instead, or delete its jobs first."
        )


def _check_unused(device_type: DeviceType) -> None:
    devices, jobs = device_type.devices.count(), device_type.jobs.count()
    if devices or jobs:
        raise StillInUse(
            f"device type {device_type.pk} has {devices} devices and {jobs} jobs. Retire the devices instead, "
            "and switch off the type's “display”."
        )


def _check_has_no_device(worker: Worker) -> None:
    if devices := worker.devices.count():
        raise StillInUse(
            f"{devices} devices hang on {worker.pk}. Retire it instead, or give them another worker first."
        )


def _check_not_waited_for(tag: Tag) -> None:
    # Without the tag, a waiting job would be given a device that it cannot use.
    if waiting := tag.jobs.queued().count():
        raise StillInUse(f"{waiting} waiting jobs ask for {tag.name}; cancel them or wait for their end.")


_BEFORE_REMOVING: dict[type[models.Model], list[Callable[[Any], None]]] = {
    Device: [_check_hides_no_job],
    DeviceType: [_check_unused],
    Worker: [_check_has_no_device],
    Tag: [_check_not_waited_for],
}
