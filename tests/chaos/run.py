"""One run: chaos, then rest, and the audit of what everybody heard and of what became of the jobs."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from api.core4.interest import SUMMARY
from events import catalogue
from tests.chaos import audit, deeds
from tests.chaos.audit import Entry, Finding, Promise
from tests.chaos.deeds import Diary, Hand
from tests.chaos.listeners import (
    Core4Socket,
    Heard,
    History,
    LavaSocket,
    Listener,
    Queue,
    Stream,
    Subscriber,
    Webhook,
)
from tests.chaos.servers import PostgreSQL
from tests.chaos.stage import FINISHED, LINES, LOOK, TO_REST, Load, Stage, post, stage, unfinished
from tests.lab import Lab, eventually
from tests.statements.visitors import log

TO_HEAR = 60.0  # seconds in which somebody hears of something, if anybody still will
SAID_AGAIN = 5  # times at most
COMPLETE = 1  # the health of a job in the table

Say = Callable[[str], object]


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


def run(seconds: float, seed: int, say: Say) -> Report:
    """As much chaos as fits into so many seconds. It takes longer: to begin, and until everybody has caught up."""
    with stage() as on:
        diary = Diary()
        say(f"seed {seed}: chaos for {seconds:g} s")
        try:
            return _run(on, seconds, seed, diary, say)
        except Exception as error:
            error.add_note("\n".join([f"seed {seed}", *diary.lines, *on.last_words]))
            raise


def _run(on: Stage, seconds: float, seed: int, diary: Diary, say: Say) -> Report:
    load = Load(on.lab, on.database, on.witness)
    with ExitStack() as at_work:
        for each in (load, *_hands(on, seed, diary)):
            each.start()
            at_work.callback(each.stop)
        time.sleep(seconds)
    diary.say("the chaos is over")
    say("\n".join(f"{count:6} times: {deed}" for deed, count in sorted(diary.deeds.items())))
    end = _come_to_rest(on, diary)
    for listener in on.listeners:
        listener.stop()
    return Report(seed=seed, findings=_audit(on, load, end), diary=diary, last_words=on.last_words)


def _hands(on: Stage, seed: int, diary: Diary) -> list[Hand]:
    packs = {
        "lab": deeds.to_the_lab(on.lab, on.database),
        "broker": deeds.to_the_broker(on.broker, on.to_broker),
        "listeners": deeds.to_listeners(on.listeners, [on.to_zmq], on.webhook),
    }
    return [Hand(pack, random.Random(f"{seed} {name}"), diary) for name, pack in packs.items()]


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
    return [each.name for each in on.everybody if end not in {event.sequence for event in each.heard}]


def _audit(on: Stage, load: Load, end: int) -> list[Finding]:
    table = _table(on.database, end)
    has_frame = [entry for entry in table if _has_frame(entry)]
    later = [entry for entry in table if entry.sequence > on.begin]
    of_core4 = [
        entry for entry in table if entry.type != SUMMARY
    ]  # its channel `queue` has summaries of its own
    promises: dict[str, tuple[str, Promise, list[Entry]]] = {
        LavaSocket.name: ("exactly once, in order", audit.exactly_once, has_frame),
        Core4Socket.name: ("exactly once, in order", audit.exactly_once, of_core4),
        Stream.name: ("exactly once, in order", audit.exactly_once, table),
        History.name: ("exactly once, in order", audit.exactly_once, table),
        Queue.name: ("at least once, same id", audit.at_least_once, later),
        Subscriber.name: ("gaps are seen and fetched", audit.exactly_once, table),
        Webhook.name: ("at least once, same id", audit.at_least_once, later),
    }
    findings = [_finding(each, *promises[each.name], end) for each in on.everybody]
    told = [event for event in on.subscriber.told if event.sequence <= end]
    return [*findings, _of_zmq(told, has_frame), _of_the_table(on.database, table), _of_jobs(on, load)]


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


def _of_jobs(on: Stage, load: Load) -> Finding:
    rows = on.database.ask(
        "SELECT id, description, state, health FROM jobs_job WHERE description LIKE 'counted-%'"
    )
    begun = Counter((on.witness / "begun").read_text().split())
    beside = sorted(path.name.removeprefix("beside-") for path in on.witness.glob("beside-*"))
    lost = sorted(load.accepted - {name for _, name, _, _ in rows})
    return Finding(
        name="jobs",
        promise="complete, once, whole logs",
        expected=len(rows),
        found=begun.total(),
        faults=[
            *(f"{name} was accepted and is not there" for name in lost),
            *(f"{name} ran {begun[name]} times" for _, name, _, _ in rows if begun[name] != 1),
            *(f"{name} ran beside another job on its device" for name in beside),
            *(fault for pk, name, *state in rows for fault in _faults_of_job(on.lab, pk, name, state)),
        ],
    )


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
