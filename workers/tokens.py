"""The tokens that open a job's addresses to its worker: derived per attempt, never stored."""

from __future__ import annotations

from django.utils.crypto import constant_time_compare, salted_hmac

SALT = "lava_lite.workers.attempt"
MOST_ATTEMPTS = 100  # of a deleted job, whose attempts nobody remembers


def token_of(job_id: int, attempt: int) -> str:
    return salted_hmac(SALT, f"{job_id}:{attempt}", algorithm="sha256").hexdigest()


def opens(token: str, job_id: int, attempt: int) -> bool:
    return constant_time_compare(token, token_of(job_id, attempt))


def opened_once(token: str, job_id: int) -> bool:
    """Whether it belonged to a job that is not here any more."""
    return any(opens(token, job_id, attempt) for attempt in range(1, MOST_ATTEMPTS + 1))
