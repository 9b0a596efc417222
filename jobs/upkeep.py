"""What an administrator does to the record of a job. Neither moves it: that is what `jobs.lifecycle` is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from accounts import audit
from accounts.rights import NotAllowed
from devices.lifecycle import StillInUse
from events.outbox import Cause
from jobs import lifecycle
from jobs.logs import disk
from jobs.models import DiscardedLog, Job
from jobs.moving import require_right
from jobs.states import State


@transaction.atomic
def correct(job: Job, changes: Mapping[str, Any], *, by: User) -> Job:
    """Set the priority of a waiting job, with its group, or say why it failed. NotAllowed for who may not change jobs."""
    if not by.has_perm("jobs.change_job"):
        raise NotAllowed(f"you may not change job {job.number}")
    rows: dict[int, Job] = {pk: Job.objects.lock(pk) for pk in sorted(each.pk for each in job.members)}
    row = rows[job.pk]
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=list(changes))
    if "priority" in changes:
        _place_in_queue([mate for mate in rows.values() if mate is not row], row.priority)
    if changes:
        audit.note(by, row, f"Changed {', '.join(sorted(changes))}")
    return row


def _place_in_queue(mates: Iterable[Job], priority: int) -> None:
    """A group has one place in the queue."""
    for mate in mates:
        mate.priority = priority
        mate.save(update_fields=["priority"])


def delete(job: Job, *, by: User) -> None:
    """Delete a job with its results and logs. StillInUse while a worker has it."""
    if not by.has_perm("jobs.delete_job"):
        raise NotAllowed(f"you may not delete job {job.number}")
    with transaction.atomic():
        audit.note(by, job, "Deleted", kind=audit.DELETION)
        remove(job.pk, cause=Cause(kind="user", actor=by.get_username()))


@transaction.atomic
def pin(job: Job, *, by: User, pinned: bool = True, reason: str = "") -> Job:
    """Keep a job with its log, results and events whatever is let go of, or no longer. NotAllowed as for `cancel`."""
    require_right(job, by, "pin or unpin")
    row: Job = Job.objects.lock(job.pk)
    if row.pinned != pinned:
        row.pinned = pinned
        row.save(update_fields=["pinned"])
        audit.note(by, row, f"{'Pinned' if pinned else 'Unpinned'}: {reason or 'no reason given'}")
    return row


@transaction.atomic
def remove(job_id: int, *, cause: Cause) -> None:
    """A waiting job is canceled first, with its group; the log goes when the row is gone for good."""
    job: Job = Job.objects.lock(job_id)
    if job.state == State.SUBMITTED:
        lifecycle.cancel(job.pk, by=cause.actor, reason="deleted")
        job = Job.objects.lock(job_id)
    if not job.is_finished:
        state = State(job.state).label
        raise StillInUse(f"job {job.number} is {state}. Cancel it and wait for its end, then delete it.")
    discard_log(job)
    group = job.group
    job.tell("job.deleted", cause=cause)
    job.delete()
    if group is not None and not group.jobs.exists():
        group.delete()


def discard_log(job: Job) -> None:
    """Have the files of its log removed once the change at hand is committed, whatever happens in between."""
    directory = job.log_directory().parent.relative_to(settings.LOGS)
    discarded, _ = DiscardedLog.objects.get_or_create(directory=directory)
    transaction.on_commit(partial(remove_files, discarded))


def remove_files(discarded: DiscardedLog) -> None:
    if disk.discard(discarded.path):
        discarded.delete()
