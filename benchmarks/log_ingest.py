"""How many lines a second many jobs get into their logs, sent as lava-worker sends them, and stored.

Run: python -m benchmarks.log_ingest [--jobs 200] [--lines 500] [--posts 5] [--servers 1]
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from time import perf_counter
from urllib.parse import urlencode

from benchmarks import throwaway
from benchmarks.processes import forked, processor, serve, wait_until_it_answers
from tests.parallel import together

WORKERS = 8  # connections that send at the same time, as so many workers do
LOGS = "/scheduler/internal/v1/jobs/{job}/logs/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LINE = '- {{"dt": "2026-03-01T12:00:00.{:06}", "lvl": "target", "msg": "[{:12.6f}] usb 1-1: new high-speed USB device number 4"}}'
FLOOR = 50_000  # lines a second

Senders = Sequence[tuple[int, str]]  # jobs, each with the token that its worker has


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--lines", type=int, default=500, help="in one post")
    parser.add_argument("--posts", type=int, default=5, help="of each job")
    parser.add_argument("--servers", type=int, default=1, help="processes of the web role")
    given = parser.parse_args()
    with throwaway.lab():
        jobs = _running_jobs(given.jobs)
        bodies = [_body(number * given.lines, given.lines) for number in range(given.posts)]
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        measure(jobs, bodies, given.lines, given.servers)


def measure(jobs: Senders, bodies: Sequence[str], lines: int, servers: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    port = listener.getsockname()[1]
    with ExitStack() as running:
        pids = [running.enter_context(forked(lambda: serve(listener))) for _ in range(servers)]
        listener.close()
        wait_until_it_answers(port)
        before = sum(map(processor, pids))
        began = perf_counter()
        together(*[lambda part=jobs[place::WORKERS]: _send(port, part, bodies) for place in range(WORKERS)])
        took = perf_counter() - began
        cpu = sum(map(processor, pids)) - before
    total = len(jobs) * len(bodies) * lines
    size = len(jobs) * sum(map(len, bodies))
    mark = "" if total / took >= FLOOR else "  MISSED"
    print(
        f"{len(jobs)} jobs, posts of {lines} lines, {servers} web processes: "
        f"{total / took:,.0f} lines/s in sum (at least {FLOOR:,}){mark}, {size / took / 1e6:.0f} MB/s of forms, "
        f"{total / cpu:,.0f} lines for a second of processor"
    )


def _running_jobs(count: int) -> Senders:
    from django.db import connections

    from jobs.states import State
    from tests import build
    from workers.tokens import token_of

    jobs = [build.job(state=State.RUNNING, device=f"qemu{number:03}") for number in range(count)]
    senders = [(job.pk, token_of(job.pk, job.attempt)) for job in jobs]
    connections.close_all()
    return senders


def _body(first: int, count: int) -> str:
    lines = "\n".join(
        LINE.format(number % 1_000_000, number / 1_000) for number in range(first, first + count)
    )
    return urlencode({"lines": lines, "index": first})


def _send(port: int, jobs: Senders, bodies: Sequence[str]) -> None:
    """A post of each job, then the next of each, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for body in bodies:
        for job, token in jobs:
            connection.request("POST", LOGS.format(job=job), body, {"LAVA-Token": token, **FORM})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != http.client.OK:
                raise SystemExit(f"job {job}: {answer.status} {said[:200]!r}")
    connection.close()


if __name__ == "__main__":
    main()
