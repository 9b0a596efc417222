"""A lab in which everything happens once that the catalogue has a type for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from devices import lifecycle as devices
from devices.models import Device, Worker
from devices.states import WorkerState
from events import custom
from jobs import attempts, lifecycle, reservations, sayings, waits
from jobs.history import summary
from jobs.models import Job, JobGroup
from jobs.states import State
from jobs.waits import Answer
from tests import build

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Whose jobs they are, and where they run."""

    alice: User
    kind: str = "qemu"
    boards: str = "qemu"  # how their names begin
    top: dict[str, Any] = field(default_factory=dict)  # of each definition, as `build.definition` takes it

    def board(self, number: int) -> str:
        return f"{self.boards}{number:02}"

    def of_job(self, board: int = 1, **given: Any) -> dict[str, Any]:
        """The keywords of a job."""
        where = {"device": self.board(board), "device_type": self.kind}
        return {"submitter": self.alice} | where | self.top | given

    def job(self, board: int = 1, **given: Any) -> Job:
        return build.job(**self.of_job(board, **given))


def happens(alice: User, **elsewhere: Any) -> None:
    """`elsewhere`: how its setting is another one."""
    setting = Setting(alice=alice, **elsewhere)
    _jobs_end(setting)
    _a_job_of_a_group_ends(setting)
    _jobs_wait(setting)
    _a_job_runs(setting)
    _a_worker_falls_silent(setting)
    _a_reservation_is_extended(setting)
    _somebody_says_something(setting)
    summary.run_once()
    _the_inventory_shrinks(setting)


def _jobs_end(of: Setting) -> None:
    finished = of.job(state=State.FINISHED)
    lifecycle.resubmit(finished, by=of.alice)
    finished.delete()
    of.job(2, state=State.FINISHED, ending=build.FAILED)
    unable = of.job(3, state=State.SCHEDULED)
    lifecycle.finish(unable.pk, build.FAILED, worker="worker01")
    unwanted = of.job(3, state=State.CANCELING)
    lifecycle.finish(unwanted.pk, build.FAILED, worker="worker01")
    lifecycle.cancel(of.job().pk, by=of.alice.username)


def _a_job_of_a_group_ends(of: Setting) -> None:
    job = of.job()
    of_group = {"group": JobGroup.objects.create(), "member": 1, "role": "server"}
    Job.objects.filter(pk=job.pk).update(**of_group, wanted_tags=["usb"])
    lifecycle.cancel(job.pk, by=of.alice.username)


def _jobs_wait(of: Setting) -> None:
    again = build.tried_again(**of.of_job(4))
    attempts.hurry(again.pk, by=of.alice.username)
    put_off = {"defer": {"limit": {"minutes": 30}}}
    too_long = build.asking_for_deferral(timedelta(hours=1), **of.of_job(5, lava_lite=put_off))
    lifecycle.finish(too_long.pk, build.PASSED, worker="worker01")
    of.job(lava_lite={"defer": {"delay": {"minutes": 5}}})


def _a_job_runs(of: Setting) -> None:
    job = of.job(6, state=State.RUNNING, lava_lite={"wall_time": {"seconds": 1}})
    build.log(job, "start: 1 deploy", "end: 1 deploy (duration 00:00:01)")
    build.log(job, {"definition": "lava", "case": "deploy", "level": "1", "result": "fail"})
    build.log(job, "Received signal: <PROGRESS> 40 flashing", level="debug")
    build.question(job)
    waits.answer(job, of.alice, Answer.DONE)
    Job.objects.filter(pk=job.pk).update(start_time=timezone.now() - MINUTE)
    lifecycle.flag_overtime(job.pk)


def _a_worker_falls_silent(of: Setting) -> None:
    job = of.job(7, state=State.RUNNING)
    Worker.objects.filter(pk="worker01").update(state=WorkerState.OFFLINE)
    lifecycle.flag_lost(job.pk)
    devices.worker_seen("worker01", version="2023.01")
    lifecycle.clear_lost(job.pk)
    lifecycle.end_overdue(build.overdue(job).pk)


def _a_reservation_is_extended(of: Setting) -> None:
    board = build.device(of.board(8), device_type=of.kind).pk
    held = build.reservation(by=of.alice, device=board, device_type=of.kind)
    Job.objects.filter(pk=held.pk).update(deadline=timezone.now() + MINUTE)
    reservations.flag_expiring(held.pk)
    reservations.extend(held.pk, MINUTE, by=of.alice.username)
    reservations.release(held.pk, by=of.alice.username)


def _somebody_says_something(of: Setting) -> None:
    job = of.job(11, state=State.RUNNING)
    build.log(job, 'flashed: {"boards": 3}', level="event")
    sayings.say_for(job, of.alice, "reviewed", "looks good")
    custom.say("power-cut", "the lab is dark", by="ups", public=True)


def _the_inventory_shrinks(of: Setting) -> None:
    board = build.device(of.board(9), device_type=of.kind)
    devices.maintenance(board.pk, by="admin", reason="the fan is loud")
    Device.objects.get(pk=board.pk).delete()
    build.worker("worker02", state=WorkerState.OFFLINE)
    Worker.objects.get(pk="worker02").delete()
