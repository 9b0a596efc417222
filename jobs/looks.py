"""How jobs and results look on a page."""

from __future__ import annotations

from dataclasses import replace

from core.looks import Look
from jobs.models import Attempt, Job, TestCase
from jobs.outline import StepState
from jobs.states import INFRASTRUCTURE_ERRORS, Health, Outcome, Requeue, State

STATE = {
    State.SUBMITTED: Look(word="Submitted", icon="waiting", tone="still"),
    State.SCHEDULING: Look(word="Scheduling", icon="waiting", tone="busy"),
    State.SCHEDULED: Look(word="Scheduled", icon="waiting", tone="busy"),
    State.RUNNING: Look(word="Running", icon="running", tone="busy", turning=True),
    State.CANCELING: Look(word="Canceling", icon="running", tone="warn", turning=True),
}
PUT_OFF = {
    Requeue.RETRY: Look(word="Retry later", icon="waiting", tone="warn"),
    Requeue.DEFERRAL: Look(word="Deferred", icon="waiting", tone="still"),
}
HELD = Look(word="Held", icon="person", tone="busy")
RELEASED = Look(word="Released", icon="good", tone="still")
LOST = Look(word="Lost", icon="offline", tone="warn")
HEALTH = {
    Health.UNKNOWN: Look(word="Unknown", icon="unknown", tone="still"),
    Health.COMPLETE: Look(word="Complete", icon="good", tone="good"),
    Health.INCOMPLETE: Look(word="Incomplete", icon="bad", tone="bad"),
    Health.CANCELED: Look(word="Canceled", icon="stopped", tone="warn"),
}
TESTS_FAILED = Look(word="Tests failed", icon="bad", tone="bad")
LAB_ERROR = Look(word="Lab error", icon="warn", tone="bad")
RESULT = {
    TestCase.Result.PASS: Look(word="pass", icon="good", tone="good"),
    TestCase.Result.FAIL: Look(word="fail", icon="bad", tone="bad"),
    TestCase.Result.SKIP: Look(word="skip", icon="skip", tone="still"),
    TestCase.Result.UNKNOWN: Look(word="unknown", icon="unknown", tone="warn"),
}
STEP = {
    StepState.RUNNING: Look(word="running", icon="running", tone="busy", turning=True),
    StepState.PASS: Look(word="pass", icon="good", tone="good"),
    StepState.FAIL: Look(word="fail", icon="bad", tone="bad"),
    StepState.CANCELED: Look(word="canceled", icon="stopped", tone="warn"),
    StepState.UNFINISHED: Look(word="unfinished", icon="unknown", tone="warn"),
}


def of_job(job: Job) -> Look:
    """In one word: the state while it lives, or that its worker fell silent, and how it ended and whose fault that was."""
    if job.lost_since is not None:
        return LOST
    if job.is_put_off:
        return PUT_OFF[Requeue(job.requeue)]
    if job.is_reservation and job.state == State.RUNNING:
        return HELD
    if job.is_reservation and job.health == Health.COMPLETE:
        return RELEASED
    if not job.is_finished:
        return STATE[State(job.state)]
    if _has_failed_tests(job):
        return TESTS_FAILED
    if job.outcome == Outcome.INFRASTRUCTURE:
        return LAB_ERROR
    return HEALTH[Health(job.health)]


def of_lava_state(job: Job) -> Look:
    """LAVA's word alone; beside failed tests its "Complete" has no colour of success."""
    if not job.is_finished:
        return STATE[State(job.state)]
    look = HEALTH[Health(job.health)]
    return replace(look, tone="still") if _has_failed_tests(job) else look


def _has_failed_tests(job: Job) -> bool:
    return job.health == Health.COMPLETE and job.outcome == Outcome.FAIL


def of_attempt(attempt: Attempt) -> Look:
    """How it ended, as far as its job does not say that."""
    if attempt.ended is None:
        return STATE[State.RUNNING if attempt.started else State.SCHEDULED]
    if attempt.deferral is not None:
        return Look(word="Put off", icon="waiting", tone="still")
    if attempt.result == "pass":
        return HEALTH[Health.COMPLETE]
    return LAB_ERROR if attempt.error_type in INFRASTRUCTURE_ERRORS else HEALTH[Health.INCOMPLETE]


def of_result(result: str) -> Look:
    return RESULT[TestCase.Result(result)]


def of_tests(total: int, failed: int) -> Look:
    """All tests of a job in a few words."""
    if failed:
        return Look(word=f"{failed} of {total} {_tests(total)} failed", icon="bad", tone="bad")
    return Look(word=f"{total} {_tests(total)}, none failed", icon="good", tone="good")


def _tests(count: int) -> str:
    return "test" if count == 1 else "tests"
