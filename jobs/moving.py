"""What the verbs of a job's life are made of: the locks in their order, and one step by the table of moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import ParamSpec, TypeVar

from django.contrib.auth.models import User
from django.db import connection, transaction

from accounts.rights import NotAllowed
from devices import lifecycle as devices
from devices.models import Device
from devices.states import DeviceState
from events.outbox import Cause
from jobs.models import Job, JobGroup
from jobs.states import Health, Move, State

P = ParamSpec("P")
R = TypeVar("R")

NOT_CONFIRMED = "closed: the lab ended the job, and its worker has not confirmed that it stopped"


class _Moved(Exception):
    """The job got another device between the look and the lock."""


@dataclass(slots=True)
class Held:
    """A job and its device, both locked until the transaction ends."""

    job: Job
    device: Device | None


@dataclass(slots=True)
class HeldGroup:
    """A job that somebody asks something of, and the others of its group."""

    asked: Held
    others: list[Held]

    @property
    def all(self) -> list[Held]:
        return [self.asked, *self.others]


def whole(verb: Callable[P, R]) -> Callable[P, R]:
    """One transaction, begun again if the job moved to another device before the locks were held."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        while True:
            try:
                with transaction.atomic():
                    return verb(*args, **kwargs)
            except _Moved:
                continue

    return run


def require_right(job: Job, user: User, act: str) -> None:
    """NotAllowed says whose job it is."""
    if not job.may_be_changed_by(user):
        raise NotAllowed(f"job {job.number} is {job.submitter.username}'s; you may not {act} it")


def hold(job_id: int) -> Held:
    device, _ = _look(job_id)
    return _hold({job_id: device})[0]


def hold_group(job_id: int) -> HeldGroup:
    """A job with all of its group that are not finished; one that has no group is alone."""
    device, group = _look(job_id)
    mates = Job.objects.unfinished().filter(group__jobs=job_id).values_list("pk", "device") if group else ()
    found = _hold({job_id: device} | dict(mates))
    asked = next(held for held in found if held.job.pk == job_id)
    return HeldGroup(asked=asked, others=[held for held in found if held is not asked])


def _look(job_id: int) -> tuple[str | None, object]:
    """Its device and its group, before the locks. In SQL, as every verb asks it and building it takes longer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT device_id, group_id FROM jobs_job WHERE id = %s", [job_id])
        row: tuple[str | None, object] | None = cursor.fetchone()
    if row is None:
        raise Job.DoesNotExist("Job matching query does not exist.")
    return row


def _hold(devices: Mapping[int, str | None]) -> list[Held]:
    """Jobs with their devices. All devices come first, each kind in its order, so that two never wait for each other."""
    names = sorted({name for name in devices.values() if name})
    locked: dict[str, Device] = {name: Device.objects.lock(name) for name in names}
    jobs: list[Job] = [Job.objects.lock(pk) for pk in sorted(devices)]
    if any(job.device_id != devices[job.pk] for job in jobs):
        raise _Moved
    _share_groups(jobs)
    return [Held(job=job, device=locked.get(job.device_id or "")) for job in jobs]


def _share_groups(jobs: list[Job]) -> None:
    """Each event of a member tells the group's number: all members ask one instance for it, which is fetched once."""
    members = [job for job in jobs if job.group_id]
    if not members:
        return
    groups = JobGroup.objects.defer("definition").in_bulk({job.group_id for job in members})
    for job in members:
        job.group = groups[job.group_id]


def carry_over(
    held: Held, move: Move, cause: Cause, *, broken: bool = False, of_device: Cause | None = None
) -> None:
    """Move the job and its device. The device first, as in LAVA's stream of events.

    `of_device` is told with the device, to those who see it and need not see the job, if `cause` is not for them.
    """
    if held.device is not None:
        held.job.device = held.device  # the same instance, so that payloads need no query
        held.device.number_in_event = held.job.number
        report_check(held.device, held.job, move, cause)
        if move.device is not None:
            apply(held.device, move.device, job=held.job.pk, broken=broken, cause=of_device or cause)
        if move.closes:
            # Who sees the device need not see the job, and is told nothing of what is said of it.
            devices.close(
                held.device, job=held.job.pk, broken=broken, cause=replace(cause, reason=NOT_CONFIRMED)
            )
    step(held.job, move, cause)


def report_check(device: Device, job: Job, move: Move, cause: Cause) -> None:
    """What the end of a health check says of its device, whose lock is held and which is saved afterwards."""
    if not job.health_check or move.target is not State.FINISHED:
        return
    failed = f"failed ({job.error_type})" if job.error_type else "failed"
    endings = {Health.COMPLETE: "passed", Health.INCOMPLETE: failed, Health.CANCELED: "was canceled"}
    passed, ending = move.health is Health.COMPLETE, endings[move.health]
    devices.report_check(
        device, job=job.pk, submitted=job.submit_time, passed=passed, ending=ending, cause=cause
    )


def apply(device: Device, state: DeviceState, *, job: int, broken: bool, cause: Cause) -> None:
    match state:
        case DeviceState.RESERVED:
            devices.reserve(device, job=job, cause=cause)
        case DeviceState.RUNNING:
            devices.occupy(device, job=job, cause=cause)
        case DeviceState.IDLE:
            devices.release(device, job=job, broken=broken, cause=cause)


def step(job: Job, move: Move, cause: Cause) -> None:
    """Move the job alone. Its row must be locked."""
    if move.ends_attempt:
        job.begin_anew()
    job.state = move.target
    job.health = move.health
    job.arrive()
    job.tell(*move.events, cause=cause)
    job.save()


def tell(held: Held, event: str, cause: Cause) -> None:
    """Something happened to the job that is no move."""
    held.job.device = held.device  # the same instance, so that payloads need no query
    held.job.tell(event, cause=cause)
    held.job.save()
