"""What the world hears of jobs: the receivers of their saves, and the payload.

A payload has the keys of LAVA 2023.01 and those of LAVA 2017, so that listeners of both find theirs.
"""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete

from devices.lifecycle import StillInUse
from devices.models import Device
from events import outbox
from jobs import lifecycle, loose_ends
from jobs.models import Job, Visibility
from jobs.states import ON_A_DEVICE, Health, State


def connect() -> None:
    """Called once, when the application is ready."""
    post_save.connect(_saved, sender=Job, dispatch_uid="announce-job")
    pre_delete.connect(_refuse_to_delete, sender=Job, dispatch_uid="keep-unfinished-job")
    post_delete.connect(_deleted, sender=Job, dispatch_uid="announce-job-deleted")


def payload(job: Job) -> dict[str, Any]:
    state, health = State(job.state), Health(job.health)
    optional = {
        "tags": job.wanted_tags or None,
        "device": job.device_id,
        "worker": job.device.worker_id if job.device else None,
        "start_time": job.start_time and job.start_time.isoformat(),
        "end_time": job.end_time and job.end_time.isoformat(),
        "overtime_since": job.overtime_since and job.overtime_since.isoformat(),
        "lost_since": job.lost_since and job.lost_since.isoformat(),
        "not_before": job.not_before and job.not_before.isoformat(),
        "not_before_reason": job.not_before_reason or None,
        "deadline": job.deadline.isoformat() if job.deadline and _tells_deadline(job) else None,
        "kind": job.kind if job.is_reservation else None,
        "expiring_since": job.expiring_since and job.expiring_since.isoformat(),
        "sub_id": job.number if job.group else None,
        "target_group": str(job.group_id) if job.group else None,
        "role": job.role or None,
    }
    return {
        "job": job.number,
        "uuid": str(job.uuid),
        "attempt": job.told_attempt,
        "state": state.label,
        "health": health.label,
        "status": old_status(state, health),
        "description": job.description,
        "priority": job.priority,
        "submitter": job.submitter.username,
        "submit_time": job.submit_time.isoformat(),
        "health_check": job.health_check,
        "device_type": job.device_type_id,
        "visibility": str(Visibility(job.visibility).label),
        "pipeline": True,
    } | {key: value for key, value in optional.items() if value is not None}


def _tells_deadline(job: Job) -> bool:
    """Of a job whose worker is heard of, it is the lab's own business."""
    return job.lost_since is not None or job.is_reservation


def old_status(state: State, health: Health) -> str:
    """LAVA 2017's one word for state and health."""
    if state in (State.SUBMITTED, State.SCHEDULING, State.SCHEDULED):
        return "Submitted"
    if state is not State.FINISHED:
        return state.label
    return "Incomplete" if health is Health.UNKNOWN else health.label


def _saved(instance: Job, created: bool, raw: bool = False, **_: Any) -> None:
    if raw:
        return
    if not created and instance.state not in ON_A_DEVICE and (instance.happening or instance.has_moved):
        loose_ends.close(instance)
    if instance.happening:
        return _record(instance, instance.happening.events)
    if created or instance.has_moved:
        # A bare save: what the verbs do beside the row is done here, by the same table.
        lifecycle.carry_over_to_device(instance, instance.move, instance.cause)
        _record(instance, instance.move.events)


def _record(job: Job, events: tuple[str, ...]) -> None:
    data = payload(job)
    if job.before is not None:
        data["previous_state"] = State(job.before["state"]).label
    if job.cause.reason:
        data["reason"] = job.cause.reason
    for event in events:
        outbox.record(
            event, subject=str(job.pk), data=data, cause=job.cause, job_id=job.pk, attempt=job.told_attempt
        )


def _refuse_to_delete(instance: Job, **_: Any) -> None:
    if not instance.is_finished:
        state = State(instance.state).label
        raise StillInUse(f"job {instance.number} is {state}; cancel it and wait for its end, then delete it")
    if instance.closes_device:
        raise StillInUse(
            f"something of job {instance.number} may still run on {_closed_by(instance)}, which is closed for that; "
            "wait until its worker confirms the end, or free the device, then delete the job"
        )


def _closed_by(job: Job) -> str:
    return ", ".join(Device.objects.filter(closed_by=job.pk).values_list("pk", flat=True))


def _deleted(instance: Job, **_: Any) -> None:
    # The row is gone when this runs, and with it the lock; nothing else writes events of it any more.
    _record(instance, ("job.deleted",))
