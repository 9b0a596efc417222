"""`scheduler.*` and `scheduler.jobs.*`: submitting, canceling and running again."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Fault

from django.contrib.auth.models import User

from accounts.models import Scope
from api.xmlrpc.methods import BAD_REQUEST, NOT_FOUND, Caller, method
from jobs import definition as definitions
from jobs import lifecycle, strictness
from jobs.models import Job


@method("scheduler.jobs.submit", "scheduler.submit_job")
def submit(caller: Caller, definition: str) -> int | list[str]:
    """Submit a job definition (YAML or JSON); returns the number of the job, or of a group those of all its jobs."""
    user = caller.acting(Scope.SUBMIT)
    if not isinstance(definition, str):
        raise Fault(BAD_REQUEST, f"definition: expected a text, got {type(definition).__name__}")
    return _numbers(lifecycle.submit(definition, by=user))


@method("scheduler.jobs.validate")
def validate(caller: Caller, definition: str, strict: bool = False) -> dict[str, str]:
    """What keeps a job definition out of the queue, as `path` and `msg`; empty if nothing does.

    With `strict` also what is accepted and probably a mistake.
    """
    faults = _faults(caller, definition)
    if strict and not faults:
        faults = strictness.warnings(definition)
    if not faults:
        return {}
    first, *others = faults
    return {"path": first.path, "msg": "\n".join([first.message, *map(str, others)])}


@method("scheduler.validate_yaml")
def validate_yaml(caller: Caller, definition: str) -> None:
    """Nothing for a job definition that would be accepted; else Fault 400 with all that keeps it out of the queue."""
    if faults := _faults(caller, definition):
        raise Fault(BAD_REQUEST, "\n".join(map(str, faults)))


def _faults(caller: Caller, definition: Any) -> list[definitions.Fault]:
    if not isinstance(definition, str):
        raise Fault(BAD_REQUEST, f"definition: expected a text, got {type(definition).__name__}")
    return lifecycle.check(definition, by=caller.user)


@method("scheduler.jobs.resubmit", "scheduler.resubmit_job")
def resubmit(caller: Caller, job_id: int | str) -> int | list[str]:
    """Run a job again as a new one, a job of a group with all of its group; returns what `submit` does."""
    user = caller.acting(Scope.SUBMIT)
    return _numbers(lifecycle.resubmit(_find(user, job_id), by=user))


@method("scheduler.jobs.cancel", "scheduler.cancel_job")
def cancel(caller: Caller, job_id: int | str) -> bool:
    """Take a waiting job out of the queue, or ask a running one to stop; true also for one that is finished."""
    user = caller.acting(Scope.SUBMIT)
    lifecycle.cancel_for(_find(user, job_id), user)
    return True


def _numbers(job: Job) -> int | list[str]:
    return [str(each.number) for each in job.members] if job.group else int(job.pk)


def _find(user: User, job_id: Any) -> Job:
    """Fault 404 for one that is hidden from the user, as for one that is not there."""
    jobs = Job.objects.visible_to(user).select_related("submitter", "group")
    job: Job | None = jobs.numbered(str(job_id)).first()
    if job is None:
        raise Fault(NOT_FOUND, f"There is no job {str(job_id)[:40]!r}.")
    return job
