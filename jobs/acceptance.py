"""What comes into the queue: whether this lab can run what a definition asks for, and the rows that it becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from accounts.rights import Anyone
from core.faults import suggest
from devices.models import Device, DeviceType, Tag
from events.outbox import Cause
from jobs import definition as definitions
from jobs import devices_now, multinode, reservations
from jobs.definition import Defer, Definition, Fault, InvalidDefinition
from jobs.matching import Waiting, most_at_once
from jobs.models import Job, JobGroup, Kind, Visibility
from jobs.multinode import Member
from jobs.open_devices import OpenDevices
from jobs.states import Health, Requeue, State, find_move
from jobs.values import CONTEXT_VARIABLES

_MORE_CONTEXT = " (EXTRA_CONTEXT_VARIABLES, a setting of the lab, allows further names)"
NAMED_DEVICE = f"lava_lite.{definitions.DEVICE}"

Types = Mapping[str, DeviceType | None]  # by role; None: there is no such type


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A job's place in its group."""

    group: JobGroup
    number: int  # from 0
    role: str
    is_essential: bool
    submitted: datetime  # the same for all of them


@transaction.atomic
def accept(definition: Definition, *, by: User, resubmitted_from: Job | None = None) -> Job:
    """A new job in the queue; of a group, the first. InvalidDefinition has all that keeps this lab from running it."""
    if definition.roles:
        return _accept_group(definition, by=by, resubmitted_from=resubmitted_from)
    if definition.is_reservation:
        reservations.one_at_a_time(by)
    device_type = _find_type(definition)
    if found := _faults_of_member(definition) or _faults_of_one(definition, device_type, by=by):
        raise InvalidDefinition(found)
    assert device_type is not None
    cause = Cause(kind="user", actor=by.username)
    return enqueue(definition, device_type, by=by, cause=cause, resubmitted_from=resubmitted_from)


def faults(definition: Definition, *, by: Anyone) -> list[Fault]:
    """What is well-formed and cannot be run here, or not for this user."""
    if definition.roles:
        members = multinode.split(definition, JobGroup().pk)
        return _faults_of_group(definition, members, _types_of(members), by)
    return _faults_of_member(definition) or _faults_of_one(definition, _find_type(definition), by=by)


def enqueue(
    definition: Definition,
    device_type: DeviceType,
    *,
    by: User,
    cause: Cause,
    resubmitted_from: Job | None = None,
    checks: Device | None = None,
    seat: Seat | None = None,
) -> Job:
    """A job in the queue, of a definition in which nobody found a fault. `checks`: the device whose health check it is."""
    visibility = definition.visibility
    job = Job(
        kind=Kind.RESERVATION if definition.is_reservation else Kind.JOB,
        submitter=by,
        description=definition.name,
        definition=definition.text,
        device_type=device_type,
        priority=definition.priority,
        visibility=Visibility(visibility.kind),
        queue_timeout=definition.queue_timeout,
        job_timeout=definition.job_timeout,
        wall_time=definition.wall_time,
        retry=dict(definition.retry),
        defer_limit=definition.defer.limit,
        wanted_device=checks.name if checks else definition.device or "",
        wanted_tags=list(definition.tags),
        health_check=checks is not None,
        resubmitted_from=resubmitted_from,
    )
    if seat is not None:
        job.group, job.member, job.submit_time = seat.group, seat.number, seat.submitted
        job.role, job.is_essential = seat.role, seat.is_essential
    requeue = _put_off(job, definition.defer)
    move = find_move(None, State.SUBMITTED, Health.UNKNOWN, requeue=requeue)
    job.tell(*move.events, cause=cause)
    job.save()
    if definition.tags:
        job.tags.set(Tag.objects.filter(name__in=definition.tags))
    if visibility.groups:
        job.viewing_groups.set(Group.objects.filter(name__in=visibility.groups))
    return job


def _accept_group(whole: Definition, *, by: User, resubmitted_from: Job | None) -> Job:
    """Its members, one after the other, all submitted at the same moment, so that nothing stands between them."""
    group = JobGroup(definition=whole.text)
    members = multinode.split(whole, group.pk)
    types = _types_of(members)
    if found := _faults_of_group(whole, members, types, by):
        raise InvalidDefinition(found)
    group.save()
    before = {old.member: old for old in resubmitted_from.members} if resubmitted_from else {}
    cause, now = Cause(kind="user", actor=by.username), timezone.now()
    jobs: list[Job] = []
    for number, member in enumerate(members):
        seat = Seat(
            group=group, number=number, role=member.role, is_essential=member.is_essential, submitted=now
        )
        device_type = types[member.role]
        assert device_type is not None
        again = before.get(number)
        jobs.append(
            enqueue(member.definition, device_type, by=by, cause=cause, resubmitted_from=again, seat=seat)
        )
        if group.first is None:
            group.first = jobs[0].pk
            group.save()
    return jobs[0]


def _types_of(members: Iterable[Member]) -> Types:
    one_of_each = {member.role: member for member in members}
    return {role: _find_type(member.definition) for role, member in one_of_each.items()}


def _put_off(job: Job, wanted: Defer) -> Requeue | None:
    """As its definition wants it; nothing for a time that is over already."""
    until = wanted.until or job.submit_time + (wanted.delay or timedelta())
    if until <= job.submit_time:
        return None
    job.put_off(until, Requeue.DEFERRAL, wanted.reason)
    return Requeue.DEFERRAL


def _find_type(definition: Definition) -> DeviceType | None:
    """By its name, or by an alias."""
    name = definition.device_type
    found = DeviceType.objects.filter(pk=name).first()
    return found or DeviceType.objects.filter(aliases=name).first()


def _faults_of_one(definition: Definition, device_type: DeviceType | None, *, by: Anyone) -> list[Fault]:
    if device_type is None or not _may_know(device_type, by):
        return [_fault(definition, "device_type", _no_such_type(definition.device_type, by))]
    faults = definitions.faults_for_executor(definition, device_type.executor)
    faults += _faults_of_devices(definition, device_type, by)
    faults += faults_of_visibility(definition)
    faults += _faults_of_context(definition)
    faults += reservations.faults(definition, by)
    return faults


def _faults_of_context(definition: Definition) -> list[Fault]:
    """A template of a device may take each name for a command: only those that are known to be harmless get there."""
    known = sorted(CONTEXT_VARIABLES.union(settings.EXTRA_CONTEXT_VARIABLES))
    return [
        _fault(definition, f"context.{name}", f"no job may set it; {suggest(name, known)}{_MORE_CONTEXT}")
        for name in definition.data.get("context", ())
        if name not in known
    ]


def _faults_of_member(definition: Definition) -> list[Fault]:
    if not definition.is_member:
        return []
    alone = "is one job of a MultiNode group and cannot run alone; submit the definition of the whole group"
    return [_fault(definition, f"protocols.{definitions.MULTINODE}", alone)]


def _faults_of_group(whole: Definition, members: Sequence[Member], types: Types, by: Anyone) -> list[Fault]:
    found = multinode.faults_of(
        whole, members, lambda member: _faults_of_one(member.definition, types[member.role], by=by)
    )
    return found or _faults_of_size(whole, members, types, by)


def _faults_of_size(whole: Definition, members: Sequence[Member], types: Types, by: Anyone) -> list[Fault]:
    """Each role alone has a device here; whether all of them have theirs at the same time is another question."""
    allowed = OpenDevices([by.pk]).of(by.pk) if by.is_authenticated else None
    mates = [
        _mate(number, member.definition, types[member.role], allowed) for number, member in enumerate(members)
    ]
    most = most_at_once(mates, devices_now.in_service({mate.device_type for mate in mates}))
    if most == len(mates):
        return []
    wanted = f"the group needs {len(mates)} devices at once, and the lab has only {most} that fit together"
    return [_fault(whole, f"protocols.{definitions.MULTINODE}.roles", wanted)]


def _mate(
    number: int, definition: Definition, device_type: DeviceType | None, allowed: frozenset[str] | None
) -> Waiting:
    assert device_type is not None  # else it has a fault
    return Waiting(
        id=number,
        device_type=device_type.name,
        tags=frozenset(definition.tags),
        priority=definition.priority,
        submitted=timezone.now(),
        allowed=allowed,
    )


def _may_know(device_type: DeviceType, by: Anyone) -> bool:
    if DeviceType.objects.visible_to(by).filter(pk=device_type.pk).exists():
        return True
    return Device.objects.visible_to(by).filter(device_type=device_type).exists()


def _no_such_type(name: str | None, by: Anyone) -> str:
    known = ", ".join(DeviceType.objects.visible_to(by).values_list("name", flat=True)[:20])
    return f"there is no device type {name!r} here; there is {known or 'none yet'}"


def _faults_of_devices(definition: Definition, device_type: DeviceType, by: Anyone) -> list[Fault]:
    known = set(Tag.objects.filter(name__in=definition.tags).values_list("name", flat=True))
    if unknown := sorted(set(definition.tags) - known):
        return [_fault(definition, "tags", f"there is no tag {', '.join(unknown)} here")]
    if definition.device is not None:
        return _faults_of_named_device(definition, device_type, by)
    fitting = Device.objects.in_service().filter(device_type=device_type)
    for tag in definition.tags:
        fitting = fitting.filter(tags__name=tag)
    if not fitting.exists():
        having = f" has all of the tags {', '.join(definition.tags)}" if definition.tags else " is in service"
        return [_fault(definition, "device_type", f"no device of type {device_type.name}{having}")]
    if by.is_authenticated and not fitting.open_to(by).exists():
        closed = f"you may not submit jobs to the devices of type {device_type.name} that fit"
        return [_fault(definition, "device_type", closed)]
    return []


def _faults_of_named_device(definition: Definition, device_type: DeviceType, by: Anyone) -> list[Fault]:
    named = Device.objects.visible_to(by).in_service().filter(pk=definition.device, device_type=device_type)
    device = named.prefetch_related("tags").first()
    if device is None:
        missing = f"no device of type {device_type.name} in service has the name {definition.device!r}"
        return [_fault(definition, NAMED_DEVICE, missing)]
    if lacking := sorted(set(definition.tags) - {tag.name for tag in device.tags.all()}):
        return [_fault(definition, NAMED_DEVICE, f"{device.name} lacks the tag {', '.join(lacking)}")]
    if by.is_authenticated and not named.open_to(by).exists():
        return [_fault(definition, NAMED_DEVICE, f"you may not submit jobs to {device.name}")]
    return []


def faults_of_visibility(definition: Definition) -> list[Fault]:
    groups = set(definition.visibility.groups)
    known = set(Group.objects.filter(name__in=groups).values_list("name", flat=True))
    if unknown := sorted(groups - known):
        return [_fault(definition, "visibility.group", f"there is no group {', '.join(unknown)} here")]
    return []


def _fault(definition: Definition, path: str, message: str) -> Fault:
    return Fault(path=path, message=message, line=definition.line_of(path))
