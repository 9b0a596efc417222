"""What the packages below ask of jobs: who may see a job's events, and what becomes of a retired device's job."""

from __future__ import annotations

from copy import copy

from accounts.rights import Anyone
from devices import health, inventory
from devices import lifecycle as devices
from devices.lifecycle import StillInUse
from devices.models import Device, Right
from events import visibility
from events.models import Event
from events.outbox import Cause
from jobs import health_checks, lifecycle
from jobs.models import Attempt, Job, Visibility


def register() -> None:
    """Called once, when the application is ready."""
    devices.before_retiring(cancel_job_of)
    inventory.before_removing(Device, check_hides_no_attempt)
    health.find_faults_by(health_checks.faults)
    visibility.register("job", may_see)
    visibility.register("step", may_see)
    visibility.register_mask("device", hide_job)
    visibility.register_mask("job", hide_device)


def cancel_job_of(device: Device, cause: Cause) -> None:
    """A device that is gone for good can not go on with its job."""
    if (job := device.job_now()) is not None:
        lifecycle.cancel(job, by=cause.actor, reason=f"{device.name} was retired")


def check_hides_no_attempt(device: Device) -> None:
    """StillInUse if jobs that went on elsewhere would show what ran here to those from whom it is hidden."""
    hidden = device.rights.filter(right=Right.VIEW).exists()
    if hidden and (attempts := Attempt.objects.filter(device_name=device.pk).count()):
        raise StillInUse(
            f"{device.pk} is shown to some groups only, and so are {attempts} attempts of jobs on it, which would be "
            "shown to all without it. Retire it instead, or delete the jobs first."
        )


def may_see(event: Event, user: Anyone) -> bool:
    """An event of a job or of its steps, as the job itself; a deleted one's last word is for those who could see it by its visibility."""
    if event.type == "job.deleted":
        return bool(event.data["visibility"] == Visibility.PUBLIC.label) or user.is_superuser
    return Job.objects.visible_to(user).filter(pk=event.job_id).exists()


def hide_device(event: Event, user: Anyone) -> Event:
    """An event of an earlier attempt without its device, if that is hidden from somebody who sees the job as it is now."""
    if not event.data.get("device"):
        return event
    job = Job.objects.filter(pk=event.job_id or 0, attempt__gt=event.attempt or 0).first()
    if job is None or job.attempts_seen_by(user).filter(number=event.attempt).exists():
        return event
    return _without(event, "device", "worker")


def hide_job(event: Event, user: Anyone) -> Event:
    """A device's event without the number of a job that the user may not see."""
    job = event.data.get("job")
    if job is None or Job.objects.visible_to(user).numbered(str(job)).exists():
        return event
    return _without(event, "job")


def _without(event: Event, *keys: str) -> Event:
    shown = copy(event)
    shown.data = {key: value for key, value in event.data.items() if key not in keys}
    return shown
