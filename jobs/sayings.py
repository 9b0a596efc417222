"""What a job says in events of its own: a test with `lava-test-event`, or a person for it through the API.

LAVA's worker and the built-in one put what a test says into the log, as records of the level `event`. Each is told once,
however often its record is sent: records come in the order of their index, and the last that was heard is remembered,
in the transaction of the events. What goes beyond the limits is dropped and counted, never refused: no worker can do
anything about it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from events import custom, outbox
from events.custom import BadSaying
from events.models import Event
from events.outbox import Cause, News
from jobs.logs import Appended
from jobs.logs.store import Placed
from jobs.models import Attempt, Job, Sayings
from jobs.moving import require_right

Data = Mapping[str, Any] | None

log = logging.getLogger(__name__)

LEVEL: Final = "event"
MOST_PER_ATTEMPT: Final = 1000
MOST_PER_SECOND: Final = (
    20  # of an attempt; a test's seconds are those of its worker's clock, also after an outage
)


class TooManySayings(Exception):
    """A job has said all that it may say for now."""

    def __init__(self, job: Job, sayings: Sayings) -> None:
        is_forever = sayings.told >= MOST_PER_ATTEMPT
        limit = f"{MOST_PER_ATTEMPT:,} for each run" if is_forever else f"{MOST_PER_SECOND} a second"
        super().__init__(f"job {job.number} has said too much: {limit} is the limit")
        self.retry_after = None if is_forever else 1  # seconds


def collect(attempt: Attempt, appended: Appended) -> None:
    """Tell what a test says in these records."""
    found = list(appended.placed(LEVEL))
    if not found:
        return
    with transaction.atomic():
        job = Job.objects.locked().filter(pk=attempt.job_id).first()
        if job is None:  # deleted meanwhile
            return
        sayings = _sayings(job, attempt.number)
        fresh = [placed for placed in found if placed.index > sayings.heard]
        if not fresh:
            return
        news = list(_admitted(job, attempt.number, sayings, fresh))
        cause = Cause(kind="worker", actor=attempt.worker_name)
        outbox.record_all(news, cause=cause, job_id=job.pk, attempt=attempt.number)
        sayings.heard = fresh[-1].index
        sayings.save()


def say_for(job: Job, user: User, name: str, message: str = "", data: Data = None) -> Event:
    """As `say`, for who may change the job: NotAllowed says whose it is."""
    require_right(job, user, "speak for")
    return say(job.pk, name, message, data, cause=Cause(kind="user", actor=user.get_username()))


def say(job_id: int, name: str, message: str = "", data: Data = None, *, cause: Cause) -> Event:
    """Tell something for a job, to all who see it.

    Job.DoesNotExist if there is none; BadSaying if it cannot be told; TooManySayings beyond the limits.
    """
    type, said = custom.type_of(name), custom.content(name, message, data)
    with transaction.atomic():
        locked: Job = Job.objects.lock(job_id)
        sayings = _sayings(locked, locked.attempt)
        if not _admits(sayings, timezone.now()):
            raise TooManySayings(locked, sayings)
        sayings.save()
        return outbox.record(
            type,
            subject=str(locked.pk),
            data=_of_job(locked, locked.attempt) | said,
            cause=cause,
            job_id=locked.pk,
            attempt=locked.attempt,
        )


def dropped(job: Job, attempt: int) -> int:
    """How many sayings of a test were not told."""
    counts = Sayings.objects.filter(job=job, attempt=attempt).values_list("dropped", flat=True)
    return counts.first() or 0


def _sayings(job: Job, attempt: int) -> Sayings:
    return Sayings.objects.filter(job=job, attempt=attempt).first() or Sayings(job=job, attempt=attempt)


def _admitted(job: Job, attempt: int, sayings: Sayings, fresh: Iterable[Placed]) -> Iterable[News]:
    for placed in fresh:
        news = _news(job, attempt, placed)
        if news is not None and _admits(sayings, placed.record.time.replace(tzinfo=UTC)):
            yield news
        else:
            _drop(job, attempt, sayings)


def _news(job: Job, attempt: int, placed: Placed) -> News | None:
    """None for what is too long to be told."""
    message = placed.record.message
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    name, data = custom.understood(text)
    try:
        said = custom.content(name, text, data)
    except BadSaying:
        return None
    return News(
        type=custom.type_of(name),
        subject=str(job.pk),
        data=_of_job(job, attempt) | said | {"index": placed.index},
    )


def _of_job(job: Job, attempt: int) -> dict[str, Any]:
    return {
        "job": job.number,
        "uuid": str(job.uuid),
        "attempt": attempt,
        "submitter": job.submitter.username,
    }


def _admits(sayings: Sayings, at: datetime) -> bool:
    """Whether one more may be told, which is counted then."""
    second = at.replace(microsecond=0)
    told_in_it = sayings.in_second if sayings.second == second else 0
    if sayings.told >= MOST_PER_ATTEMPT or told_in_it >= MOST_PER_SECOND:
        return False
    sayings.told, sayings.second, sayings.in_second = sayings.told + 1, second, told_in_it + 1
    return True


def _drop(job: Job, attempt: int, sayings: Sayings) -> None:
    if not sayings.dropped:
        log.warning(
            "Attempt %d of job %s says more in events than it may; the rest is dropped and counted",
            attempt,
            job.number,
            extra={"action": "sayings_dropped", "job": job.pk},
        )
    sayings.dropped += 1
