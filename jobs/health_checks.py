"""Health checks: jobs that the lab submits by itself, each for one device, before that device gets any other job.

When one is due, and what it says of the device, is decided in `devices.health`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, OuterRef, Subquery
from django.utils import timezone

from accounts.rights import Anyone
from devices import health, inventory
from devices import lifecycle as devices
from devices.models import Alias, Device, DeviceQuerySet, DeviceType
from events.outbox import Cause
from jobs import acceptance, lifecycle
from jobs import definition as definitions
from jobs.definition import Definition, Fault, InvalidDefinition
from jobs.models import Job

SUBMITTER = "lava-health"  # LAVA's name for whoever submits health checks


def parse(device_type: DeviceType, text: str) -> Definition:
    """The health check of a type. InvalidDefinition has all that keeps its devices from running it."""
    definition = definitions.parse(text, max_bytes=settings.DEFINITION_LIMIT)
    if faults := _faults(definition, device_type):
        raise InvalidDefinition(faults)
    return definition


def faults(device_type: DeviceType, text: str) -> list[Fault]:
    """Those of a text that somebody wants to be the health check of a type; one without a text has none."""
    if not text:
        return []
    try:
        parse(device_type, text)
    except InvalidDefinition as invalid:
        return list(invalid.faults)
    return []


def change(device_type: DeviceType, values: Mapping[str, Any], *, by: User) -> DeviceType:
    """Set what a type says of its health check, by the names of the columns.

    InvalidDefinition for a text that cannot be one; the errors are also those of `inventory.change`.
    """
    inventory.require(by, "change", device_type)
    if values.get("health_check"):
        parse(device_type, values["health_check"])
    return inventory.change(device_type, values, by=by)


def with_last_check(devices: DeviceQuerySet, user: Anyone) -> DeviceQuerySet:
    """Each with `last_check_seen`: the number of the last check that has ended, if this user may see it."""
    seen = Job.objects.visible_to(user).filter(pk=OuterRef("last_check")).values("pk")
    annotated: DeviceQuerySet = devices.annotate(last_check_seen=Subquery(seen))
    return annotated


def due() -> list[Device]:
    """The devices that get a check next, and may get no other job before; who rested longest is first."""
    now = timezone.now()
    columns = ["name", "health", "worker", "last_check_time", "jobs_since_check"]
    of_type = ["device_type__health_frequency", "device_type__health_denominator"]
    checkable = Device.objects.checkable().only(*columns, *of_type)
    in_turn = checkable.order_by(F("last_used").asc(nulls_first=True), "name")
    return [device for device in in_turn if health.why_due(device.check_record, now)]


@transaction.atomic
def begin(name: str) -> Job | None:
    """Submit the check of a device that is due, and schedule it there.

    None if it is not due any more, or if its type's definition is none: then the device is bad, and says why.
    The errors are those of `lifecycle.schedule`.
    """
    device: Device = Device.objects.lock(name)
    if not Device.objects.checkable().filter(pk=name).exists():
        return None
    because = health.why_due(device.check_record, timezone.now())
    if because is None:
        return None
    device_type = device.device_type
    try:
        definition = parse(device_type, device_type.health_check)
    except InvalidDefinition as invalid:
        cause = Cause(kind="policy", actor=SUBMITTER)
        reason = f"the health check of {device_type.name} cannot be run: {invalid.faults[0]}"
        devices.give_up_check(device, reason=reason, cause=cause)
        return None
    cause = Cause(kind="policy", actor=SUBMITTER, reason=f"health check: {because}")
    job = acceptance.enqueue(definition, device_type, by=_submitter(), cause=cause, checks=device)
    return lifecycle.schedule(job.pk, name)


def _submitter() -> User:
    """Made when it is needed first. Nobody can log in as this user."""
    nobody = {"password": make_password(None), "is_active": False}
    return User.objects.get_or_create(username=SUBMITTER, defaults=nobody)[0]


def _faults(definition: Definition, device_type: DeviceType) -> list[Fault]:
    if definition.roles or definition.is_member:
        alone = "a health check is for one device, which it is given: leave this out"
        return [_fault(definition, f"protocols.{definitions.MULTINODE}", alone)]
    found = []
    names = {
        device_type.name,
        *Alias.objects.filter(device_type=device_type.name).values_list("name", flat=True),
    }
    if definition.device_type not in names:
        message = f"expected {device_type.name}, whose health check this is"
        found.append(_fault(definition, "device_type", message))
    found += [
        _fault(definition, f"lava_lite.{key}", "has no meaning in a health check")
        for key in _unknown(definition.lava_lite)
    ]
    found += definitions.faults_for_executor(definition, device_type.executor)
    return found + acceptance.faults_of_visibility(definition)


def _unknown(ours: Iterable[str]) -> list[str]:
    """What a health check may not ask of the lab: it is for a device already, and is never run a second time."""
    return sorted(set(ours) - {definitions.WALL_TIME})


def _fault(definition: Definition, path: str, message: str) -> Fault:
    return Fault(path=path, message=message, line=definition.line_of(path))
