"""The scheduler: who gets which device next. The deciding is `jobs.matching`; this fetches and applies."""

from __future__ import annotations

import logging
import threading

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from core.daemon import Daemon
from core.doorbell import Doorbell
from devices import lifecycle as devices
from devices.lifecycle import DeviceBusy
from devices.models import Device, Worker
from devices.states import DeviceState
from jobs import lifecycle
from jobs.matching import Idle, Waiting, match
from jobs.models import Job, expired
from jobs.open_devices import OpenDevices
from jobs.states import InvalidMove

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0  # how late a pass may be when every doorbell is broken


def run(stop: threading.Event) -> None:
    """Pass after pass until `stop` is set; woken by the engine's doorbell."""
    with Doorbell(settings.RUN, "engine") as bell:
        Daemon("scheduler", bell, poll=POLL_SECONDS, stop=stop).run(run_once)


def run_once() -> int:
    """One pass; how many jobs got a device."""
    _mark_silent_workers()
    _end_expired_jobs()
    _flag_jobs()
    _flag_overtime()
    _end_overdue_jobs()
    return _assign()


def _mark_silent_workers() -> None:
    for name in Worker.objects.silent().values_list("name", flat=True):
        devices.worker_silent(name)


def _end_expired_jobs() -> None:
    for job_id in list(expired(timezone.now()).values_list("pk", flat=True)):
        lifecycle.expire(job_id)


def _flag_jobs() -> None:
    """Whose worker fell silent, and whose came back."""
    for job_id, lost_since in list(Job.objects.oddly_flagged().values_list("pk", "lost_since")):
        if lost_since is None:
            lifecycle.flag_lost(job_id)
        else:
            lifecycle.clear_lost(job_id)


def _flag_overtime() -> None:
    for job_id in list(Job.objects.over_wall_time().values_list("pk", flat=True)):
        lifecycle.flag_overtime(job_id)


def _end_overdue_jobs() -> None:
    for job_id in list(Job.objects.overdue().values_list("pk", flat=True)):
        job = lifecycle.end_overdue(job_id)
        if not job.closes_device:
            continue  # its worker was quicker
        log.warning("Job %s: %s", job_id, job.failure_comment, extra={"action": "job_ended", "job": job_id})


def _assign() -> int:
    idle = _idle_devices()
    waiting = _waiting_jobs(idle) if idle else []
    if not waiting:
        return 0
    return sum(_schedule(pair.job, pair.device) for pair in match(waiting, idle, _room()))


def _schedule(job_id: int, device: str) -> bool:
    try:
        lifecycle.schedule(job_id, device)
    except (DeviceBusy, InvalidMove, Job.DoesNotExist, Device.DoesNotExist) as gone:
        # Somebody was quicker; the next pass sees what is left.
        log.info("Job %s did not get %s: %s", job_id, device, gone, extra={"action": "not_scheduled"})
        return False
    log.info("Job %s got %s", job_id, device, extra={"action": "job_scheduled", "job": job_id})
    return True


def _idle_devices() -> list[Idle]:
    return [
        Idle(
            name=device.name,
            device_type=device.device_type_id,
            tags=frozenset(tag.name for tag in device.tags.all()),
            worker=device.worker_id,
            last_used=device.last_used,
        )
        for device in Device.objects.idle().prefetch_related("tags")
    ]


def _waiting_jobs(idle: list[Idle]) -> list[Waiting]:
    types = {device.device_type for device in idle}
    fitting = Job.objects.queued().filter(device_type__in=types).prefetch_related("tags")
    queued = list(
        fitting.only("pk", "device_type_id", "priority", "submit_time", "submitter_id", "wanted_device")
    )
    open_devices = OpenDevices({job.submitter_id for job in queued})
    return [
        Waiting(
            id=job.pk,
            device_type=job.device_type_id,
            tags=frozenset(tag.name for tag in job.tags.all()),
            priority=job.priority,
            submitted=job.submit_time,
            device=job.wanted_device or None,
            allowed=open_devices.of(job.submitter_id),
        )
        for job in queued
    ]


def _room() -> dict[str, int | None]:
    """How many more jobs each worker takes; None: no limit."""
    busy = Count("devices", filter=~Q(devices__state=DeviceState.IDLE))
    workers = Worker.objects.usable().annotate(busy=busy).values_list("name", "job_limit", "busy")
    return {name: max(limit - used, 0) if limit else None for name, limit, used in workers}
