"""`scheduler.*` and `scheduler.jobs.*`: submitting and canceling."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Fault

from django.contrib.auth.models import User

from accounts.models import Scope
from api.xmlrpc.methods import BAD_REQUEST, NOT_FOUND, Caller, method
from core.pages import whole_number
from jobs import lifecycle
from jobs.models import Job


@method("scheduler.jobs.submit", "scheduler.submit_job")
def submit(caller: Caller, definition: str) -> int:
    """Submit a job definition (YAML or JSON); returns the number of the job."""
    user = caller.acting(Scope.SUBMIT)
    if not isinstance(definition, str):
        raise Fault(BAD_REQUEST, f"definition: expected a text, got {type(definition).__name__}")
    job = lifecycle.submit(definition, by=user)
    return int(job.pk)


@method("scheduler.jobs.cancel", "scheduler.cancel_job")
def cancel(caller: Caller, job_id: int | str) -> bool:
    """Take a waiting job out of the queue, or ask a running one to stop; true also for one that is finished."""
    user = caller.acting(Scope.SUBMIT)
    lifecycle.cancel_for(_find(user, job_id), user)
    return True


def _find(user: User, job_id: Any) -> Job:
    """Fault 404 for one that is hidden from the user, as for one that is not there."""
    number = whole_number(str(job_id))
    job: Job | None = Job.objects.visible_to(user).select_related("submitter").filter(pk=number).first()
    if job is None:
        raise Fault(NOT_FOUND, f"There is no job {str(job_id)[:40]!r}.")
    return job
