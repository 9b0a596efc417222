"""The verbs of a job's life: the only writers of its state and health.

Each is whole: it takes the rows under a lock (devices, then jobs), reads the state again, moves by the table of
`jobs.states`, and leaves the job, its device and the events committed together, or nothing changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.rights import Anyone, NotAllowed
from devices import lifecycle as devices
from devices.models import Device, Worker
from devices.states import WorkerState
from events.outbox import Cause
from jobs import acceptance, attempts, reservations, watchdogs
from jobs import definition as definitions
from jobs.definition import Fault, InvalidDefinition
from jobs.models import Attempt, Job
from jobs.moving import (
    Held,
    HeldGroup,
    apply,
    carry_over,
    hold,
    hold_group,
    report_check,
    require_right,
    step,
    tell,
    whole,
)
from jobs.reservations import Wish
from jobs.states import (
    INFRASTRUCTURE_ERRORS,
    ON_A_DEVICE,
    Health,
    InvalidMove,
    Move,
    State,
    find_move,
)

CONFIRMED = "its worker confirmed that the job has stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a worker says at the end of an attempt."""

    passed: bool
    error_type: str = ""
    errors: str = ""
    pipeline: str = ""

    @property
    def is_infrastructure(self) -> bool:
        return not self.passed and self.error_type in INFRASTRUCTURE_ERRORS


def submit(text: str, *, by: User, resubmitted_from: Job | None = None) -> Job:
    """Accept a definition into the queue; of a MultiNode group, the first job: `members` has all.

    InvalidDefinition has every fault, each with its path and line.
    """
    definition = definitions.parse(text, max_bytes=settings.DEFINITION_LIMIT)
    return acceptance.accept(definition, by=by, resubmitted_from=resubmitted_from)


def reserve(wish: Wish, *, by: User) -> Job:
    """Accept somebody's wish to hold a device into the queue. InvalidDefinition has the faults by the wish's names."""
    wish = reservations.with_type(wish, by)
    try:
        return submit(wish.definition(), by=by)
    except InvalidDefinition as invalid:
        raise InvalidDefinition(reservations.for_wish(invalid)) from None


def check(text: str, *, by: Anyone) -> list[Fault]:
    """All that would keep `submit` from accepting it; empty if nothing does.

    For somebody who has not logged in, the rights are left out: it is a question and no submission.
    """
    try:
        definition = definitions.parse(text, max_bytes=settings.DEFINITION_LIMIT)
    except InvalidDefinition as invalid:
        return list(invalid.faults)
    return acceptance.faults(definition, by=by)


@whole
def schedule(job_id: int, device_name: str) -> Job:
    """Give a waiting job its device. DeviceBusy or InvalidMove if either was taken, or its worker is full, meanwhile."""
    return _schedule({job_id: device_name})[0]


@whole
def schedule_together(devices_of: Mapping[int, str]) -> list[Job]:
    """Give waiting jobs their devices, by their ids: all, or none. A group gets its own in no other way. The errors are those of `schedule`."""
    return _schedule(devices_of)


def _schedule(devices_of: Mapping[int, str]) -> list[Job]:
    names = sorted(devices_of.values())
    taken: dict[str, Device] = {name: Device.objects.lock(name) for name in names}
    _require_room(devices_of, taken)
    jobs: list[Job] = [Job.objects.lock(pk) for pk in sorted(devices_of)]
    _require_whole_group(jobs)
    for job in jobs:
        _give(job, taken[devices_of[job.pk]])
    return jobs


def _require_room(devices_of: Mapping[int, str], taken: Mapping[str, Device]) -> None:
    if not any(device.limit_of_worker for device in taken.values()):
        return
    for_workers = Job.objects.for_workers().filter(pk__in=devices_of).values_list("pk", flat=True)
    at_work = [taken[devices_of[pk]] for pk in for_workers]  # their kind is never another
    devices.require_room(at_work, besides=Job.objects.held().values("device"))


def _require_whole_group(jobs: Sequence[Job]) -> None:
    one_of_each = {job.group_id: job for job in reversed(jobs)}
    for job in one_of_each.values():
        if job.group is not None and job.group.jobs.unfinished().count() != len(jobs):
            raise InvalidMove(
                f"job {job.number} gets its device together with all of its group, or not at all"
            )


def _give(job: Job, device: Device) -> None:
    move = find_move(State(job.state), State.SCHEDULED, Health.UNKNOWN)
    if not device.takes(check=job.health_check):
        raise devices.DeviceBusy(f"{device.name} was taken out of service")
    if job.wanted_device not in ("", device.name):
        raise InvalidMove(
            f"job {job.number} is for {job.wanted_device} alone, and cannot run on {device.name}"
        )
    cause = Cause(kind="policy", reason="")
    job.device = device
    device.number_in_event = job.number
    devices.reserve(device, job=job.pk, cause=cause)
    step(job, move, cause)
    _begin_attempt(job, device)


@whole
def start(job_id: int, *, worker: str, attempt: int | None = None) -> Job:
    """The worker confirms that it has begun. Said again, too late, or of an earlier attempt, it changes nothing."""
    held = hold(job_id)
    if held.job.state == State.SCHEDULED and attempt in (None, held.job.attempt):
        _start(held, Cause(kind="worker", actor=worker))
    return held.job


def finish(job_id: int, ending: Ending, *, worker: str, attempt: int | None = None) -> Job:
    """The worker says that an attempt is over, the latest one unless said. Said again, it changes nothing.

    Of an attempt that the lab has ended by itself, it is heard as the confirmation that was missing.
    """
    if job := _finish(job_id, ending, worker=worker, attempt=attempt):
        return job
    over: Job = Job.objects.get(pk=job_id)
    confirm_end(job_id, attempt or over.attempt, worker=worker)
    return over


@whole
def _finish(job_id: int, ending: Ending, *, worker: str, attempt: int | None) -> Job | None:
    """None for an attempt that is over already."""
    group = hold_group(job_id)
    held = group.asked
    job = held.job
    if job.is_finished or attempt not in (None, job.attempt):
        return None
    if job.state == State.SUBMITTED:
        raise InvalidMove(f"job {job.number} waits in the queue; no worker can have finished it")
    cause = Cause(kind="worker", actor=worker)
    if job.state == State.SCHEDULED and ending.passed:
        _start(held, cause)  # its word of the start was lost
    end = timezone.now()
    attempt_ended = job.end_attempt(
        ended=end,
        result="pass" if ending.passed else "fail",
        error_type=ending.error_type,
        errors=ending.errors,
        pipeline=ending.pipeline,
    )
    broken = ending.is_infrastructure
    if pause := attempts.pause_after(job, attempt_ended, error_type=ending.error_type):
        attempts.go_on(held, pause, cause, broken=broken)
        return job
    move = find_move(State(job.state), State.FINISHED, _final_health(job, ending))
    job.end_time = end
    job.error_type = ending.error_type
    job.failure_comment = "" if ending.passed else ending.errors.strip() or job.failure_comment
    carry_over(held, move, cause, broken=broken)
    _cancel_without(group)
    return job


@whole
def cancel(job_id: int, *, by: str, reason: str = "") -> Job:
    """Take a waiting job out of the queue, or ask the worker of a started one to stop it; with it, all of its group.

    A job that is finished, or asked to stop already, is left as it is.
    """
    held = hold_group(job_id)
    for each in held.all:
        _cancel(each, Cause(kind="user", actor=by, reason=reason))
    return held.asked.job


@transaction.atomic
def cancel_for(job: Job, user: User, *, reason: str = "") -> Job:
    """`cancel` for somebody whose right to it is asked first, noted in the audit trail.

    NotAllowed says whose job it is.
    """
    require_right(job, user, "cancel")
    asked = cancel(job.pk, by=user.get_username(), reason=reason)
    if not job.is_finished:
        audit.note(user, asked, f"Cancel: {reason or 'no reason given'}")
    return asked


@whole
def expire(job_id: int) -> Job:
    """End a job that has waited longer than it may, with its group; one that got a device, or was put off, meanwhile goes on."""
    held = hold_group(job_id)
    for each in held.all:
        if each.job.state == State.SUBMITTED and not each.job.is_put_off:
            _take_out_of_queue(each, Cause(kind="timer", reason="It waited in the queue longer than it may."))
    return held.asked.job


@whole
def end_overdue(job_id: int) -> Job:
    """End a job whose deadline has passed, without its worker's word; one that moved on meanwhile goes on."""
    group = hold_group(job_id)
    held = group.asked
    job, now = held.job, timezone.now()
    if job.deadline is None or job.deadline >= now:
        return job
    if job.lost_since is not None and _worker_is(WorkerState.ONLINE, held):
        return job  # it is found in a moment, and gets another deadline
    state = State(job.state)
    worker = (held.device and held.device.worker_id) or "(none any more)"
    is_lost = job.lost_since is not None
    rule = watchdogs.rule(state, worker=worker, job_timeout=job.job_timeout, is_lost=is_lost)
    _end_by(rule, group, now, kind="timer")
    return job


@whole
def end_oversized(job_id: int, attempt: int) -> Job:
    """End a job whose log is longer than it may be, without its worker's word.

    Said again, of an attempt before the latest, or of a job that is asked to stop already, it changes nothing.
    """
    group = hold_group(job_id)
    job = group.asked.job
    if job.attempt == attempt and job.state in (State.SCHEDULED, State.RUNNING):
        _end_by(watchdogs.log_too_long(), group, timezone.now(), kind="policy")
    return job


def _end_by(rule: watchdogs.Rule, group: HeldGroup, now: datetime, *, kind: str) -> None:
    """The lab ends the latest attempt by itself. Its device stays closed until the worker has confirmed the end."""
    held = group.asked
    job = held.job
    state = State(job.state)
    why_canceled = job.failure_comment.rstrip(". ") if state == State.CANCELING else ""
    comment = ". ".join(filter(None, [why_canceled, rule.comment(now)]))
    attempt = job.end_attempt(
        ended=now, unconfirmed_since=now, result="fail", error_type=rule.error_type, errors=comment
    )
    cause = Cause(kind=kind, reason=comment)
    broken = rule.error_type in INFRASTRUCTURE_ERRORS
    if pause := attempts.pause_after(job, attempt, error_type=rule.error_type):
        attempts.go_on(held, pause, cause, closes=True, broken=broken)
        return
    job.end_time = now
    job.error_type = rule.error_type
    job.failure_comment = comment
    health = Health.CANCELED if state == State.CANCELING else Health.INCOMPLETE
    carry_over(held, find_move(state, State.FINISHED, health, closes=True), cause, broken=broken)
    _cancel_without(group)


@whole
def flag_lost(job_id: int) -> Job:
    """Its worker fell silent: the job may go on there, unheard. Said again, it changes nothing."""
    held = hold(job_id)
    job, now = held.job, timezone.now()
    if (
        job.lost_since is not None
        or job.state not in ON_A_DEVICE
        or not _worker_is(WorkerState.OFFLINE, held)
    ):
        return job
    job.lost_since = now
    job.deadline = watchdogs.deadline_when_lost(State(job.state), job.deadline, now)
    worker = held.device and held.device.worker_id
    tell(held, "job.lost", Cause(kind="timer", reason=f"its worker {worker} fell silent"))
    return job


@whole
def clear_lost(job_id: int) -> Job:
    """Its worker came back: the job goes on as if nothing had happened. Said again, it changes nothing."""
    held = hold(job_id)
    job = held.job
    if job.lost_since is None or not _worker_is(WorkerState.ONLINE, held):
        return job
    now = timezone.now()
    began = job.start_time or _scheduled(job) or now
    job.lost_since = None
    job.deadline = watchdogs.deadline_when_found(State(job.state), job.job_timeout, began, now)
    worker = held.device.worker_id if held.device else None
    tell(held, "job.found", Cause(kind="worker", actor=worker or "", reason=f"its worker {worker} came back"))
    return job


@whole
def flag_overtime(job_id: int) -> Job:
    """It runs for longer than its wall time: that is told once, and the job goes on."""
    held = hold(job_id)
    job = held.job
    if Job.objects.over_wall_time().filter(pk=job_id).exists():
        job.overtime_since = timezone.now()
        tell(held, "job.overtime", Cause(kind="timer", reason="it runs for longer than its wall time"))
    return job


@whole
def confirm_end(job_id: int, attempt: int, *, worker: str) -> None:
    """The worker says that nothing runs any more of an attempt that was given up. Said again, it changes nothing."""
    name = Attempt.objects.filter(job=job_id, number=attempt).values("device_name")
    device = Device.objects.select_for_update(of=("self",)).filter(pk__in=name).first()
    _confirm(device, Job.objects.lock(job_id), attempt, worker=worker)


@transaction.atomic
def resubmit(job: Job, *, by: User) -> Job:
    """Run a job again as a new one, linked to the old; of a group, all of them: the first is returned.

    NotAllowed if jobs of its group are hidden from who asks.
    """
    if not job.shows_whole_to(by):
        raise NotAllowed(f"job {job.number} runs with others, and you do not see all of them")
    new = submit(job.whole_definition, by=by, resubmitted_from=job)
    for again in new.members:
        if again.resubmitted_from_id is not None:
            old: Job = Job.objects.lock(again.resubmitted_from_id)
            reason = f"as job {again.number}"
            old.tell("job.resubmitted", cause=Cause(kind="user", actor=by.username, reason=reason))
            old.save(update_fields=["state"])
    return new


def carry_over_to_device(job: Job, move: Move, cause: Cause) -> None:
    """What a bare save of a job's state means for its device, whose lock is held."""
    if move.device is None or job.device_id is None:
        return
    device: Device = Device.objects.lock(job.device_id)
    device.number_in_event = job.number
    report_check(device, job, move, cause)
    apply(device, move.device, job=job.pk, broken=False, cause=cause)
    if move.target == State.SCHEDULED:
        _begin_attempt(job, device)
    if move.target == State.FINISHED:
        # Whoever ended it by hand says that the device is free. What its worker still has of it is to stop.
        unconfirmed_since = None if job.is_reservation else job.end_time
        Attempt.objects.filter(job=job, number=job.attempt).update(
            ended=job.end_time, unconfirmed_since=unconfirmed_since
        )


def _start(held: Held, cause: Cause) -> None:
    held.job.start_time = timezone.now()
    carry_over(held, find_move(State.SCHEDULED, State.RUNNING, Health.UNKNOWN), cause)
    Attempt.objects.write(held.job.pk, held.job.attempt, started=held.job.start_time)


def _scheduled(job: Job) -> datetime | None:
    attempts = Attempt.objects.filter(job=job, number=job.attempt)
    return attempts.values_list("scheduled", flat=True).first()


def _worker_is(state: WorkerState, held: Held) -> bool:
    """False for a device that has no worker any more."""
    worker = held.device and held.device.worker_id
    return Worker.objects.filter(pk=worker, state=state).exists()


def _confirm(device: Device | None, job: Job, attempt: int, *, worker: str) -> None:
    """With the locks of both held: the attempt's end is known, and if its device was closed for that, it opens."""
    unconfirmed = Attempt.objects.unconfirmed().filter(job=job)
    if not unconfirmed.filter(number=attempt).update(unconfirmed_since=None):
        return
    if device is None or device.closed_by != job.pk or unconfirmed.filter(device_name=device.pk).exists():
        return
    cause = Cause(kind="worker", actor=worker, reason=CONFIRMED)
    devices.release(device, job=job.pk, broken=False, cause=cause)


def _cancel(held: Held, why: Cause) -> None:
    """Nothing happens to what is finished, or asked to stop already."""
    job = held.job
    if job.state == State.SUBMITTED:
        _take_out_of_queue(held, why)
    elif job.state in (State.SCHEDULED, State.RUNNING):
        job.failure_comment = why.reason
        carry_over(held, find_move(State(job.state), State.CANCELING, Health.UNKNOWN), why)
        if job.is_reservation:
            reservations.let_go(held, why)


def _cancel_without(group: HeldGroup) -> None:
    """A group cannot go on without an essential member that failed."""
    job = group.asked.job
    if not job.is_essential or job.health != Health.INCOMPLETE:
        return
    failed = f"Job {job.number} failed, and the group cannot go on without its {job.role}."
    for held in group.others:
        _cancel(held, Cause(kind="policy", reason=failed))


def _take_out_of_queue(held: Held, cause: Cause) -> None:
    held.job.end_time = timezone.now()
    held.job.failure_comment = cause.reason
    held.job.error_type = "Canceled"
    carry_over(held, find_move(State.SUBMITTED, State.FINISHED, Health.CANCELED), cause)


def _begin_attempt(job: Job, device: Device) -> None:
    Attempt.objects.create(
        job=job, number=job.attempt, device_name=device.name, worker_name=device.worker_id or ""
    )


def _final_health(job: Job, ending: Ending) -> Health:
    if job.state == State.CANCELING:
        return Health.CANCELED
    return Health.COMPLETE if ending.passed else Health.INCOMPLETE
