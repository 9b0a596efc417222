"""One run: chaos, then rest, and the audit of what everybody heard and of what became of the jobs."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from events import catalogue
from tests.chaos import audit, deeds
from tests.chaos.audit import Entry, Finding, Promise
from tests.chaos.deeds import Diary, Hand
from tests.chaos.listeners import Consumer, Heard, History, Listener, Stream
from tests.chaos.load import FINISHED, LINES, LOOK, TO_REST, Changes, Runs, post, unfinished
from tests.chaos.messages import Queue, Subscriber, Webhook
from tests.chaos.servers import PostgreSQL
from tests.chaos.sockets import Core4Socket, LavaSocket
from tests.chaos.stage import TWENTY, Cast, Stage, stage
from tests.lab import Lab, eventually
from tests.statements.visitors import log

TO_HEAR = 60.0  # seconds in which somebody hears of something, if anybody still will
SAID_AGAIN = 5  # times at most
SUMMARY = "queue.summary"
COMPLETE, CANCELED = 1, 3  # healths of a job in the table

NEAR = 10_000  # events that may come after the last one, or come again

Say = Callable[[str], object]
Row = tuple[Any, ...]  # of a job: number, name, state, health


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    seed: int
    findings: list[Finding]
    diary: Diary
    last_words: list[str]  # of the lab

    @property
    def is_clean(self) -> bool:
        return not any(finding.faults for finding in self.findings)

    @property
    def table(self) -> str:
        return "\n".join([audit.HEADING, *(finding.row for finding in self.findings)])

    @property
    def story(self) -> str:
        """What is needed to understand what is off."""
        return "\n".join([f"seed {self.seed}", *self.diary.lines, self.table, *self.last_words])


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    runs: Runs
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How bad it gets."""

    seed: int
    seconds: float
    rest: float = 20.0  # seconds at most in which nothing is done to the lab, and nothing to its broker …
    rate: float = 100.0  # events a second, besides those of the jobs that run
    cast: Cast = field(default_factory=lambda: TWENTY)


def run(plan: Plan, say: Say) -> Report:
    """It takes longer than the seconds of the plan: to begin, and until everybody has caught up."""
    with stage(plan.cast) as on:
        diary = Diary()
        say(
            f"seed {plan.seed}: chaos for {plan.seconds:g} s, {plan.rate:g} events a second, "
            f"{len(on.everybody)} listeners"
        )
        try:
            return _run(on, plan, diary, say)
        except Exception as error:
            error.add_note("\n".join([f"seed {plan.seed}", *diary.lines, *on.last_words]))
            raise


def _run(on: Stage, plan: Plan, diary: Diary, say: Say) -> Report:
    runs = Runs(on.lab, on.database, on.witness)
    load = Load(runs=runs, changes=Changes(on.lab, on.database, plan.rate))
    began = time.monotonic()
    with ExitStack() as at_work:
        for each in (load.runs, load.changes, *_hands(on, plan, diary)):
            each.start()
            at_work.callback(each.stop)
        time.sleep(plan.seconds)
    took = time.monotonic() - began
    diary.say("the chaos is over")
    say("\n".join(f"{count:6} times: {deed}" for deed, count in sorted(diary.deeds.items())))
    end = _come_to_rest(on, diary)
    say(f"{(end - on.begin) / took:.0f} events a second, for {took:.0f} s")
    for listener in on.listeners:
        listener.stop()
    return Report(seed=plan.seed, findings=_audit(on, load, end), diary=diary, last_words=on.last_words)


def _hands(on: Stage, plan: Plan, diary: Diary) -> list[Hand]:
    packs = {
        "lab": deeds.to_the_lab(on.lab, on.database),
        "broker": deeds.to_the_broker(on.broker, on.to_broker),
        "listeners": deeds.to_listeners(on.listeners, on.webhooks),
    }
    return [
        Hand(pack, random.Random(f"{plan.seed} {name}"), diary, rest=plan.rest)
        for name, pack in packs.items()
    ]


def _come_to_rest(on: Stage, diary: Diary) -> int:
    """Until all jobs have ended and everybody has heard of the end; the last event that counts."""
    if not eventually(lambda: not unfinished(on.database), TO_REST, pause=LOOK):
        diary.say(f"jobs {unfinished(on.database)} do not end")
    for _ in range(SAID_AGAIN):
        # What ZMQ has lost on its way shows by what comes after it.
        end = _say_something(on)
        if _hear_all(on, end):
            break
    else:
        waits = on.database.ask("SELECT state, tries, next_try, reason FROM events_webhook")
        diary.say(f"{', '.join(_late(on, end))} did not catch up; the lab says of the webhook: {waits}")
    return end


def _say_something(on: Stage) -> int:
    assert eventually(lambda: _is_said(on.lab), TO_REST, pause=LOOK), "the lab takes no requests"
    waiting = "SELECT count(*) FROM events_event WHERE sequence IS NULL"
    assert eventually(lambda: on.database.number(waiting) == 0, TO_REST, pause=LOOK), "events get no numbers"
    return on.database.number("SELECT max(sequence) FROM events_event WHERE type = 'custom.calm'")


def _is_said(lab: Lab) -> bool:
    with suppress(OSError):  # the web role may be on its way still
        post(lab, "/api/v1/jobs/1/events/", {"name": "calm", "message": "the chaos is over"})
        return True
    return False


def _hear_all(on: Stage, end: int) -> bool:
    """Whether everybody hears of it, for as long as anybody gets any further."""
    while _late(on, end):
        before = _heard_by_all(on)
        if not eventually(lambda before=before: _heard_by_all(on) > before, TO_HEAR, pause=LOOK):  # type: ignore[misc]
            return not _late(on, end)
    return True


def _heard_by_all(on: Stage) -> int:
    return sum(len(each.heard) for each in on.everybody)


def _late(on: Stage, end: int) -> list[str]:
    return [each.name for each in on.everybody if not _has_heard(each, end)]


def _has_heard(who: Listener | Webhook, end: int) -> bool:
    """What comes again comes with all that follows it, so the end is near the end."""
    return any(event.sequence == end for event in reversed(who.heard[-NEAR:]))


def _audit(on: Stage, load: Load, end: int) -> list[Finding]:
    table = _table(on.database, end)
    has_frame = [entry for entry in table if _has_frame(entry)]
    later = [entry for entry in table if entry.sequence > on.begin]
    of_core4 = [
        entry for entry in table if entry.type != SUMMARY
    ]  # its channel `queue` has summaries of its own
    promises: dict[str, tuple[str, Promise, list[Entry]]] = {
        LavaSocket.kind: ("exactly once, in order", audit.exactly_once, has_frame),
        Core4Socket.kind: ("exactly once, in order", audit.exactly_once, of_core4),
        Stream.kind: ("exactly once, in order", audit.exactly_once, table),
        History.kind: ("exactly once, in order", audit.exactly_once, table),
        Consumer.kind: ("at least once, same id", audit.at_least_once, table),
        Queue.kind: ("at least once, same id", audit.at_least_once, later),
        Subscriber.kind: ("gaps are seen and fetched", audit.exactly_once, table),
        Webhook.kind: ("at least once, same id", audit.at_least_once, later),
    }
    findings = [_finding(each, *promises[each.kind], end) for each in on.everybody]
    alone = [
        _of_zmq([event for event in each.told if event.sequence <= end], has_frame) for each in on.subscribers
    ]
    return [
        *findings,
        *alone,
        _of_the_table(on.database, table),
        _of_runs(on, load.runs),
        _of_changes(on, load.changes),
    ]


def _finding(
    who: Listener | Webhook, promise: str, check: Promise, expected: list[Entry], end: int
) -> Finding:
    begin = expected[0].sequence
    heard = [event for event in who.heard if begin <= event.sequence <= end]
    return Finding(
        name=who.name,
        promise=promise,
        expected=len(expected),
        found=len(heard),
        connections=who.connections,
        faults=[*check(expected, heard), *who.faults[: audit.SHOWN]],
    )


def _of_zmq(told: list[Heard], expected: list[Entry]) -> Finding:
    """What the socket itself told: not all, and nothing that is not so."""
    return Finding(
        name="",
        promise="(by the socket alone)",
        expected=len(expected),
        found=len(told),
        faults=audit.of_the_table(expected, told) if told else ["the socket told nothing"],
    )


def _of_the_table(database: PostgreSQL, table: list[Entry]) -> Finding:
    per_job = (
        "SELECT job_id FROM events_event WHERE job_id IS NOT NULL GROUP BY job_id"
        " HAVING count(*) != max(job_sequence) OR min(job_sequence) != 1"
    )
    broken = [f"job {job} has a gap in its events" for (job,) in database.ask(per_job)]
    return Finding(
        name="table",
        promise="without gaps",
        expected=table[-1].sequence,
        found=len(table),
        faults=[*audit.gapless([entry.sequence for entry in table]), *broken],
    )


def _of_runs(on: Stage, runs: Runs) -> Finding:
    rows = _jobs(on.database, "counted")
    begun = Counter((on.witness / "begun").read_text().split())
    beside = sorted(path.name.removeprefix("beside-") for path in on.witness.glob("beside-*"))
    return Finding(
        name="jobs",
        promise="complete, once, whole logs",
        expected=len(rows),
        found=begun.total(),
        faults=[
            *_lost(runs.accepted, rows),
            *(f"{name} ran {begun[name]} times" for _, name, _, _ in rows if begun[name] != 1),
            *(f"{name} ran beside another job on its device" for name in beside),
            *(fault for pk, name, *state in rows for fault in _faults_of_job(on.lab, pk, name, state)),
        ],
    )


def _of_changes(on: Stage, changes: Changes) -> Finding:
    rows = _jobs(on.database, "brief")
    there = Counter(name for _, name, *_ in rows)
    canceled = [name for _, name, *state in rows if state == [FINISHED, CANCELED]]
    return Finding(
        name="jobs",
        promise="come and gone",
        expected=len(rows),
        found=len(canceled),
        faults=[
            *(
                f"of {name} were {size} jobs accepted, and {there[name]} are there"
                for name, size in changes.accepted.items()
                if there[name] != size
            ),
            *(f"{name} is not canceled" for name in sorted((there - Counter(canceled)).keys())),
        ],
    )


def _jobs(database: PostgreSQL, kind: str) -> list[Row]:
    return database.ask(
        f"SELECT id, description, state, health FROM jobs_job WHERE description LIKE '{kind}-%'"
    )


def _lost(accepted: set[str], rows: list[Row]) -> list[str]:
    there = {name for _, name, _, _ in rows}
    return [f"{name} was accepted and is not there" for name in sorted(accepted - there)]


def _faults_of_job(lab: Lab, number: int, name: str, state: list[int]) -> Iterable[str]:
    if state != [FINISHED, COMPLETE]:
        return [f"{name} (job {number}) has state and health {state}"]
    return [f"{name} (job {number}): {fault}" for fault in audit.whole_log(log(lab, number), LINES)]


def _table(database: PostgreSQL, end: int) -> list[Entry]:
    query = f"SELECT sequence, uid, type FROM events_event WHERE sequence <= {end} ORDER BY sequence"
    return [Entry(sequence, uid.hex, type) for sequence, uid, type in database.ask(query)]


def _has_frame(entry: Entry) -> bool:
    known = catalogue.find(entry.type)
    return known is not None and known.lava is not None
