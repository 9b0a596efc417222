"""The steps of a job: found in its log, told to the world, shown.

Each is unique by its attempt and the index of the record that began it, and remembers the last record that said
something of it, so records that are sent twice are looked at twice and change nothing the second time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import UTC
from typing import Any

from django.db import transaction
from django.utils import timezone

from events import outbox
from events.outbox import Cause, News
from jobs import logs, outline, progress
from jobs.logs import Appended
from jobs.models import Attempt, Job, Step
from jobs.outline import Change, Mark, Outline, Place, StepState, mark_of
from jobs.states import Health

KEPT = [each.name for each in fields(outline.Step)]
CHANGING = ["state", "ended", "last_record", "end_offset", "seen"]


def collect(attempt: Attempt, appended: Appended) -> int:
    """Store what these records say of steps; how many changes that made. Other records are passed over."""
    marks = list(_marks(appended))
    if not marks:
        return 0
    with transaction.atomic():
        job = Job.objects.locked().filter(pk=attempt.job_id).first()
        if job is None:  # deleted meanwhile
            return 0
        known = _outline_of(attempt)
        for mark, place in marks:
            known.take(mark, place)
        if job.is_finished or job.attempt != attempt.number:
            known.close(_state_at_end(job), timezone.now())
        _store(attempt, known, logs.spans(attempt.log_directory, _records_of(known.changes)))
        _tell(job, attempt, known.changes, Cause(kind="worker", actor=attempt.worker_name))
        if began := [change.step for change in known.changes if change.event is outline.Event.STARTED]:
            progress.step_began(job, attempt, began[-1])
    return len(known.changes)


def close(job: Job) -> None:
    """What still ran when an attempt ended has ended with it. The job's row must be locked."""
    running = Step.objects.filter(attempt__job=job, ended__isnull=True)
    for attempt in Attempt.objects.filter(pk__in=running.values("attempt")).order_by("number"):
        known = _outline_of(attempt)
        known.close(_state_at_end(job), job.end_time or timezone.now())
        _store(attempt, known, {})
        _tell(job, attempt, known.changes, job.cause)


def culprit(job: Job, number: int, steps: Sequence[Step]) -> Step | None:
    """Of the steps of this attempt, the one in which it went wrong.

    None while it runs, as what failed may be tried again, and if somebody canceled it.
    """
    is_latest = number == job.attempt
    if is_latest and (not job.is_finished or job.health == Health.CANCELED):
        return None
    return outline.culprit(steps)


def _marks(appended: Appended) -> Iterable[tuple[Mark, Place]]:
    starts = (*outline.OF_ACTION, *outline.OF_TEST)
    for placed in appended.placed(*outline.SPOKEN, outline.TOLD, starts=starts):
        mark = mark_of(placed.record.level, placed.record.message)
        if mark is not None:
            time = placed.record.time.replace(tzinfo=UTC)
            yield mark, Place(index=placed.index, record=placed.number, time=time)


def _outline_of(attempt: Attempt) -> Outline:
    rows = Step.objects.filter(attempt=attempt).values(*KEPT)
    return Outline(outline.Step(**{**row, "state": StepState(row["state"])}) for row in rows)


def _records_of(changes: Iterable[Change]) -> Collection[int]:
    """Those whose place in the text is not known yet."""
    begun = {change.step.record for change in changes if change.event is outline.Event.STARTED}
    return begun | {change.step.last_record for change in changes if change.step.last_record is not None}


def _store(attempt: Attempt, known: Outline, spans: dict[int, tuple[int, int]]) -> None:
    nowhere = (None, None)
    rows = [
        Step(
            attempt=attempt,
            offset=spans.get(step.record, nowhere)[0],
            end_offset=None if step.last_record is None else spans.get(step.last_record, nowhere)[1],
            **{name: getattr(step, name) for name in KEPT},
        )
        for step in known.changed
    ]
    Step.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["attempt", "index"], update_fields=CHANGING
    )


def _state_at_end(job: Job) -> StepState:
    return StepState.CANCELED if job.health == Health.CANCELED else StepState.UNFINISHED


def _tell(job: Job, attempt: Attempt, changes: Iterable[Change], cause: Cause) -> None:
    news = [
        News(
            type=change.event.value,
            subject=f"{job.pk}/{change.step.level}",
            data=payload(job, attempt, change.step),
        )
        for change in changes
    ]
    outbox.record_all(news, cause=cause, job_id=job.pk, attempt=attempt.number)


def payload(job: Job, attempt: Attempt, step: outline.Step) -> dict[str, Any]:
    """`step_id` is in LambdaCD's order: the child comes first."""
    ended = step.ended
    return {
        "job": job.number,
        "uuid": str(job.uuid),
        "attempt": attempt.number,
        "step_id": [int(number) for number in reversed(step.level.split("."))],
        "level": step.level,
        "name": step.name,
        "trial": step.trial,
        "index": step.index,
        "parent": step.parent,
        "state": step.state.value,
        "start_time": step.began.isoformat(),
        "end_time": ended and ended.isoformat(),
        "duration": None if ended is None else (ended - step.began).total_seconds(),
    }
