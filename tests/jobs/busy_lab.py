"""A busy lab: schedulers in processes of their own, and threads that start and finish their jobs as workers would.

All by the verbs. What came of it is read from the attempts: their times were taken under the locks, so what overlaps
in them was given twice.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from subprocess import Popen

from django.db.models import Max, Min

from tests import build, children
from tests.jobs.scheduling import UNTIL_EMPTY
from tests.parallel import together

PAUSE = 0.01  # seconds between two looks of somebody who found nothing to do
PATIENCE = 600.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    seconds: float
    finished: int
    double_bookings: int
    most_on_a_worker: int  # at the same time
    fewest_on_a_device: int
    most_on_a_device: int
    overtaken: int  # by how many later jobs the most unlucky job was overtaken
    split_groups: int  # of which one began before another had its device
    given: tuple[int, ...]  # devices that each scheduler gave away


def fill(*, jobs: int, devices: int, workers: int, job_limit: int, groups: int = 0) -> None:
    """All devices are alike, so that the jobs can be told to go in their order. Of the jobs, `groups` times two run together."""
    from jobs import lifecycle

    for number in range(workers):
        build.worker(f"worker{number}", job_limit=job_limit)
    for number in range(devices):
        build.device(f"board{number:04}", device_type="board", worker=f"worker{number % workers}")
    alice = build.user("alice")
    alone, together = (
        build.definition(device_type="board"),
        build.multinode("server", "client", device_type="board"),
    )
    texts = [alone] * (jobs - 2 * groups)
    for number in range(groups):  # evenly among the others
        texts.insert(number * len(texts) // groups, together)
    for text in texts:
        lifecycle.submit(text, by=alice)


def run(*, schedulers: int = 2, drivers: int = 1) -> Report:
    """Until no job is left."""
    from jobs.models import Attempt, Job

    jobs = Job.objects.count()
    started = time.monotonic()
    processes = [children.start("tests.jobs.scheduling", UNTIL_EMPTY) for _ in range(schedulers)]
    try:
        together(*[partial(_drive, part, drivers, processes) for part in range(drivers)], patience=PATIENCE)
        outputs = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    seconds = time.monotonic() - started
    attempts = list(Attempt.objects.order_by("scheduled", "id"))
    of_device = Counter(attempt.device_name for attempt in attempts)
    on_device = [_most_at_once(spans) for spans in _spans(attempts, "device_name")]
    return Report(
        seconds=seconds,
        finished=Job.objects.exclude(end_time=None).count(),
        double_bookings=len(attempts) - jobs + sum(most > 1 for most in on_device),
        most_on_a_worker=max(_most_at_once(spans) for spans in _spans(attempts, "worker_name")),
        fewest_on_a_device=min(of_device.values()),
        most_on_a_device=max(of_device.values()),
        overtaken=_most_overtaken([attempt.job_id for attempt in attempts]),
        given=tuple(int(output) for output in outputs),
        split_groups=_split_groups(),
    )


def _drive(part: int, of: int, schedulers: Sequence[Popen[str]]) -> None:
    """Start and finish every job that has a device; of several drivers, each has its part of the jobs."""
    from jobs import lifecycle
    from jobs.models import Job
    from jobs.states import State

    while Job.objects.unfinished().exists():
        scheduled = Job.objects.filter(state=State.SCHEDULED).values_list("pk", "device__worker")
        mine = [(pk, worker) for pk, worker in scheduled if pk % of == part]
        for pk, worker in mine:
            lifecycle.start(pk, worker=worker)
            lifecycle.finish(pk, build.PASSED, worker=worker)
        if not mine:
            assert not any(scheduler.poll() for scheduler in schedulers), "a scheduler failed"
            time.sleep(PAUSE)


def _split_groups() -> int:
    from jobs.models import JobGroup

    times = JobGroup.objects.values_list(Min("jobs__attempts__started"), Max("jobs__attempts__scheduled"))
    return sum(begun < given for begun, given in times)


Span = tuple[datetime, datetime]


def _spans(attempts: Iterable[object], column: str) -> list[list[Span]]:
    found: defaultdict[str, list[Span]] = defaultdict(list)
    for attempt in attempts:
        found[getattr(attempt, column)].append((attempt.scheduled, attempt.ended))  # type: ignore[attr-defined]
    return list(found.values())


def _most_at_once(spans: Iterable[Span]) -> int:
    changes = sorted((time, step) for begin, end in spans for time, step in ((begin, 1), (end, -1)))
    most = now = 0
    for _, step in changes:
        now += step
        most = max(most, now)
    return most


def _most_overtaken(order: list[int]) -> int:
    """`order`: the jobs as they were scheduled; those with a lower number were submitted before."""
    return max(place - rank for rank, (place, _) in enumerate(sorted(enumerate(order), key=lambda at: at[1])))
