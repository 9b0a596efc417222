"""How far a running job is in the time that its definition allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from jobs.models import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBar:
    ran: timedelta
    allowed: timedelta

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """None for a job that does not run, or that may run for as long as it likes."""
        ran = job.duration
        if ran is None or job.is_finished or not job.job_timeout:
            return None
        return cls(ran=ran, allowed=job.job_timeout)

    @property
    def percent(self) -> int:
        return min(100, int(100 * self.ran / self.allowed))
