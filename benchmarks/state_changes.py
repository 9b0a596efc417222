"""Changes of state per second through the verbs, by one client of the database and by several at once.

Run: python -m benchmarks.state_changes [--jobs 400] [--clients 1 2 4 8]

Jobs are given their devices, begin and end; every verb is a transaction of its own that locks, moves, tells and
commits. A job and its device change state with each verb, and each change is an event. Each client is a process that has
jobs of its own. What else the machine does meanwhile makes all of it slower: the load is printed, too.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable, Sequence

from benchmarks.throwaway import lab

AIM, FLOOR = 1_000, 400  # changes of state per second

Deed = Callable[[int, str], object]  # to a job, on a device


def fill(jobs: int) -> list[tuple[int, str]]:
    """Jobs, each with the device that is for it."""
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

    from devices.models import Device, DeviceType, Worker
    from devices.states import DeviceHealth, WorkerState
    from jobs.models import Job

    submitter, _ = User.objects.get_or_create(username="alice")
    board, _ = DeviceType.objects.get_or_create(name="board")
    # The rows are of a benchmark: nobody is told of them.
    QuerySet(Worker).bulk_create([Worker(name="worker", state=WorkerState.ONLINE)], ignore_conflicts=True)
    worker = Worker.objects.get()
    there = Device.objects.count()
    names = [f"board-{number:06}" for number in range(there, there + jobs)]
    QuerySet(Device).bulk_create(
        Device(name=name, device_type=board, worker=worker, health=DeviceHealth.GOOD) for name in names
    )
    made = QuerySet(Job).bulk_create(
        Job(description="waits", definition="# " + "x" * 2_000, device_type=board, submitter=submitter)
        for _ in names
    )
    return [(job.pk, name) for job, name in zip(made, names, strict=True)]


def verbs() -> dict[str, Deed]:
    """The whole life of a job with its device, by the name of each verb."""
    from jobs import lifecycle
    from jobs.lifecycle import Ending

    return {
        "schedule": lambda job, device: lifecycle.schedule(job, device),
        "start": lambda job, _: lifecycle.start(job, worker="worker"),
        "finish": lambda job, _: lifecycle.finish(job, Ending(passed=True), worker="worker"),
    }


def measure(verb: str, deed: Deed, pairs: list[tuple[int, str]]) -> tuple[int, float]:
    """How many changes of state were told, and the seconds that they took."""
    from events.models import Event

    (job, device), *others = pairs
    before = Event.objects.count()
    began, worked = time.perf_counter(), time.process_time()
    for each in others:
        deed(*each)
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    changes = Event.objects.count() - before
    print(
        f"{verb:10} {len(others) / seconds:7.0f} verbs/s {changes / seconds:7.0f} changes of state/s;"
        f" each {1000 * seconds / len(others):.1f} ms, {1000 * worked / len(others):.1f} ms of processor time,"
        f" {number_of_queries(lambda: deed(job, device))} queries"
    )
    return changes, seconds


def number_of_queries(deed: Callable[[], object]) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        deed()
    return len(queries)


def measure_together(clients: int, jobs: int) -> None:
    """So many processes at once, each with its share of the jobs."""
    from django.db import connections

    shares = [fill(jobs) for _ in range(clients)]
    connections.close_all()
    ready, go = os.pipe(), os.pipe()
    children = [_forked(share, ready[1], go[0]) for share in shares]
    for _ in children:
        os.read(ready[0], 1)
    began = time.perf_counter()
    os.write(go[1], b"x" * clients)
    failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    seconds = time.perf_counter() - began
    if failed:
        raise SystemExit(f"{failed} of {clients} clients failed")
    changes = _changes_of(shares)
    mark = "" if changes / seconds >= FLOOR else "  BELOW THE FLOOR"
    print(f"{clients} clients: {changes / seconds:7.0f} changes of state/s{mark}{_load()}")


def _forked(pairs: Sequence[tuple[int, str]], ready: int, go: int) -> int:
    """A process that does all verbs to these jobs when it is told to."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _work(pairs, ready, go)
            code = 0
        except Exception:
            logging.exception("A client failed")
        finally:
            os._exit(code)
    return child


def _work(pairs: Sequence[tuple[int, str]], ready: int, go: int) -> None:
    from django.db import connection

    connection.ensure_connection()
    os.write(ready, b"x")
    os.read(go, 1)
    for deed in verbs().values():
        for pair in pairs:
            deed(*pair)


def _changes_of(shares: Sequence[Sequence[tuple[int, str]]]) -> int:
    from events.models import Event

    jobs = Event.objects.filter(job_id__in=[job for share in shares for job, _ in share])
    boards = Event.objects.filter(subject__in=[board for share in shares for _, board in share])
    return jobs.count() + boards.count()


def _load() -> str:
    return f"  (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=400, help="of each client")
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 2, 4, 8], help="at once")
    given = parser.parse_args()
    with lab():
        logging.disable(logging.INFO)
        pairs = fill(given.jobs)
        done = [measure(verb, deed, pairs) for verb, deed in verbs().items()]
        changes, seconds = (sum(column) for column in zip(*done, strict=True))
        print(f"altogether {changes / seconds:.0f} changes of state/s (aim {AIM:,}, floor {FLOOR}){_load()}")
        for clients in given.clients:
            measure_together(clients, given.jobs)


if __name__ == "__main__":
    main()
