"""What an attempt leaves open when it ends, closed with it: steps that ran, progress not yet told, questions to people.

Nearly always there is nothing, so it is asked once whether there is; in SQL of its own, as building it would take
longer than answering it.
"""

from __future__ import annotations

from typing import Final

from django.db import connection

from jobs import progress, steps, waits
from jobs.models import Job

_OF_JOB: Final = "JOIN jobs_attempt ON jobs_attempt.id = attempt_id WHERE jobs_attempt.job_id = %s"
_QUERY: Final = f"""
    SELECT
        EXISTS (SELECT 1 FROM jobs_step {_OF_JOB} AND jobs_step.ended IS NULL),
        EXISTS (SELECT 1 FROM jobs_progress {_OF_JOB} AND is_pending),
        EXISTS (SELECT 1 FROM jobs_wait {_OF_JOB} AND answer = '')
"""
_CLOSERS: Final = (steps.close, progress.close, waits.close)  # in the order of the query


def close(job: Job) -> None:
    """The latest attempt is over. The job's row must be locked."""
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, [job.pk] * len(_CLOSERS))
        is_open = cursor.fetchone()
    for closer, has_some in zip(_CLOSERS, is_open, strict=True):
        if has_some:
            closer(job)
