"""What the packages below ask of jobs: who may see a job's events, and what becomes of a retired device's job."""

from __future__ import annotations

from copy import copy

from accounts.rights import Anyone
from devices import health
from devices import lifecycle as devices
from devices.models import Device
from events import visibility
from events.models import Event
from events.outbox import Cause
from jobs import health_checks, lifecycle
from jobs.models import Job, Visibility


def register() -> None:
    """Called once, when the application is ready."""
    devices.before_retiring(cancel_job_of)
    health.find_faults_by(health_checks.faults)
    visibility.register("job", may_see)
    visibility.register_mask("device", hide_job)


def cancel_job_of(device: Device, cause: Cause) -> None:
    """A device that is gone for good can not go on with its job."""
    if (job := device.job_now()) is not None:
        lifecycle.cancel(job, by=cause.actor, reason=f"{device.name} was retired")


def may_see(event: Event, user: Anyone) -> bool:
    """As the job itself; a deleted one's last word is for those who could see it by its visibility."""
    if event.type == "job.deleted":
        return bool(event.data["visibility"] == Visibility.PUBLIC.label) or user.is_superuser
    return Job.objects.visible_to(user).filter(pk=event.job_id).exists()


def hide_job(event: Event, user: Anyone) -> Event:
    """A device's event without the number of a job that the user may not see."""
    job = event.data.get("job")
    if job is None or Job.objects.visible_to(user).filter(pk=job).exists():
        return event
    shown = copy(event)
    shown.data = {key: value for key, value in event.data.items() if key != "job"}
    return shown
