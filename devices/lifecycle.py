"""The verbs for devices and workers: the only writers of their state and health.

Those that jobs cause (`reserve`, `occupy`, `release`) are called with the device's row already locked, inside
the caller's transaction. The others are whole: they lock, change, announce and commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import audit
from accounts.rights import NotAllowed
from devices import health as health_rules
from devices.models import Device, Worker, devices_seen_by
from devices.states import DeviceHealth, DeviceState, WorkerHealth, WorkerState
from events.outbox import Cause

CHANGED = "device.changed"
THE_LAB = "lava_lite"  # who changed a health that nobody changed


class DeviceBusy(Exception):
    """A device that is not idle cannot be given to a job."""


class WorkerFull(DeviceBusy):
    """A worker has as many jobs as it takes, so its free devices get none."""


class NoHealthCheck(Exception):
    """A device whose type has no check, or that is gone for good, cannot be checked."""


class StillInUse(Exception):
    """What jobs or devices still need cannot be deleted."""


# What must happen before a device is retired, as the packages above have asked (AppConfig.ready).
_before_retiring: list[Callable[[Device, Cause], None]] = []


def before_retiring(rule: Callable[[Device, Cause], None]) -> None:
    """Have `rule(device, cause)` called, outside of any lock, before a device is retired."""
    if rule not in _before_retiring:
        _before_retiring.append(rule)


def require_room(wanted: Collection[Device], *, besides: QuerySet[Any, Any]) -> None:
    """WorkerFull if their workers take fewer jobs now; `besides` are the names of devices in use that cost them nothing.

    A worker with a limit is locked (device, worker, job), so that two who count at once do not both take the last place.
    """
    count = Counter(device.worker_id for device in wanted if device.worker_id)
    with_limits = Worker.objects.filter(pk__in=count, job_limit__gt=0).order_by("pk")
    for worker in with_limits.select_for_update(of=("self",), no_key=True):
        busy = worker.devices.exclude(state=DeviceState.IDLE).exclude(pk__in=besides).count()
        if busy + count[worker.pk] > worker.job_limit:
            room = f"{busy} of the {worker.job_limit} jobs that it takes"
            raise WorkerFull(f"{worker.name} has {room}; no room for {count[worker.pk]} more")


def reserve(device: Device, *, job: int, cause: Cause) -> None:
    """Keep the device for a job. DeviceBusy if it is not idle."""
    if device.state != DeviceState.IDLE:
        state = DeviceState(device.state).label
        raise DeviceBusy(f"{device.name} is {state} and cannot take job {job}")
    device.last_used = timezone.now()
    _use(device, DeviceState.RESERVED, job, cause)


def occupy(device: Device, *, job: int, cause: Cause) -> None:
    """The job runs on it."""
    device.jobs_since_check += 1  # one that is a check begins the count anew when it ends
    _use(device, DeviceState.RUNNING, job, cause)


def release(device: Device, *, job: int, broken: bool, cause: Cause) -> None:
    """The job is over; `broken`: for a reason of the lab's, so a good device is no longer known to be good."""
    if broken:
        _suspect(device, job, cause)
    device.open()
    _use(device, DeviceState.IDLE, job, cause)


def close(device: Device, *, job: int, broken: bool, cause: Cause) -> None:
    """The job is over, but something of it may still run there: nobody gets the device until its worker says no.

    `broken` is that of `release`. The state stays as it is, so that nobody takes the device for a free one.
    """
    if broken:
        _suspect(device, job, cause)
    device.closed_since, device.closed_by = timezone.now(), job
    _use(device, DeviceState(device.state), job, cause)


def report_check(
    device: Device, *, job: int, submitted: datetime, passed: bool, ending: str, cause: Cause
) -> None:
    """A health check is over; for `release` or `close`, which follows. `ending` is the word for it."""
    device.last_check, device.last_check_time, device.jobs_since_check = job, submitted, 0
    _set_verdict(device, f"health check {job} {ending}", cause, passed=passed)


def give_up_check(device: Device, *, reason: str, cause: Cause) -> None:
    """No check, or job, can run on the device, whose row is locked: it is bad until somebody has mended that."""
    _describe(device, DeviceHealth.BAD, reason, cause)
    device.tell(CHANGED, cause=cause)
    device.save()


@transaction.atomic
def condemn(name: str, *, reason: str) -> None:
    """The lab found that no job can run on the device: it is bad until somebody has mended that.

    One that a person took out already stays as it is.
    """
    device: Device = Device.objects.lock(name)
    if device.health in (DeviceHealth.BAD, DeviceHealth.MAINTENANCE, DeviceHealth.RETIRED):
        return
    give_up_check(device, reason=reason, cause=Cause(kind="policy", reason=reason))


def good(name: str, *, by: str, reason: str = "") -> Device:
    """Somebody says that the device is in order again."""
    return set_health(name, DeviceHealth.GOOD, by=by, reason=reason)


def unknown(name: str, *, by: str, reason: str = "") -> Device:
    """Somebody doubts that the device is in order: it is checked next, if its type has a health check."""
    return set_health(name, DeviceHealth.UNKNOWN, by=by, reason=reason)


@transaction.atomic
def loop(name: str, *, by: str, reason: str = "") -> Device:
    """Run the health check again and again, and no other job. NoHealthCheck if there is nothing to run."""
    _require_check(Device.objects.lock(name))
    return set_health(name, DeviceHealth.LOOPING, by=by, reason=reason)


def bad(name: str, *, by: str, reason: str = "") -> Device:
    """Somebody found the device broken: no new job comes until somebody says otherwise."""
    return set_health(name, DeviceHealth.BAD, by=by, reason=reason)


def maintenance(name: str, *, by: str, reason: str = "") -> Device:
    """Take the device out: the job on it goes on, no new one comes."""
    return set_health(name, DeviceHealth.MAINTENANCE, by=by, reason=reason)


def retire(name: str, *, by: str, reason: str = "") -> Device:
    """Take the device out for good; a job on it is canceled."""
    cause = Cause(kind="user", actor=by, reason=reason)
    device = Device.objects.get(pk=name)
    for rule in _before_retiring:
        rule(device, cause)
    return set_health(name, DeviceHealth.RETIRED, by=by, reason=reason)


@transaction.atomic
def check(name: str, *, by: str, reason: str = "") -> Device:
    """Have the device checked before it gets any other job: from now on, its health is not known.

    One that loops its check stays as it is. NoHealthCheck if there is nothing to run.
    """
    device: Device = Device.objects.lock(name)
    if device.health == DeviceHealth.RETIRED:
        raise NoHealthCheck(f"{name} is retired and cannot be checked; bring it back first")
    _require_check(device)
    if device.health == DeviceHealth.LOOPING:
        return device
    return unknown(name, by=by, reason=reason or "a health check was asked for")


@transaction.atomic
def check_for(name: str, *, user: User, reason: str = "") -> Device:
    """`check` for somebody who looks after the device; noted in the audit trail. The errors are also those of `require_right`."""
    require_right([name], user=user)
    device = check(name, by=user.get_username(), reason=reason)
    audit.note(user, device, f"Check: {reason or 'no reason given'}")
    return device


@transaction.atomic
def free(name: str, *, by: str, reason: str = "") -> Device:
    """Somebody says that nothing runs any more on a closed device. One that is idle stays as it is.

    DeviceBusy if a job has it: a job is ended by its own verbs.
    """
    device: Device = Device.objects.lock(name)
    if device.state == DeviceState.IDLE:
        return device
    if device.closed_by is None:
        raise DeviceBusy(
            f"{device.name} is in use by job {device.job_number()}; cancel the job instead of freeing the device"
        )
    release(device, job=device.closed_by, broken=False, cause=Cause(kind="user", actor=by, reason=reason))
    return device


@transaction.atomic
def free_for(name: str, *, user: User, reason: str) -> Device:
    """`free` for somebody who looks after the device; noted in the audit trail. The errors are also those of `require_right`."""
    require_right([name], user=user)
    was_closed = Device.objects.lock(name).is_closed
    device = free(name, by=user.get_username(), reason=reason)
    if was_closed:
        audit.note(user, device, f"Freed: {reason or 'no reason given'}")
    return device


VERBS: dict[DeviceHealth, Callable[..., Device]] = {
    DeviceHealth.GOOD: good,
    DeviceHealth.UNKNOWN: unknown,
    DeviceHealth.LOOPING: loop,
    DeviceHealth.BAD: bad,
    DeviceHealth.MAINTENANCE: maintenance,
    DeviceHealth.RETIRED: retire,
}


def set_health_for(
    names: Iterable[str], health: DeviceHealth, *, user: User, reason: str = ""
) -> list[Device]:
    """What somebody says of one device or of many, all or none; noted in the audit trail.

    DoesNotExist for a name that is unknown or hidden from the user, NotAllowed for devices that others look after.
    """
    wanted = set(names)
    require_right(wanted, user=user)
    with transaction.atomic():
        devices = set_health_of_many(wanted, VERBS[health], by=user.get_username(), reason=reason)
        audit.note_each(user, devices, f"{health.label}: {reason or 'no reason given'}")
    return devices


def require_right(names: Iterable[str], *, user: User) -> None:
    """Whether somebody may say so of all these devices; the errors are those of `set_health_for`."""
    wanted = set(names)
    visible = devices_seen_by(user, among=wanted)
    if missing := sorted(wanted - visible):
        raise Device.DoesNotExist(f"there is no device {', '.join(missing)}")
    mine = set(Device.objects.changeable_by(user).filter(pk__in=wanted).values_list("pk", flat=True))
    if others := sorted(wanted - mine):
        raise NotAllowed(f"you do not look after {', '.join(others)}")


@transaction.atomic
def set_health(name: str, health: DeviceHealth, *, by: str, reason: str = "") -> Device:
    """What a person says of a device; DoesNotExist for an unknown name. The same health and reason change nothing."""
    device: Device = Device.objects.lock(name)
    if device.health == health and device.health_reason == reason:
        return device
    cause = Cause(kind="user", actor=by, reason=reason)
    _describe(device, health, reason, cause)
    device.tell(CHANGED, cause=cause)
    device.save()
    return device


def set_health_of_many(
    names: Iterable[str], verb: Callable[..., Device], *, by: str, reason: str
) -> list[Device]:
    """One verb for several devices, all or none. In the order of their names, so that two never wait for each other."""
    with transaction.atomic():
        return [verb(name, by=by, reason=reason) for name in sorted(names)]


@transaction.atomic
def set_worker_health(name: str, health: WorkerHealth, *, by: str, reason: str = "") -> Worker:
    """What a person says of a worker; DoesNotExist for an unknown name. The same health changes nothing.

    The jobs on its devices go on; unless it is active, its devices get no new ones. Those that were good before it was
    taken out are checked when it comes back, if their types have a health check, as in LAVA.
    """
    trusted = _lock_trusted(name) if health == WorkerHealth.ACTIVE else []
    worker: Worker = Worker.objects.lock(name)
    if worker.health == health:
        return worker
    cause = Cause(kind="user", actor=by, reason=reason)
    worker.health = health
    worker.tell("worker.changed", cause=cause)
    worker.save()
    for device in trusted:
        _describe(device, DeviceHealth.UNKNOWN, f"its worker {name} came back", cause)
        device.tell(CHANGED, cause=cause)
        device.save()
    return worker


def _lock_trusted(worker: str) -> list[Device]:
    """The good devices of a worker whose types have a health check. The locks of devices come before their worker's."""
    checked = Device.objects.filter(worker=worker, health=DeviceHealth.GOOD).checked()
    return list(checked.select_for_update(of=("self",)).order_by("pk"))


def require_right_on_workers(user: User) -> None:
    if not user.has_perm("devices.change_worker"):
        raise NotAllowed("only those who look after workers may change their health")


@transaction.atomic
def set_worker_health_for(name: str, health: WorkerHealth, *, user: User, reason: str = "") -> Worker:
    """What somebody says of a worker; noted in the audit trail. NotAllowed for who does not look after workers."""
    require_right_on_workers(user)
    worker = set_worker_health(name, health, by=user.get_username(), reason=reason)
    audit.note(user, worker, f"{health.label}: {reason or 'no reason given'}")
    return worker


@transaction.atomic
def worker_seen(name: str, *, version: str) -> Worker:
    """A worker asked for work: it is there. DoesNotExist for an unknown name."""
    now = timezone.now()
    updated = Worker.objects.filter(pk=name, state=WorkerState.ONLINE, version=version)
    if updated.update(last_ping=now):
        return Worker.objects.get(pk=name)
    worker: Worker = Worker.objects.lock(name)
    worker.last_ping, worker.version = now, version
    if worker.state != WorkerState.ONLINE:
        worker.state = WorkerState.ONLINE
        worker.tell("worker.changed", cause=Cause(kind="worker", actor=name))
    worker.save()
    return worker


@transaction.atomic
def worker_silent(name: str) -> None:
    """A worker has not asked for work for too long."""
    worker: Worker = Worker.objects.lock(name)
    if not Worker.objects.silent().filter(pk=name).exists():
        return
    worker.state = WorkerState.OFFLINE
    worker.tell("worker.changed", cause=Cause(kind="timer", reason="silent for a minute"))
    worker.save()


def _require_check(device: Device) -> None:
    if not device.device_type.is_checked:
        kind = device.device_type_id
        raise NoHealthCheck(
            f"devices of type {kind} are not checked; give the type a health check, or enable it"
        )


def _use(device: Device, state: DeviceState, job: int, cause: Cause) -> None:
    device.state = state
    device.job_in_event = job
    device.tell(CHANGED, cause=cause)
    device.save()


def _suspect(device: Device, job: int, cause: Cause) -> None:
    """A good device is no longer known to be good; what a person said of another one stays."""
    if device.health == DeviceHealth.GOOD:
        _describe(device, DeviceHealth.UNKNOWN, f"infrastructure error in job {job}", cause)


def _set_verdict(device: Device, reason: str, cause: Cause, *, passed: bool) -> None:
    now = health_rules.verdict(DeviceHealth(device.health), passed=passed)
    if now != device.health:
        _describe(device, now, reason, cause)


def _describe(device: Device, health: DeviceHealth, reason: str, cause: Cause) -> None:
    device.health = health
    device.health_reason = reason
    device.health_by = cause.actor or (THE_LAB if cause.kind in ("timer", "policy") else "")
    device.health_since = timezone.now()
