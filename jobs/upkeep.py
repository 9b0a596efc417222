"""What an administrator does to the record of a job. Neither moves it: that is what `jobs.lifecycle` is for."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from accounts import audit
from accounts.rights import NotAllowed
from devices.lifecycle import StillInUse
from events.outbox import Cause
from jobs import lifecycle
from jobs.models import Job
from jobs.states import State

log = logging.getLogger(__name__)


@transaction.atomic
def correct(job: Job, changes: Mapping[str, Any], *, by: User) -> Job:
    """Set the priority of a waiting job, or say why it failed. NotAllowed for who may not change jobs."""
    if not by.has_perm("jobs.change_job"):
        raise NotAllowed(f"you may not change job {job.pk}")
    row: Job = Job.objects.lock(job.pk)
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=list(changes))
    if changes:
        audit.note(by, row, f"Changed {', '.join(sorted(changes))}")
    return row


def delete(job: Job, *, by: User) -> None:
    """Delete a job with its results and logs. StillInUse while a worker has it."""
    if not by.has_perm("jobs.delete_job"):
        raise NotAllowed(f"you may not delete job {job.pk}")
    with transaction.atomic():
        audit.note(by, job, "Deleted", kind=audit.DELETION)
        remove(job.pk, by=by.get_username())


@transaction.atomic
def remove(job_id: int, *, by: str) -> None:
    """A waiting job is canceled first; the log goes when the row is gone for good."""
    job: Job = Job.objects.lock(job_id)
    if job.state == State.SUBMITTED:
        lifecycle.cancel(job.pk, by=by, reason="deleted")
        job = Job.objects.lock(job_id)
    if not job.is_finished:
        state = State(job.state).label
        raise StillInUse(f"job {job.pk} is {state}. Cancel it and wait for its end, then delete it.")
    transaction.on_commit(partial(_remove_logs, job.log_directory().parent))
    job.tell("job.deleted", cause=Cause(kind="user", actor=by))
    job.delete()


def _remove_logs(directory: Path) -> None:
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("The log in %s of a deleted job is left behind: %s", directory, error)
