"""What a snapshot of the lab shows: every unfinished job, every device and every worker, as their events tell of them."""

from __future__ import annotations

from collections.abc import Iterator

from devices import announcements as of_devices
from devices.models import Device, Worker
from events import snapshots
from events.models import Event
from jobs import announcements as of_jobs
from jobs.models import Job


def register() -> None:
    """Called once, when the application is ready."""
    snapshots.register("jobs", "job", jobs)
    snapshots.register("devices", "device", devices)
    snapshots.register("workers", "worker", workers)


def jobs() -> Iterator[Event]:
    unfinished = Job.objects.unfinished().for_lists().select_related("device").order_by("pk")
    for job in unfinished:
        yield Event(subject=str(job.pk), job_id=job.pk, attempt=job.attempt, data=of_jobs.payload(job))


def devices() -> Iterator[Event]:
    at_work = Job.objects.unfinished().exclude(device=None).select_related("group")
    numbers = {job.device_id: job.number for job in at_work.only("device", "member", "group__first")}
    for device in Device.objects.order_by("pk"):
        yield Event(subject=device.pk, data=of_devices.device_at_work(device, numbers.get(device.pk)))


def workers() -> Iterator[Event]:
    for worker in Worker.objects.order_by("pk"):
        yield Event(subject=worker.pk, data=of_devices.worker_payload(worker))
