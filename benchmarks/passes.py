"""How long a pass of the scheduler takes, with its database: python -m benchmarks.passes

The snapshot and the matching of a lab, and how many queries they make, which must be the same for every size; then a
whole pass that gives every device a job, and what each of these costs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benchmarks.throwaway import lab

CASES = (
    # jobs, how many of them begin together, devices, a tag that all jobs want, the most seconds it may take
    (5_000, 1, 200, None, 0.3),
    (10_000, 1, 200, None, None),
    (20_000, 1, 200, None, None),
    (1_000, 1, 200, "nobody-has-this", 0.3),
    (100_000, 1, 1_000, None, 3.0),
    (5_000, 2, 200, None, 0.3),
    (5_000, 32, 200, None, 0.3),
)
ASSIGNED = (5_000, 200)
MOST_MILLISECONDS = 5.0  # that one assignment may cost
REPEATS = 3
TAGS = ("usb", "hdmi", "relay", "serial")
DEFINITION = "# " + "x" * 2_000
AT_ONCE = 5_000


def fill(jobs: int, together: int, devices: int, tag: str | None) -> None:
    """An empty lab becomes one with so many idle devices and so many jobs that wait, groups of them for long."""
    from django.contrib.auth.models import User
    from django.db.models import QuerySet
    from django.utils import timezone

    from devices.models import Device, DeviceType, Tag, Worker
    from devices.states import DeviceHealth, WorkerState
    from jobs.models import Job, JobGroup

    submitters = [User.objects.get_or_create(username=f"user{number}")[0] for number in range(20)]
    board, _ = DeviceType.objects.get_or_create(name="board")
    names = [*TAGS, *([tag] if tag else [])]
    tags = [Tag.objects.get_or_create(name=name)[0] for name in names]
    workers = [Worker(name=f"worker-{number}", state=WorkerState.ONLINE) for number in range(8)]
    # The rows are of a benchmark: nobody is told of them.
    QuerySet(Worker).bulk_create(workers)
    shelf = [
        Device(
            name=f"board-{number:04}", device_type=board, worker=workers[number % 8], health=DeviceHealth.GOOD
        )
        for number in range(devices)
    ]
    QuerySet(Device).bulk_create(shelf)
    of_device = Device.tags.through
    of_device.objects.bulk_create(
        of_device(device=device, tag=tags[place])
        for number, device in enumerate(shelf)
        for place in range(number % 3)
    )
    groups = [JobGroup() for _ in range(0, jobs, together)] if together > 1 else []
    JobGroup.objects.bulk_create(groups, batch_size=AT_ONCE)
    submitted = timezone.now() - timedelta(hours=1)
    queue = [
        Job(
            description="waits",
            definition=DEFINITION,
            device_type=board,
            submitter=submitters[number // together % 20],
            priority=number // together * 7 % 101,
            submit_time=submitted,
            group=groups[number // together] if groups else None,
            member=number % together,
        )
        for number in range(jobs)
    ]
    made = QuerySet(Job).bulk_create(queue, batch_size=AT_ONCE)
    of_job = Job.tags.through
    of_job.objects.bulk_create(
        (
            of_job(job=job, tag=each)
            for number, job in enumerate(made)
            for each in (tags[-1:] if tag else tags[: number % 3])
        ),
        batch_size=AT_ONCE,
    )


def empty() -> None:
    from django.db import connection

    from devices.models import Device, Worker
    from jobs.models import Attempt, Job, JobGroup

    with connection.cursor() as cursor:
        for table in (Attempt, Job.tags.through, Job, JobGroup, Device.tags.through, Device, Worker):
            cursor.execute(f"DELETE FROM {table._meta.db_table}")


def timed(deed: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> tuple[float, Any]:
    started = clock()
    result = deed()
    return clock() - started, result


def plan() -> list[Any]:
    from jobs import scheduler

    return scheduler._pairs(scheduler._room())


def number_of_queries() -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        plan()
    return len(queries)


def measure() -> None:
    for jobs, together, devices, tag, limit in CASES:
        fill(jobs, together, devices, tag)
        runs = [timed(plan) for _ in range(REPEATS)]
        seconds, pairs = min(runs, key=lambda run: run[0])
        wanted = f" in groups of {together}" if together > 1 else ""
        wanted += f" that want the tag {tag}" if tag else ""
        most = f" (limit {limit} s)" if limit else ""
        size = f"{jobs:>7,} jobs{wanted} x {devices:>5,} devices"
        print(f"{size}: {seconds:.3f} s{most}, {len(pairs)} pairs, {number_of_queries()} queries")
        empty()


def assign() -> None:
    from jobs import scheduler

    jobs, devices = ASSIGNED
    fill(jobs, 1, devices, None)
    planned, _ = timed(plan, time.process_time)
    began = time.perf_counter()
    worked, given = timed(scheduler.run_once, time.process_time)
    seconds = time.perf_counter() - began
    each = 1000 * (worked - planned) / given
    print(
        f"a pass that gives {given} devices: {seconds:.2f} s;"
        f" {each:.1f} ms of processor time each (limit {MOST_MILLISECONDS} ms)"
    )
    empty()


def main() -> None:
    with lab():
        logging.disable(logging.INFO)
        measure()
        assign()


if __name__ == "__main__":
    main()
