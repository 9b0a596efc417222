"""What the packages below ask of jobs: who may see a job's events, and what becomes of a retired device's job."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy

from accounts.rights import Anyone
from devices import health, inventory
from devices import lifecycle as devices
from devices.lifecycle import StillInUse
from devices.models import Device, DeviceType, Right, devices_seen_by
from events import visibility
from events.models import Event
from events.outbox import Cause
from jobs import health_checks, lifecycle
from jobs.models import Attempt, Job, Visibility, any_of_numbers

DELETED = "job.deleted"


def register() -> None:
    """Called once, when the application is ready."""
    devices.before_retiring(cancel_job_of)
    inventory.before_removing(Device, check_hides_no_attempt)
    health.find_faults_by(health_checks.faults)
    visibility.register("job", those_seen)
    visibility.register("step", those_seen)
    visibility.register("custom", sayings_seen)
    visibility.register("queue", seen_by_all)
    visibility.register_mask("device", hide_jobs)
    visibility.register_mask("job", hide_devices)


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


def those_seen(events: Sequence[Event], user: Anyone) -> list[Event]:
    """Events of a job or of its steps, as the job itself."""
    jobs = {event.job_id for event in events if event.type != DELETED}
    seen = set(Job.objects.visible_to(user).filter(pk__in=jobs).values_list("pk", flat=True))
    last_words = {
        event.uid for event in _last_words_seen([each for each in events if each.type == DELETED], user)
    }
    return [
        event
        for event in events
        if (event.uid in last_words if event.type == DELETED else event.job_id in seen)
    ]


def sayings_seen(events: Sequence[Event], user: Anyone) -> list[Event]:
    """What a job has said is for those who see the job; what nobody has said for one, as who said it wanted."""
    of_jobs = {event.uid for event in those_seen([each for each in events if each.job_id is not None], user)}
    return [
        event
        for event in events
        if event.uid in of_jobs or (event.job_id is None and (event.data["public"] or user.is_superuser))
    ]


def seen_by_all(events: Sequence[Event], user: Anyone) -> list[Event]:
    """Of what tells of no job in particular."""
    return list(events)


def hide_devices(events: Sequence[Event], user: Anyone) -> list[Event]:
    """Events of earlier attempts without their devices, where these are hidden from somebody who sees the job as it is now."""
    on_devices = {event.job_id or 0 for event in events if event.data.get("device")}
    # One that was put off, or may not be put off again, has left its device, and is seen as if it had had none.
    now_at = {
        pk: attempt if device else attempt + 1
        for pk, attempt, device in Job.objects.filter(pk__in=on_devices).values_list(
            "pk", "attempt", "device"
        )
    }
    over = {
        (event.job_id, event.attempt)
        for event in events
        if now_at.get(event.job_id or 0, 0) > (event.attempt or 0)
    }
    if not over:
        return list(events)
    attempts = Attempt.objects.seen_by(user).filter(job__in={job for job, _ in over})
    hidden = over - set(attempts.values_list("job_id", "number"))
    return [
        _without(event, "device", "worker") if (event.job_id, event.attempt) in hidden else event
        for event in events
    ]


def hide_jobs(events: Sequence[Event], user: Anyone) -> list[Event]:
    """Events of devices without the numbers of jobs that the user may not see."""
    numbers = {str(event.data["job"]) for event in events if "job" in event.data}
    hidden = numbers - _numbers_seen(numbers, user)
    return [_without(event, "job") if str(event.data.get("job")) in hidden else event for event in events]


def _numbers_seen(numbers: Collection[str], user: Anyone) -> set[str]:
    if not numbers:
        return set()
    jobs = Job.objects.visible_to(user).select_related("group").only("pk", "member", "group__first")
    return {str(job.number) for job in jobs.filter(any_of_numbers(numbers))}


def _last_words_seen(events: Sequence[Event], user: Anyone) -> Sequence[Event]:
    """A deleted job's last word is for those who could see it by its visibility, and who see where it ran or was to run."""
    if not events or user.is_superuser:
        return events
    public = [event for event in events if event.data["visibility"] == Visibility.PUBLIC.label]
    names = {event.data["device"] for event in public if "device" in event.data}
    devices = devices_seen_by(user, among=names)
    names = {event.data["device_type"] for event in public if "device" not in event.data}
    types = set(DeviceType.objects.visible_to(user).filter(pk__in=names).values_list("pk", flat=True))
    return [
        event
        for event in public
        if (event.data["device"] in devices if "device" in event.data else event.data["device_type"] in types)
    ]


def _without(event: Event, *keys: str) -> Event:
    shown = copy(event)
    shown.data = {key: value for key, value in event.data.items() if key not in keys}
    return shown
