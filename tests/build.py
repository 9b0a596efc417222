"""Everything a test needs, with what it needs in turn: `build.job(submitter=alice)` has a type, a device, a worker.

Whatever exists already by its name is taken as it is. Jobs come to their state by the verbs, as in the lab.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import yaml
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from accounts.models import Token
from devices.models import Device, DeviceRight, DeviceType, DeviceTypeRight, Right, Tag, Worker
from devices.states import DeviceHealth, WorkerState
from events.models import Event
from events.outbox import Cause
from jobs import lifecycle, logs, progress, reservations, sayings, steps, waits
from jobs.lifecycle import Ending
from jobs.logs import Record
from jobs.models import Attempt, Job, TestCase, TestSuite
from jobs.reservations import Wish
from jobs.states import State

PASSWORD = "correct horse battery"
CAUSE = Cause(kind="user", actor="alice", reason="a test")
OF_A_WORKER = {"hostname": "worker01", "state": "Online", "health": "Active"}  # what an event says of one
PASSED = Ending(passed=True)
FAILED = Ending(passed=False, error_type="Job", errors="the kernel did not boot")
BROKEN = Ending(passed=False, error_type="Infrastructure", errors="the power switch is gone")


def group(name: str = "kernel") -> Group:
    return Group.objects.get_or_create(name=name)[0]


def user(name: str, *groups: Group) -> User:
    """Somebody who logs in with PASSWORD."""
    found = User.objects.filter(username=name).first()
    found = found or User.objects.create_user(name, password=PASSWORD)
    found.groups.add(*groups)
    return found


def admin(name: str = "admin") -> User:
    found = User.objects.filter(username=name).first()
    return found or User.objects.create_superuser(name, password=PASSWORD)


def user_of(secret: str) -> User | None:
    """Whose token it is."""
    found = Token.of(secret)
    return found and found.user


def tag(name: str) -> Tag:
    return Tag.objects.get_or_create(name=name)[0]


def device_type(name: str = "qemu", **fields: Any) -> DeviceType:
    return DeviceType.objects.get_or_create(name=name, defaults=fields)[0]


def worker(name: str = "worker01", *, state: WorkerState = WorkerState.ONLINE, **fields: Any) -> Worker:
    """A worker that is there; it was seen just now if it was ever seen."""
    found: Worker | None = Worker.objects.filter(pk=name).first()
    if found is None:
        found = Worker(name=name, state=state, **fields)
        found.save()
    return found


def worker_token(name: str = "worker01") -> str:
    """A new token for the worker, as registering gives it."""
    found = worker(name)
    token = found.new_token()
    found.save()
    return token


def device(
    name: str = "qemu01",
    *,
    device_type: str = "qemu",
    worker: str | None = "worker01",
    health: DeviceHealth = DeviceHealth.GOOD,
    tags: tuple[str, ...] = (),
    **fields: Any,
) -> Device:
    """A device in service."""
    found: Device | None = Device.objects.filter(pk=name).first()
    if found is not None:
        return found
    host = None if worker is None else _worker(worker)
    found = Device(name=name, device_type=_type(device_type), worker=host, health=health, **fields)
    found.save()
    found.tags.set([tag(each) for each in tags])
    return found


def right(of: Group, on: str, right: Right) -> None:
    """What a group may do with the device of this name, or else with the type."""
    if Device.objects.filter(pk=on).exists():
        DeviceRight.objects.update_or_create(group=of, device_id=on, defaults={"right": right})
    else:
        DeviceTypeRight.objects.update_or_create(
            group=of, device_type=device_type(on), defaults={"right": right}
        )


def audit_trail() -> list[str]:
    """Who did what to what, the oldest first."""
    entries = LogEntry.objects.select_related("user").order_by("id")
    return [f"{entry.user}: {entry.object_repr}: {entry.change_message}" for entry in entries]


def definition(
    name: str = "hello", *, device_type: str = "qemu", steps: tuple[str, ...] = ("true",), **top: Any
) -> str:
    """The YAML of a job with one inline test; `top` are further keys of the top level, which replace these."""
    test = {
        "from": "inline",
        "name": "hello",
        "path": "inline/hello.yaml",
        "repository": {
            "metadata": {"format": "Lava-Test Test Definition 1.0", "name": "hello"},
            "run": {"steps": list(steps)},
        },
    }
    job = {
        "job_name": name,
        "device_type": device_type,
        "visibility": "public",
        "timeouts": {"job": {"minutes": 5}, "action": {"minutes": 2}, "connection": {"minutes": 1}},
        "actions": [{"test": {"definitions": [test]}}],
    }
    return str(yaml.safe_dump(job | top, sort_keys=False))


def job(
    *,
    submitter: User | None = None,
    state: State = State.SUBMITTED,
    device: str = "qemu01",
    ending: Ending = PASSED,
    **of_definition: Any,
) -> Job:
    """A job in this state. `device`: of the type that the job asks for, and idle if the job is to leave the queue.

    `ending`: of a FINISHED one. The other keywords are those of `definition`.
    """
    kind = of_definition.get("device_type", "qemu")
    _device(device, device_type=kind)
    submitted = lifecycle.submit(definition(**of_definition), by=submitter or user("alice"))
    pk = submitted.pk
    if state != State.SUBMITTED:
        lifecycle.schedule(pk, device)
    if state in (State.RUNNING, State.CANCELING, State.FINISHED):
        lifecycle.start(pk, worker="worker01")
    if state == State.CANCELING:
        lifecycle.cancel(pk, by=submitted.submitter.username)
    if state == State.FINISHED:
        lifecycle.finish(pk, ending, worker="worker01")
    found: Job = Job.objects.get(pk=pk)
    return found


def multinode(
    *roles: str, device_type: str = "qemu", tags: Mapping[str, list[str]] | None = None, **top: Any
) -> str:
    """The YAML of a group with a device for each role, of which the first is essential; `tags` of a role, by its name."""
    wanted = {
        role: {"device_type": device_type, "count": roles.count(role), "essential": role == roles[0]}
        | ({"tags": tags[role]} if tags and role in tags else {})
        for role in roles
    }
    whole = yaml.safe_load(definition(protocols={"lava-multinode": {"roles": wanted}}, **top))
    del whole["device_type"]
    return str(yaml.safe_dump(whole, sort_keys=False))


def members(
    *roles: str,
    submitter: User | None = None,
    state: State = State.SUBMITTED,
    device: str = "qemu01",
    ending: Ending = PASSED,
    **top: Any,
) -> list[Job]:
    """The jobs of a group in this state. `device`: that of the first; the others have the next numbers.

    The other keywords are those of `multinode`.
    """
    number = int(device[-2:])
    devices = [_device(f"{device[:-2]}{number + at:02}").pk for at in range(len(roles))]
    first = lifecycle.submit(multinode(*roles, **top), by=submitter or user("alice"))
    jobs = first.members
    if state != State.SUBMITTED:
        lifecycle.schedule_together({job.pk: name for job, name in zip(jobs, devices, strict=True)})
    for job in jobs if state in (State.RUNNING, State.CANCELING, State.FINISHED) else ():
        lifecycle.start(job.pk, worker="worker01")
    if state == State.CANCELING:
        lifecycle.cancel(first.pk, by=first.submitter.username)
    for job in jobs if state == State.FINISHED else ():
        lifecycle.finish(job.pk, ending, worker="worker01")
    return first.members


def wish(**fields: Any) -> Wish:
    """For a device of the type qemu, for an hour, unless the fields say something else."""
    return Wish(
        **{"device_type": "qemu", "length": timedelta(hours=1), "purpose": "bisecting the boot"} | fields
    )


def reservation(
    *, by: User | None = None, state: State = State.RUNNING, device: str = "qemu01", **of_wish: Any
) -> Job:
    """One that waits (SUBMITTED), or is held on the device of this name."""
    _device(device)
    job = lifecycle.submit(wish(**of_wish).definition(), by=by or user("alice"))
    if state != State.SUBMITTED:
        lifecycle.schedule(job.pk, device)
    if state not in (State.SUBMITTED, State.SCHEDULED):
        reservations.settle(job.pk)
    if state == State.FINISHED:
        reservations.release(job.pk, by=job.submitter.username)
    found: Job = Job.objects.get(pk=job.pk)
    return found


def overdue(job: Job) -> Job:
    """The same job, whose deadline has passed if it has one."""
    Job.objects.filter(pk=job.pk, deadline__isnull=False).update(
        deadline=timezone.now() - timedelta(seconds=1)
    )
    found: Job = Job.objects.get(pk=job.pk)
    return found


def given_up(**of_job: Any) -> Job:
    """A job that ran and that the lab ended by itself, so that its device is closed. The keywords are those of `job`."""
    pk = job(state=State.RUNNING, **of_job).pk
    lifecycle.end_overdue(overdue(Job.objects.get(pk=pk)).pk)
    found: Job = Job.objects.get(pk=pk)
    return found


def asking_for_deferral(after: timedelta, *, reason: str = "the server is down", **of_job: Any) -> Job:
    """A running job whose test asked that it be run again after so long. The keywords are those of `job`."""
    running = job(state=State.RUNNING, **of_job)
    running.attempts.update(deferral=after, deferral_reason=reason)
    return running


def tried_again(**of_job: Any) -> Job:
    """A job whose first attempt of three failed, and that waits for the second. The keywords are those of `job`."""
    of_job.setdefault("lava_lite", {"retry": 3})
    pk = job(state=State.RUNNING, **of_job).pk
    lifecycle.finish(pk, BROKEN, worker="worker01")
    found: Job = Job.objects.get(pk=pk)
    return found


def due(job: Job) -> Job:
    """The same job, whose time to wait is over if it waits for a time."""
    Job.objects.filter(pk=job.pk, not_before__isnull=False).update(
        not_before=timezone.now() - timedelta(seconds=1)
    )
    found: Job = Job.objects.get(pk=job.pk)
    return found


def attempt(of: Job) -> Attempt:
    """The latest one of a job that has left the queue."""
    return of.attempts.get(number=of.attempt)


def case(
    of: Job, *, name: str = "boots", result: str = "pass", suite: str = "0_smoke", **fields: Any
) -> TestCase:
    """A result of the latest attempt of a job that has left the queue."""
    to = attempt(of)
    found, _ = TestSuite.objects.get_or_create(attempt=to, name=suite)
    fields.setdefault("index", to.cases.count())
    made = TestCase.objects.create(attempt=to, suite=found, name=name, result=result, **fields)
    if of.is_finished:
        of.settle()
        of.save(update_fields=["outcome"])
    return made


def log(of: Job, *lines: Any, level: str = "info") -> None:
    """Further records of the latest attempt, one each second, with all that they tell of; what is no text is a result."""
    to = attempt(of)
    first = logs.next_index(to.log_directory)
    records = [
        Record(
            time=datetime(2026, 11, 22, 12) + timedelta(seconds=number),
            level=level if isinstance(line, str) else "results",
            message=line,
        )
        for number, line in enumerate(lines, start=first)
    ]
    appended = logs.append(to.log_directory, first, records)
    steps.collect(to, appended)
    progress.collect(to, appended)
    waits.collect(to, appended)
    sayings.collect(to, appended)


def question(of: Job, text: str = "Press%20reset", *, key: str = "a1", seconds: int = 0) -> None:
    """The test of a running job waits for a person."""
    log(of, f"Received signal: <WAITFORPERSON> {key} {seconds} {text}", level="debug")


def events_of(subject: Job | Device | Worker) -> list[str]:
    """The types of all events of a job, device or worker, in the order in which they were recorded."""
    kind = type(subject).__name__.lower()
    events = Event.objects.filter(subject=str(subject.pk), type__startswith=f"{kind}.")
    return list(events.order_by("id").values_list("type", flat=True))


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction that comes to nothing."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


# The names that parameters of `device` and `job` take.
_type = device_type
_worker = worker
_device = device
