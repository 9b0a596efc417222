"""A lab with a long history, written below the models: a hundred thousand jobs in seconds.

It differs with the number of jobs only in what a history adds: finished jobs, their results, events and changes of
health. So a page that costs more in a larger one pays for the history alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from django.db.models import Field, Model

    from jobs.history.queue import Bucket

TYPES, DEVICES, WORKERS, TAGS, USERS, GROUPS = 20, 300, 10, 5, 50, 10
RUNNING, QUEUED = 100, 200
SHUT_TYPES = 2  # seen by one group each
CASES = 5  # of every fourth job
BIG_CASES = 50_000  # of one job
SHORT_LOG, LONG_LOG = 200, 20_000  # lines
TOKENS = 3  # of each user
NOTES = 500  # in the audit trail
TIMEOUT = timedelta(minutes=30)  # of each job
GAP = timedelta(minutes=1)  # between two submissions
MEMBER, ADMIN = "user-01", "admin"
CHUNK = 20_000  # rows of one statement
VISIBILITIES = ("public",) * 8 + ("personal", "group")
HEALTHS = (0,) * 6 + (1, 3, 4, 5)  # of devices that run nothing

TYPES_OF_MOVES = ("job.submitted", "job.scheduled", "job.started", "job.completed")
STATES = (None, "Submitted", "Scheduled", "Running", "Finished")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which job is what: their ids begin with 1; the finished ones come first, then those that run and that wait."""

    jobs: int
    began: datetime

    @property
    def finished(self) -> int:
        return self.jobs - RUNNING - QUEUED

    @property
    def running(self) -> int:
        """The first that runs."""
        return self.finished + 1

    @property
    def queued(self) -> int:
        """The first that waits."""
        return self.running + RUNNING

    @property
    def plain(self) -> int:
        """A public one with a few results, in the middle of the history."""
        return self.finished // 8 * 4

    @property
    def big(self) -> int:
        """A public one with BIG_CASES results and a long log."""
        return self.plain + 4

    def is_landmark(self, job: int) -> bool:
        return job in (self.plain, self.big, self.running, self.queued)

    def submitted(self, job: int) -> datetime:
        return self.began + GAP * job


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Of a job to its next state."""

    job: int
    number: int  # within the job, from 1
    sequence: int
    time: datetime

    @property
    def type(self) -> str:
        return TYPES_OF_MOVES[self.number - 1]

    @property
    def source(self) -> str | None:
        return STATES[self.number - 1]

    @property
    def target(self) -> str:
        return str(STATES[self.number])


def fill(jobs: int) -> Plan:
    """Needs an empty database."""
    if jobs < 2 * (RUNNING + QUEUED):
        raise ValueError(f"expected at least {2 * (RUNNING + QUEUED)} jobs, got {jobs}")
    from django.db import transaction

    began = datetime.now(UTC).replace(microsecond=0) - GAP * (jobs + 1)
    plan = Plan(jobs=jobs, began=began)
    with transaction.atomic():
        _people()
        _inventory(plan)
        _history(plan)
        _history_of_the_queue(plan)
    _give_next_keys()
    return plan


def _people() -> None:
    from django.contrib.auth.models import Group, User

    from accounts.models import Token

    groups = [Group.objects.create(name=f"group-{number}") for number in range(GROUPS)]
    names = [ADMIN, *(f"user-{number:02}" for number in range(1, USERS))]
    for number, name in enumerate(names):
        user = User.objects.create_user(name, is_staff=name == ADMIN, is_superuser=name == ADMIN)
        user.groups.add(groups[number % GROUPS], groups[number // 5 % GROUPS])
        for token in range(TOKENS):
            Token.objects.issue(user, description=f"token {token}")


def _inventory(plan: Plan) -> None:
    from django.contrib.auth.models import Group

    from devices.models import (
        Device,
        DeviceRight,
        DeviceType,
        DeviceTypeRight,
        HealthChange,
        Right,
        Tag,
        Worker,
    )

    _insert(DeviceType, ({"name": _type(number)} for number in range(TYPES)))
    _insert(Tag, ({"id": number + 1, "name": f"tag-{number}"} for number in range(TAGS)))
    _insert(Worker, ({"name": f"worker-{number}", "state": 0} for number in range(WORKERS)))
    _insert(Device, map(_device_row, range(DEVICES)))
    _insert(Device.tags.through, ({"device_id": _device(n), "tag_id": n % TAGS + 1} for n in range(DEVICES)))
    _insert(HealthChange, (_health_change(plan, number) for number in range(DEVICES + plan.jobs // 10)))
    groups = list(Group.objects.order_by("name"))
    for number in range(SHUT_TYPES):
        DeviceTypeRight.objects.create(group=groups[number], device_type_id=_type(number), right=Right.VIEW)
    for number, group in enumerate(groups):
        DeviceRight.objects.create(group=group, device_id=_device(RUNNING + number), right=Right.CHANGE)


def _device_row(number: int) -> Row:
    health = 0 if number < RUNNING else HEALTHS[number // TYPES % len(HEALTHS)]
    return {
        "name": _device(number),
        "device_type_id": _type(number % TYPES),
        "worker_id": f"worker-{number % WORKERS}",
        "state": 2 if number < RUNNING else 0,
        "health": health,
        "health_reason": "the power switch clicks and nothing happens" if health > 1 else "",
    }


def _health_change(plan: Plan, number: int) -> Row:
    """Into maintenance and back, again and again."""
    before = number // DEVICES  # lines of the same device
    lasted = GAP * 10 * DEVICES // timedelta(microseconds=1)
    return {
        "device_id": _device(number % DEVICES),
        "time": _stored(plan.began + GAP * 10 * number),
        "previous": before % 2 * 4,
        "health": (before + 1) % 2 * 4,
        "spent": json.dumps({"4": (before + 1) // 2 * lasted, "0": before // 2 * lasted}),
        "reason": "a new power supply",
        "by": MEMBER,
    }


def _history(plan: Plan) -> None:
    from django.db.models import OuterRef, Subquery

    from events.models import Counter, Event
    from jobs.models import Attempt, Job, TestCase, TestSuite

    jobs, begun = range(1, plan.jobs + 1), range(1, plan.queued)
    with_cases = range(4, plan.finished + 1, 4)
    _insert(Job, _jobs(plan))
    _insert(Job.tags.through, ({"job_id": job, "tag_id": job % TAGS + 1} for job in jobs if job % 3 == 0))
    _insert(
        Job.viewing_groups.through,
        (
            {"job_id": job, "group_id": job // 10 % GROUPS + 1}
            for job in jobs
            if _visibility(plan, job) == "group"
        ),
    )
    _insert(Attempt, (_attempt(plan, job) for job in begun))
    Attempt.objects.update(device_name=Subquery(Job.objects.filter(pk=OuterRef("job")).values("device")))
    # A suite has the id of its attempt, which has the id of its job.
    _insert(TestSuite, ({"id": job, "attempt_id": job, "name": "0_smoke"} for job in with_cases))
    _insert(TestCase, _cases(plan, with_cases))
    failed = TestCase.objects.filter(result="fail").values("attempt__job")
    Job.objects.filter(pk__in=failed, outcome="pass").update(outcome="fail")
    Counter.objects.create(name="sequence", value=_insert(Event, _events(plan)))
    _insert_notes(plan)
    _write_log(Job.objects.get(pk=plan.plain), SHORT_LOG)
    _write_log(Job.objects.get(pk=plan.big), LONG_LOG)


def _jobs(plan: Plan) -> Iterator[Row]:
    from django.contrib.auth.models import User

    from jobs.states import Health, outcome

    chosen = random.Random(1)
    users = list(User.objects.order_by("pk").values_list("pk", flat=True))
    for job in range(1, plan.jobs + 1):
        is_finished, is_queued = job <= plan.finished, job >= plan.queued
        health = chosen.choices((1, 2, 3), (7, 2, 1))[0] if is_finished else 0
        if plan.is_landmark(job) and is_finished:
            health = 1
        error_type = ("Job", "Job", "Infrastructure")[job % 3] if health == 2 else ""
        device = _device_of(plan, job, chosen)
        submitted = plan.submitted(job)
        yield {
            "id": job,
            "uuid": UUID(int=chosen.getrandbits(128), version=4).hex,
            "submitter_id": chosen.choice(users[: chosen.randrange(USERS) + 1]),  # some submit most of it
            "description": f"boot test {job % 97} of branch {job % 11}",
            "definition": _definition(job, _type(device % TYPES)),
            "device_type_id": _type(device % TYPES),
            "device_id": None if is_queued else _device(device),
            "priority": job % 101,
            "visibility": _visibility(plan, job),
            "state": 5 if is_finished else 0 if is_queued else 3,
            "health": health,
            "submit_time": _stored(submitted),
            "start_time": None if is_queued else _stored(submitted + GAP),
            "end_time": _stored(submitted + GAP * (2 + job % 30)) if is_finished else None,
            "job_timeout": _kept(TIMEOUT),
            "error_type": error_type,
            "outcome": outcome(Health(health), error_type, has_failures=False) or "",
            "failure_comment": "the kernel did not boot within 2 minutes" if health == 2 else "",
        }


def _device_of(plan: Plan, job: int, chosen: random.Random) -> int:
    if plan.running <= job < plan.queued:
        return (job - plan.running + SHUT_TYPES) % RUNNING
    if plan.is_landmark(job):
        return SHUT_TYPES
    return chosen.randrange(DEVICES)


def _visibility(plan: Plan, job: int) -> str:
    return "public" if plan.is_landmark(job) else VISIBILITIES[job % len(VISIBILITIES)]


def _definition(job: int, device_type: str) -> str:
    steps = "\n".join(f"              - lava-test-case step-{step} --shell true" for step in range(10))
    return f"""job_name: boot test {job % 97} of branch {job % 11}
device_type: {device_type}
visibility: public
priority: {job % 101}
timeouts:
  job: {{minutes: 30}}
  action: {{minutes: 10}}
metadata:
  branch: branch-{job % 11}
  commit: {job:040x}
actions:
  - test:
      definitions:
        - from: inline
          name: smoke
          path: inline/smoke.yaml
          repository:
            metadata:
              format: Lava-Test Test Definition 1.0
              name: smoke
            run:
              steps:
{steps}
"""


def _attempt(plan: Plan, job: int) -> Row:
    submitted = plan.submitted(job)
    return {
        "id": job,
        "job_id": job,
        "number": 1,
        "device_name": "",  # its job's, once both are there
        "worker_name": "worker-0",
        "scheduled": _stored(submitted + GAP / 2),
        "started": _stored(submitted + GAP),
        "ended": _stored(submitted + GAP * (2 + job % 30)) if job <= plan.finished else None,
        "result": "pass" if job <= plan.finished else "",
    }


def _cases(plan: Plan, jobs: Iterable[int]) -> Iterator[Row]:
    for job in jobs:
        logged = _stored(plan.submitted(job) + GAP * 2)
        failing = 3 if plan.is_landmark(job) else job % 7
        for index in range(BIG_CASES if job == plan.big else CASES):
            yield {
                "attempt_id": job,
                "suite_id": job,
                "index": index,
                "name": f"step-{index}",
                "result": "fail" if index == failing else "pass",
                "measurement": f"{index % 100}.5" if index % 3 == 0 else None,
                "units": "seconds" if index % 3 == 0 else "",
                "log_start": index,
                "log_end": index + 1,
                "logged": logged,
            }


def _moves(plan: Plan) -> Iterator[Move]:
    """What happened to each job, one after the other."""
    sequence = count(1)
    for job in range(1, plan.jobs + 1):
        told = 4 if job <= plan.finished else 3 if job < plan.queued else 1
        for number in range(1, told + 1):
            time = plan.submitted(job) + GAP * number
            yield Move(job=job, number=number, sequence=next(sequence), time=time)


def _events(plan: Plan) -> Iterator[Row]:
    """What the lab has told of them."""
    for move in _moves(plan):
        data = {
            "job": move.job,
            "previous_state": move.source,
            "state": move.target,
            "health": "Complete" if move.target == "Finished" else "Unknown",
            "submitter": MEMBER,
        }
        yield {
            "id": move.sequence,
            "sequence": move.sequence,
            "uid": f"{move.sequence:032x}",
            "type": move.type,
            "time": _stored(move.time),
            "actor": MEMBER if move.number == 1 else "worker-0",
            "cause": "user" if move.number == 1 else "worker",
            "subject": str(move.job),
            "job_id": move.job,
            "job_sequence": move.number,
            "attempt": 1,
            "data": json.dumps(data),
        }


def _history_of_the_queue(plan: Plan) -> None:
    """As the lab makes it from its events, which takes it minutes for so many at once."""
    from events.models import Counter
    from jobs.history import queue
    from jobs.history.queue import Bucket, Counts
    from jobs.models import QueueBucket, QueueRecord

    buckets: dict[tuple[int, datetime], Bucket] = {}

    def records() -> Iterator[Row]:
        counts: Counts = {}
        for move, time in _in_order(_moves(plan)):
            counts = queue.moved(counts, move.source, move.target)
            for span in queue.STORED_SPANS:
                key = span, queue.begin(time, span)
                bucket = buckets.get(key) or Bucket(start=key[1], peak=counts, last=counts)
                buckets[key] = bucket.with_record(counts)
            number = move.sequence
            yield {"number": number, "sequence": number, "time": _stored(time), "counts": json.dumps(counts)}

    last = _insert(QueueRecord, records())
    _insert(QueueBucket, (_bucket_row(span, bucket) for (span, _), bucket in buckets.items()))
    Counter.objects.create(name=queue.COUNTER, value=last)


def _in_order(moves: Iterable[Move]) -> Iterator[tuple[Move, datetime]]:
    """With times that never go back, as one job's end is told before the next one's beginning."""
    latest = datetime.min.replace(tzinfo=UTC)
    for move in moves:
        latest = max(latest, move.time)
        yield move, latest


def _bucket_row(span: int, bucket: Bucket) -> Row:
    return {
        "span": span,
        "start": _stored(bucket.start),
        "peak": json.dumps(bucket.peak),
        "last": json.dumps(bucket.last),
    }


def _insert_notes(plan: Plan) -> None:
    from django.contrib.admin.models import LogEntry
    from django.contrib.auth.models import User
    from django.contrib.contenttypes.models import ContentType

    from jobs.models import Job

    kind, admin = ContentType.objects.get_for_model(Job).pk, User.objects.get(username=ADMIN).pk
    _insert(
        LogEntry,
        (
            {
                "user_id": admin,
                "content_type_id": kind,
                "object_id": str(job),
                "object_repr": f"job {job}",
                "action_flag": 2,
                "change_message": "canceled: the wrong branch",
            }
            for job in range(1, NOTES + 1)
        ),
    )


def _write_log(job: Any, length: int) -> None:
    from jobs import logs
    from jobs.logs import Record

    began = datetime(2026, 1, 1)
    lines = [
        Record(
            time=began + timedelta(milliseconds=number),
            level="target",
            message=f"[{number / 1000:12.6f}] usb 1-1: new high-speed USB device number {number}",
        )
        for number in range(length)
    ]
    logs.append(job.log_directory(), 0, lines)


def _insert(model: type[Model], rows: Iterable[Row]) -> int:
    """Rows by column, with values as the database keeps them. What they leave out is the field's default."""
    from django.db import connection, transaction

    written = 0
    with transaction.atomic(), connection.cursor() as cursor:
        rest_of_rows = iter(rows)
        while chunk := list(islice(rest_of_rows, CHUNK)):
            defaults = _defaults(model, without=chunk[0])
            columns = [*chunk[0], *defaults]
            same = tuple(defaults.values())
            _write(cursor, model._meta.db_table, columns, [(*row.values(), *same) for row in chunk])
            written += len(chunk)
    return written


def _write(cursor: Any, table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    names = ", ".join(f'"{column}"' for column in columns)
    if cursor.db.vendor == "postgresql":
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    places = ", ".join(["%s"] * len(columns))
    cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)


def _defaults(model: type[Model], *, without: Row) -> Row:
    columns = {str(field.column): field for field in model._meta.concrete_fields if not field.primary_key}
    return {column: _default(field) for column, field in columns.items() if column not in without}


def _default(field: Field[Any, Any]) -> Any:
    from django.db import connection

    value = field.get_default()
    # PostgreSQL's COPY takes JSON as text.
    return json.dumps(value) if isinstance(value, dict) else field.get_db_prep_save(value, connection)


def _stored(time: datetime) -> str:
    """As SQLite keeps it and PostgreSQL reads it, where a connection's zone is UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _kept(length: timedelta) -> Any:
    from django.db import connection
    from django.db.models import DurationField

    return DurationField().get_db_prep_value(length, connection)


def _give_next_keys() -> None:
    """PostgreSQL's counters do not notice keys that were given; and it plans by what it knows of its tables."""
    from django.apps import apps
    from django.core.management.color import no_style
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")


def _type(number: int) -> str:
    return f"board-{number:02}"


def _device(number: int) -> str:
    return f"board-{number % TYPES:02}-{number // TYPES:02}"
