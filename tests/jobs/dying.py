"""A process that runs every verb again and again, killed at one statement after the other; test_crashes judges.

It prints one line of JSON for each deed: how many kills it died, after which of them anything had changed, and
what is there when the kill comes straight after the commit.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests import children

children.join_the_lab()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from core import doorbell  # noqa: E402
from devices import lifecycle as devices  # noqa: E402
from devices.models import Device, Worker  # noqa: E402
from devices.states import DeviceState, WorkerState  # noqa: E402
from events.models import Event  # noqa: E402
from jobs import attempts, lifecycle, reservations, sayings, waits  # noqa: E402
from jobs.models import Attempt, Job  # noqa: E402
from jobs.states import Health, State  # noqa: E402
from tests import build  # noqa: E402


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    name: str
    state: State | None  # of the job that it is done to; None: there is none yet
    do: Callable[[int], object]  # gets the job's id, 0 if there is none
    before: Callable[[int], object] = lambda job_id: None
    build: Callable[..., Job] = build.job  # makes that job


def _bare_save(job_id: int) -> None:
    job = Job.objects.get(pk=job_id)
    job.state, job.health = State.FINISHED, Health.INCOMPLETE
    job.save()


def _make_overdue(job_id: int) -> None:
    build.overdue(Job.objects.get(pk=job_id))


def _give_up(job_id: int) -> None:
    _make_overdue(job_id)
    lifecycle.end_overdue(job_id)


def _worker01_is(state: WorkerState) -> None:
    Worker.objects.filter(pk="worker01").update(state=state)


def _come_back(job_id: int) -> None:
    _worker01_is(WorkerState.OFFLINE)
    lifecycle.flag_lost(job_id)
    _worker01_is(WorkerState.ONLINE)


def _pass_wall_time(job_id: int) -> None:
    hour = timedelta(hours=1)
    Job.objects.filter(pk=job_id).update(wall_time=hour, start_time=timezone.now() - 2 * hour)


def _make_overdue_to_be_tried_again(job_id: int) -> None:
    Job.objects.filter(pk=job_id).update(retry={"attempts": 2, "errors": ["Job"]})
    _make_overdue(job_id)


def _defer(job_id: int) -> None:
    attempts.defer(job_id, timezone.now() + timedelta(hours=1), by="alice", reason="the lab is full")


def _tell_of_a_step(job_id: int) -> None:
    build.log(Job.objects.get(pk=job_id), "start: 1 deploy", "end: 1 deploy")


def _ask(job_id: int) -> None:
    build.question(Job.objects.get(pk=job_id))


def _answer(job_id: int) -> None:
    waits.answer(Job.objects.get(pk=job_id), build.user("alice"), waits.Answer.DONE)


def _say_in_test(job_id: int) -> None:
    build.log(Job.objects.get(pk=job_id), "flashed: 1 board", "warm", level="event")


def _make_expiring(job_id: int) -> None:
    Job.objects.filter(pk=job_id).update(deadline=timezone.now() + timedelta(minutes=1))


DEEDS = [
    Deed(
        name="submit", state=None, do=lambda _: lifecycle.submit(build.definition(), by=build.user("alice"))
    ),
    Deed(name="schedule", state=State.SUBMITTED, do=lambda job: lifecycle.schedule(job, "qemu01")),
    Deed(name="start", state=State.SCHEDULED, do=lambda job: lifecycle.start(job, worker="worker01")),
    Deed(
        name="finish",
        state=State.RUNNING,
        do=lambda job: lifecycle.finish(job, build.BROKEN, worker="worker01"),
    ),
    Deed(name="cancel queued", state=State.SUBMITTED, do=lambda job: lifecycle.cancel(job, by="alice")),
    Deed(name="cancel running", state=State.RUNNING, do=lambda job: lifecycle.cancel(job, by="alice")),
    Deed(
        name="end canceled",
        state=State.CANCELING,
        do=lambda job: lifecycle.finish(job, build.FAILED, worker="worker01"),
    ),
    Deed(name="flag overtime", state=State.RUNNING, before=_pass_wall_time, do=lifecycle.flag_overtime),
    Deed(
        name="flag lost",
        state=State.RUNNING,
        before=lambda _: _worker01_is(WorkerState.OFFLINE),
        do=lifecycle.flag_lost,
    ),
    Deed(name="clear lost", state=State.RUNNING, before=_come_back, do=lifecycle.clear_lost),
    Deed(name="end overdue", state=State.SCHEDULED, before=_make_overdue, do=lifecycle.end_overdue),
    Deed(name="end oversized", state=State.RUNNING, do=lambda job: lifecycle.end_oversized(job, 1)),
    Deed(
        name="confirm the end",
        state=State.RUNNING,
        before=_give_up,
        do=lambda job: lifecycle.finish(job, build.FAILED, worker="worker01"),
    ),
    Deed(
        name="begin a reservation",
        state=State.SCHEDULED,
        build=build.reservation,
        do=reservations.settle,
    ),
    Deed(
        name="extend a reservation",
        state=State.RUNNING,
        build=build.reservation,
        do=lambda job: reservations.extend(job, timedelta(minutes=30), by="alice"),
    ),
    Deed(
        name="warn of the end of a reservation",
        state=State.RUNNING,
        build=build.reservation,
        before=_make_expiring,
        do=reservations.flag_expiring,
    ),
    Deed(
        name="release a reservation",
        state=State.RUNNING,
        build=build.reservation,
        do=lambda job: reservations.release(job, by="alice"),
    ),
    Deed(
        name="cancel a reservation",
        state=State.RUNNING,
        build=build.reservation,
        do=lambda job: lifecycle.cancel(job, by="alice"),
    ),
    Deed(
        name="end a reservation",
        state=State.RUNNING,
        build=build.reservation,
        before=_make_overdue,
        do=reservations.settle,
    ),
    Deed(
        name="try again",
        state=State.RUNNING,
        before=lambda job: Job.objects.filter(pk=job).update(retry={"attempts": 2}),
        do=lambda job: lifecycle.finish(job, build.BROKEN, worker="worker01"),
    ),
    Deed(
        name="try again elsewhere",
        state=State.RUNNING,
        before=_make_overdue_to_be_tried_again,
        do=lifecycle.end_overdue,
    ),
    Deed(
        name="put off by its test",
        state=State.RUNNING,
        before=lambda job: Attempt.objects.filter(job=job).update(deferral=timedelta(hours=1)),
        do=lambda job: lifecycle.finish(job, build.PASSED, worker="worker01"),
    ),
    Deed(
        name="put off for too long",
        state=State.RUNNING,
        before=lambda job: Attempt.objects.filter(job=job).update(deferral=timedelta(days=2)),
        do=lambda job: lifecycle.finish(job, build.PASSED, worker="worker01"),
    ),
    Deed(name="defer", state=State.SUBMITTED, do=_defer),
    Deed(name="hurry", state=State.SUBMITTED, before=_defer, do=lambda job: attempts.hurry(job, by="alice")),
    Deed(
        name="resubmit",
        state=State.FINISHED,
        do=lambda job: lifecycle.resubmit(Job.objects.get(pk=job), by=build.user("alice")),
    ),
    Deed(name="tell of a step", state=State.RUNNING, do=_tell_of_a_step),
    Deed(name="ask a person", state=State.RUNNING, do=_ask),
    Deed(name="answer", state=State.RUNNING, before=_ask, do=_answer),
    Deed(name="say something in a test", state=State.RUNNING, do=_say_in_test),
    Deed(
        name="say something for a job",
        state=State.SUBMITTED,
        do=lambda job: sayings.say(job, "reviewed", cause=build.CAUSE),
    ),
    Deed(name="bare save", state=State.RUNNING, do=_bare_save),
    Deed(
        name="update",
        state=State.RUNNING,
        do=lambda job: Job.objects.filter(pk=job).update(state=State.CANCELING),
    ),
    Deed(name="delete", state=State.FINISHED, do=lambda job: Job.objects.get(pk=job).delete()),
    Deed(
        name="maintenance", state=None, do=lambda _: devices.maintenance("qemu01", by="admin", reason="fan")
    ),
    Deed(name="worker seen", state=None, do=lambda _: devices.worker_seen("worker02", version="2023.01")),
]


def main() -> None:
    for deed in DEEDS:
        sys.stdout.write(json.dumps(_report(deed)) + "\n")
        sys.stdout.flush()


def _report(deed: Deed) -> dict[str, Any]:
    job_id = _prepare(deed)
    before = _facts()
    changed: list[int] = []
    for point in itertools.count(1):
        if not _dies(lambda point=point: _at_statement(point, deed, job_id)):  # type: ignore[misc]
            break
        if _facts() != before:
            changed.append(point)
    _clear()
    job_id = _prepare(deed)
    last = _last_event()
    died = _dies(lambda: _after_commit(deed, job_id))
    events = list(Event.objects.filter(pk__gt=last).order_by("id").values_list("type", flat=True))
    job = Job.objects.filter(pk=job_id).first()
    state = f"{State(job.state).label} {Health(job.health).label}" if job else ""
    _clear()
    return {
        "deed": deed.name,
        "kills": point - 1,
        "changed": changed,
        "died": died,
        "events": events,
        "state": state,
    }


def _prepare(deed: Deed) -> int:
    build.device()
    build.worker("worker02", state=WorkerState.OFFLINE)
    build.user("alice")
    job_id = deed.build(state=deed.state).pk if deed.state is not None else 0
    deed.before(job_id)
    return job_id


def _clear() -> None:
    Job._base_manager.update(
        state=State.FINISHED, health=Health.COMPLETE, outcome="pass", end_time="2026-11-22T03:00:00Z"
    )
    Device._base_manager.update(state=DeviceState.IDLE, closed_since=None, closed_by=None)
    Job.objects.all().delete()
    Device.objects.all().delete()
    Worker.objects.all().delete()


def _facts() -> str:
    rows = [list(model.objects.order_by("pk").values()) for model in (Job, Device, Worker, Attempt, Event)]
    return json.dumps(rows, default=str)


def _last_event() -> int:
    last = Event.objects.order_by("id").last()
    return last.pk if last else 0


def _dies(deed: Callable[[], object]) -> bool:
    """Whether a child that does it was killed; else it came to its end."""
    connection.close()
    child = os.fork()
    if child == 0:
        try:
            deed()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _at_statement(point: int, deed: Deed, job_id: int) -> None:
    """Killed when so many statements were executed; the first of them, or the first after it, begins a transaction."""
    executed = 0

    def step(execute: Callable[..., Any], *call: Any) -> Any:
        nonlocal executed
        result = execute(*call)
        executed += 1
        _kill_if(executed == point)
        return result

    with connection.execute_wrapper(step):
        deed.do(job_id)


def _after_commit(deed: Deed, job_id: int) -> None:
    doorbell.ring = lambda directory, *roles: _kill_if(True)
    deed.do(job_id)


def _kill_if(it_is_time: bool) -> None:
    if it_is_time:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
