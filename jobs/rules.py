"""What the packages below ask of jobs: who may see a job's events, and what becomes of a retired device's job."""

from __future__ import annotations

from devices import lifecycle as devices
from devices.models import Device
from events import visibility
from events.models import Event
from events.outbox import Cause
from jobs import lifecycle
from jobs.models import Anyone, Job, Visibility


def register() -> None:
    """Called once, when the application is ready."""
    devices.before_retiring(cancel_job_of)
    visibility.register("job", may_see)


def cancel_job_of(device: Device, cause: Cause) -> None:
    """A device that is gone for good can not go on with its job."""
    if (job := device.job_now()) is not None:
        lifecycle.cancel(job, by=cause.actor, reason=f"{device.name} was retired")


def may_see(event: Event, user: Anyone) -> bool:
    """As the job itself; a deleted one's last word is for those who could see it by its visibility."""
    if event.type == "job.deleted":
        return bool(event.data["visibility"] == Visibility.PUBLIC.label) or _is_superuser(user)
    return Job.objects.visible_to(user).filter(pk=event.job_id).exists()


def _is_superuser(user: Anyone) -> bool:
    return bool(getattr(user, "is_superuser", False))
