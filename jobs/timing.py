"""How far a running job is in the time that its definition allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from django.core.cache import cache

from jobs import definition as definitions
from jobs.definition import InvalidDefinition
from jobs.models import Job

REMEMBERED_SECONDS = 3600
_UNKNOWN = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBar:
    ran: timedelta
    allowed: timedelta

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """None for a job that does not run, or whose definition says nothing that is understood."""
        ran = job.duration
        if ran is None or job.is_finished:
            return None
        allowed = _allowed(job)
        return cls(ran=ran, allowed=allowed) if allowed else None

    @property
    def percent(self) -> int:
        return min(100, int(100 * self.ran / self.allowed))


def _allowed(job: Job) -> timedelta:
    """Parsed once, as a definition never changes."""
    key = f"time-allowed-{job.pk}"
    found: timedelta | None = cache.get(key)
    if found is None:
        found = _in_definition(job.definition)
        cache.set(key, found, REMEMBERED_SECONDS)
    return found


def _in_definition(text: str) -> timedelta:
    try:
        return definitions.parse(text).job_timeout
    except InvalidDefinition:
        return _UNKNOWN
