"""How far a job is: what its test says in percent, and which step it has come to.

Changes are stored at once, and told at most once a second: what came in between is told by the scheduler's next pass,
or with the end of the attempt, so that the last word is always heard.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from events import outbox
from events.outbox import Cause
from jobs.logs import Appended
from jobs.models import LONGEST_PROGRESS, Attempt, Job, Progress
from jobs.outline import Step
from jobs.signals import Signal, received

SAID: Final = "PROGRESS"  # percent, and perhaps a text
PAUSE: Final = timedelta(seconds=1)  # between two events of one attempt

_PERCENT: Final = re.compile(r"100|[0-9]{1,2}")


def collect(attempt: Attempt, appended: Appended) -> None:
    """Store the last percentage that these records tell of."""
    told = [signal for signal in received(appended, (SAID,)) if _is_whole(signal)]
    if not told:
        return
    percent, *words = told[-1].words
    with transaction.atomic():
        job = Job.objects.locked().filter(pk=attempt.job_id).first()
        if job is not None and not job.is_finished and job.attempt == attempt.number:
            _change(job, attempt, percent=int(percent), text=" ".join(words)[:LONGEST_PROGRESS])


def step_began(job: Job, attempt: Attempt, step: Step) -> None:
    """The job's row must be locked."""
    _change(job, attempt, level=step.level, name=step.name)


def tell_pending() -> None:
    """What changed too soon after the last event, and has not changed since."""
    due = Progress.objects.pending().filter(told__lt=timezone.now() - PAUSE)
    for job_id in list(due.values_list("attempt__job", flat=True)):
        with transaction.atomic():
            job = Job.objects.locked().filter(pk=job_id).first()
            if job is not None:
                close(job)


def close(job: Job) -> None:
    """Tell what is not told yet. The job's row must be locked."""
    for progress in Progress.objects.pending().filter(attempt__job=job).select_related("attempt"):
        _tell(job, progress)
        progress.save()


def _is_whole(signal: Signal) -> bool:
    return bool(signal.words) and bool(_PERCENT.fullmatch(signal.words[0]))


def _change(job: Job, attempt: Attempt, **values: Any) -> None:
    progress = Progress.objects.filter(attempt=attempt).first() or Progress(attempt=attempt)
    if all(getattr(progress, name) == value for name, value in values.items()):
        return
    for name, value in values.items():
        setattr(progress, name, value)
    progress.is_pending = True
    if progress.told is None or progress.told <= timezone.now() - PAUSE:
        _tell(job, progress)
    progress.save()


def _tell(job: Job, progress: Progress) -> None:
    progress.told, progress.is_pending = timezone.now(), False
    outbox.record(
        "job.progress",
        subject=str(job.pk),
        data={
            "job": job.number,
            "uuid": str(job.uuid),
            "attempt": progress.attempt.number,
            "percent": progress.percent,
            "text": progress.text,
            "level": progress.level,
            "name": progress.name,
        },
        cause=Cause(kind="worker", actor=progress.attempt.worker_name),
        job_id=job.pk,
        attempt=progress.attempt.number,
    )
