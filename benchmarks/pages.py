"""How long every page and list takes in a lab with a long history. Run: python -m benchmarks.pages [--jobs 100000]

Each is asked for through the whole stack of middleware, as a visitor, a member and an administrator, in a lab with
a thousand jobs and in one with many. A page should not notice the difference, and takes 50 ms at most.

`--clock cpu` counts only what this process works, not what it waits: for SQLite on a machine that others use, too.
`--only WORDS` measures the pages whose names contain WORDS; `--explain` shows their queries instead, with the plan
of each.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from time import perf_counter, process_time
from typing import Any

from benchmarks import history, throwaway
from benchmarks.addresses import PAGES, Page

FEW = 1_000
MANY = 100_000
REPEATS, FEWEST = 40, 5  # requests for a page
ENOUGH = 1500  # ms for a page
LIMIT = 50.0  # ms
GROWTH = 1.5  # a ratio that is no noise any more, if it is of more than
NOISE = 2.0  # ms
ROWS = 50  # of a page of REST v0.2
ADMIN_ROWS = 50
USERNAMES = {"anonymous": "", "member": history.MEMBER, "admin": history.ADMIN}

READY, WRONG = "ready", "wrong"

CLOCKS = {"wall": perf_counter, "cpu": process_time}

Clock = Callable[[], float]  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    page: str
    is_long: bool
    visitor: str
    typical: float  # ms
    p95: float  # ms
    queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    page: str
    visitor: str
    address: str
    status: int


Outcome = Measured | Wrong


def main() -> None:
    asked = _arguments()
    if asked.explain:
        with throwaway.lab():
            explain(history.fill(asked.jobs), asked.only)
        return
    clock = CLOCKS[asked.clock]
    with lab_of(FEW, clock) as few, lab_of(asked.jobs, clock) as many:
        results = _print_all(few, many, asked)
    marked, wrong = sum(map(bool, results)), results.count(WRONG)
    print(f"\n{len(results)} measured, {marked} with a mark, {wrong} answered wrongly")
    sys.exit(bool(wrong))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages")
    parser.add_argument("--jobs", type=int, default=MANY)
    parser.add_argument("--only", metavar="WORDS", default="")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--explain", action="store_true")
    return parser.parse_args()


@contextmanager
def lab_of(jobs: int, clock: Clock) -> Iterator[Connection]:
    """A process that measures visits in a lab of its own, as a process sets up Django once, for one database."""
    spawn = get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_measure_for, args=(there, jobs, clock))
    process.start()
    there.close()
    try:
        yield here
    finally:
        here.close()
        process.join()


def _measure_for(asker: Connection, jobs: int, clock: Clock) -> None:
    with throwaway.lab():
        began = perf_counter()
        plan = history.fill(jobs)
        print(f"{jobs:,} jobs written in {perf_counter() - began:.0f} s", flush=True)
        _load_as_the_lab_does()
        visitors = {name: Visitor(name, plan) for name in USERNAMES}
        asker.send(READY)
        with suppress(EOFError):  # nothing is asked any more
            while True:
                name, page = asker.recv()
                asker.send(measure(page, visitors[name], clock))


def _load_as_the_lab_does() -> None:
    from lava_lite import roles

    roles.load()
    _set_aside()


def _set_aside() -> None:
    """Each request of the client of Django's tests leaves something in memory for ever, as no request of a browser
    does; to look through that again and again is none of a page's work."""
    gc.collect()
    gc.freeze()


def _visits(words: str) -> Iterator[tuple[str, Page]]:
    """Who, and what."""
    for name in USERNAMES:
        for page in PAGES:
            if words in page.name and name in page.visitors:
                yield name, page


class Visitor:
    """Somebody with a session, and with a token for the APIs."""

    def __init__(self, name: str, plan: history.Plan) -> None:
        from django.contrib.auth.models import User
        from django.test import Client

        from accounts.models import Token

        self.name = name
        self._plan = plan
        self._browser = self._program = Client()
        if username := USERNAMES[name]:
            user = User.objects.get(username=username)
            self._browser.force_login(user)
            self._program = Client(headers={"authorization": f"Token {Token.objects.issue(user)}"})

    def address(self, page: Page) -> str:
        places = {"plan": self._plan, "admin_last": self._plan.jobs // ADMIN_ROWS}
        if "{last}" in page.address or "{middle}" in page.address:
            places |= self._offsets(page)
        return page.address.format(**places)

    def _offsets(self, page: Page) -> dict[str, int]:
        count = json.loads(self.ask(page.address.format(plan=self._plan, last=0, middle=0)).content)["count"]
        return {"middle": count // 2, "last": max(0, count - ROWS)}

    def ask(self, address: str) -> Answer:
        """With the whole body, which may be made while it is sent."""
        client = self._program if address.startswith("/api/") else self._browser
        response: Any = client.get(address)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        response.close()
        return Answer(status=response.status_code, content=body)


def measure(page: Page, visitor: Visitor, clock: Clock) -> Outcome:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    address = visitor.address(page)
    with CaptureQueriesContext(connection) as queries:
        answer = visitor.ask(address)
        count = len(queries)
    if answer.status != page.status:
        return Wrong(page=page.name, visitor=visitor.name, address=address, status=answer.status)
    visitor.ask(address)
    _set_aside()
    times = _times(visitor, address, clock)
    return Measured(
        page=page.name,
        is_long=page.is_long,
        visitor=visitor.name,
        typical=median(times),
        p95=throwaway.percentile(times, 95),
        queries=count,
    )


def _times(visitor: Visitor, address: str, clock: Clock) -> list[float]:
    """In ms; a few only where each takes long, as it is no question then."""
    times: list[float] = []
    while len(times) < FEWEST or (len(times) < REPEATS and sum(times) < ENOUGH):
        began = clock()
        visitor.ask(address)
        times.append((clock() - began) * 1000)
    return times


def _print_all(few: Connection, many: Connection, asked: argparse.Namespace) -> list[str]:
    """A line for each visit, as soon as both labs have measured it, one after the other. The marks of each."""
    few.recv(), many.recv()
    print(f"\n{'':44} {FEW:>9,} jobs {asked.jobs:>25,} jobs   growth queries")
    print(f"{'page':34} {'visitor':9} {'p50':>6} {'p95':>7} {'p50':>14} {'p95':>7}", flush=True)
    return [_print(_ask(few, visit), _ask(many, visit)) for visit in _visits(asked.only)]


def _ask(lab: Connection, visit: tuple[str, Page]) -> Outcome:
    lab.send(visit)
    outcome: Outcome = lab.recv()
    return outcome


def _print(before: Outcome, after: Outcome) -> str:
    for outcome in (before, after):
        if isinstance(outcome, Wrong):
            print(
                f"WRONG: {outcome.page} as {outcome.visitor}: {outcome.address} answered {outcome.status}",
                flush=True,
            )
            return WRONG
    assert isinstance(before, Measured)
    assert isinstance(after, Measured)
    growth = after.typical / before.typical
    marks = _marks(before, after, growth)
    queries = f"{after.queries}" if before.queries == after.queries else f"{before.queries}>{after.queries}"
    print(
        f"{after.page:34} {after.visitor:9} {before.typical:6.1f} {before.p95:7.1f}"
        f" {after.typical:14.1f} {after.p95:7.1f} {growth:10.1f} {queries:>7} {marks}",
        flush=True,
    )
    return marks


def _marks(before: Measured, after: Measured, growth: float) -> str:
    marks = {
        f"over {LIMIT:.0f} ms": after.p95 > LIMIT and not after.is_long,
        "grows": growth > GROWTH and after.typical - before.typical > NOISE,
        "more queries": after.queries > before.queries,
    }
    return ", ".join(mark for mark, is_set in marks.items() if is_set)


def explain(plan: history.Plan, words: str) -> None:
    """Each query of these pages: how long it took, and how the database goes about it."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    visitors = {name: Visitor(name, plan) for name in USERNAMES}
    for name, page in _visits(words):
        visitor = visitors[name]
        address = visitor.address(page)
        visitor.ask(address)
        with CaptureQueriesContext(connection) as queries:
            visitor.ask(address)
            asked = queries.captured_queries
        print(f"\n=== {page.name} as {visitor.name}: {address}")
        for query in asked:
            print(f"\n{float(query['time']) * 1000:.0f} ms: {query['sql']}")
            _show_plan(query["sql"])


def _show_plan(sql: str) -> None:
    from django.db import connection

    if not sql.startswith("SELECT"):
        return
    how = "EXPLAIN (ANALYZE, BUFFERS)" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{how} {sql}")
        for row in cursor.fetchall():
            print(f"    {row[-1]}")


if __name__ == "__main__":
    main()
