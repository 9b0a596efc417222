"""How jobs and results look on a page."""

from __future__ import annotations

from core.looks import Look
from jobs.models import Job, TestCase
from jobs.states import Health, State

STATE = {
    State.SUBMITTED: Look(word="Submitted", icon="waiting", tone="still"),
    State.SCHEDULING: Look(word="Scheduling", icon="waiting", tone="busy"),
    State.SCHEDULED: Look(word="Scheduled", icon="waiting", tone="busy"),
    State.RUNNING: Look(word="Running", icon="running", tone="busy", turning=True),
    State.CANCELING: Look(word="Canceling", icon="running", tone="warn", turning=True),
}
HEALTH = {
    Health.UNKNOWN: Look(word="Unknown", icon="unknown", tone="still"),
    Health.COMPLETE: Look(word="Complete", icon="good", tone="good"),
    Health.INCOMPLETE: Look(word="Incomplete", icon="bad", tone="bad"),
    Health.CANCELED: Look(word="Canceled", icon="stopped", tone="warn"),
}
RESULT = {
    TestCase.Result.PASS: Look(word="pass", icon="good", tone="good"),
    TestCase.Result.FAIL: Look(word="fail", icon="bad", tone="bad"),
    TestCase.Result.SKIP: Look(word="skip", icon="skip", tone="still"),
    TestCase.Result.UNKNOWN: Look(word="unknown", icon="unknown", tone="warn"),
}


def of_job(job: Job) -> Look:
    """The state while it lives, how it ended afterwards."""
    return HEALTH[Health(job.health)] if job.is_finished else STATE[State(job.state)]


def of_result(result: str) -> Look:
    return RESULT[TestCase.Result(result)]
