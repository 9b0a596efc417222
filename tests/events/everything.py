"""A lab in which everything happens once that the catalogue has a type for."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from devices import lifecycle as devices
from devices.models import Device, Worker
from devices.states import WorkerState
from jobs import attempts, lifecycle, reservations, waits
from jobs.models import Job, JobGroup
from jobs.states import State
from jobs.waits import Answer
from tests import build

MINUTE = timedelta(minutes=1)


def happens(alice: User) -> None:
    _jobs_end(alice)
    _a_job_of_a_group_ends(alice)
    _jobs_wait(alice)
    _a_job_runs(alice)
    _a_worker_falls_silent(alice)
    _a_reservation_is_extended(alice)
    _the_inventory_shrinks()


def _jobs_end(alice: User) -> None:
    finished = build.job(submitter=alice, state=State.FINISHED)
    lifecycle.resubmit(finished, by=alice)
    finished.delete()
    build.job(submitter=alice, state=State.FINISHED, ending=build.FAILED, device="qemu02")
    unable = build.job(submitter=alice, state=State.SCHEDULED, device="qemu03")
    lifecycle.finish(unable.pk, build.FAILED, worker="worker01")
    unwanted = build.job(submitter=alice, state=State.CANCELING, device="qemu03")
    lifecycle.finish(unwanted.pk, build.FAILED, worker="worker01")
    lifecycle.cancel(build.job(submitter=alice).pk, by="alice")


def _a_job_of_a_group_ends(alice: User) -> None:
    job = build.job(submitter=alice)
    Job.objects.filter(pk=job.pk).update(group=JobGroup.objects.create(), member=1, role="server")
    lifecycle.cancel(job.pk, by="alice")


def _jobs_wait(alice: User) -> None:
    again = build.tried_again(submitter=alice, device="qemu04")
    attempts.hurry(again.pk, by="alice")
    put_off = {"defer": {"limit": {"minutes": 30}}}
    too_long = build.asking_for_deferral(
        timedelta(hours=1), submitter=alice, device="qemu05", lava_lite=put_off
    )
    lifecycle.finish(too_long.pk, build.PASSED, worker="worker01")
    build.job(submitter=alice, lava_lite={"defer": {"delay": {"minutes": 5}}})


def _a_job_runs(alice: User) -> None:
    job = build.job(
        submitter=alice, state=State.RUNNING, device="qemu06", lava_lite={"wall_time": {"seconds": 1}}
    )
    build.log(job, "start: 1 deploy", "end: 1 deploy (duration 00:00:01)")
    build.log(job, {"definition": "lava", "case": "deploy", "level": "1", "result": "fail"})
    build.log(job, "Received signal: <PROGRESS> 40 flashing", level="debug")
    build.question(job)
    waits.answer(job, alice, Answer.DONE)
    Job.objects.filter(pk=job.pk).update(start_time=timezone.now() - MINUTE)
    lifecycle.flag_overtime(job.pk)


def _a_worker_falls_silent(alice: User) -> None:
    job = build.job(submitter=alice, state=State.RUNNING, device="qemu07")
    Worker.objects.filter(pk="worker01").update(state=WorkerState.OFFLINE)
    lifecycle.flag_lost(job.pk)
    devices.worker_seen("worker01", version="2023.01")
    lifecycle.clear_lost(job.pk)
    lifecycle.end_overdue(build.overdue(job).pk)


def _a_reservation_is_extended(alice: User) -> None:
    held = build.reservation(by=alice, device="qemu08")
    Job.objects.filter(pk=held.pk).update(deadline=timezone.now() + MINUTE)
    reservations.flag_expiring(held.pk)
    reservations.extend(held.pk, MINUTE, by="alice")
    reservations.release(held.pk, by="alice")


def _the_inventory_shrinks() -> None:
    build.device("qemu09")
    devices.maintenance("qemu09", by="admin", reason="the fan is loud")
    Device.objects.get(pk="qemu09").delete()
    build.worker("worker02", state=WorkerState.OFFLINE)
    Worker.objects.get(pk="worker02").delete()
