"""Whether a job that failed is tried again, and after how long. No ORM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

from jobs.states import INFRASTRUCTURE_ERRORS

MAX_ATTEMPTS = 100
MAX_BACKOFF = 100
ERROR_TYPES = (*sorted(INFRASTRUCTURE_ERRORS), "Job", "LAVATimeout", "MultinodeTimeout", "Test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    attempts: int  # in all; 1: the job is not tried again
    delay: timedelta  # before the second attempt
    backoff: float  # by which each further delay is longer than the one before
    max_delay: timedelta
    errors: frozenset[str] = INFRASTRUCTURE_ERRORS

    def but(self, wanted: Mapping[str, Any]) -> Self:
        """With what a job wants instead, as `Definition.retry` has it."""
        changes = {key: _READ[key](value) for key, value in wanted.items()}
        return replace(self, **changes)

    def delay_after(self, failures: int, error_type: str) -> timedelta | None:
        """How long to wait after so many attempts that failed, the last one with this error. None: that was the last."""
        if failures >= self.attempts or error_type not in self.errors:
            return None
        seconds = self.delay.total_seconds() * self.backoff ** (failures - 1)
        return timedelta(seconds=min(seconds, self.max_delay.total_seconds()))


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


_READ: dict[str, Callable[[Any], Any]] = {
    "attempts": int,
    "delay": _seconds,
    "backoff": float,
    "max_delay": _seconds,
    "errors": frozenset,
}
