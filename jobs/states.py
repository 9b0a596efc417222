"""The life of a job as a table: each row is a move, who makes it, and what it says to the world. No ORM.

The verbs in `jobs.lifecycle`, the rule for bare saves and the tests are made from `MOVES`.
The numbers are LAVA 2023.01's, since its clients know them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.words import Word
from devices.states import DeviceState


class State(Word):
    SUBMITTED = 0  # waits in the queue
    SCHEDULING = 1  # a member of a group that has a device already and waits for the others
    SCHEDULED = 2  # has a device; the worker has not confirmed the start yet
    RUNNING = 3
    CANCELING = 4  # asked to stop; the worker has not confirmed yet
    FINISHED = 5


class Health(Word):
    UNKNOWN = 0  # not finished yet
    COMPLETE = 1
    INCOMPLETE = 2
    CANCELED = 3


UNFINISHED = tuple(state for state in State if state is not State.FINISHED)
ON_A_DEVICE = (State.SCHEDULING, State.SCHEDULED, State.RUNNING, State.CANCELING)

# The error types of LAVA's dispatcher that are the lab's fault: the device is suspect afterwards.
INFRASTRUCTURE_ERRORS = frozenset({"Bug", "Configuration", "Infrastructure"})


class Outcome(StrEnum):
    """How a finished job ended, in one word: whose fault it was if it did not end well."""

    PASS = "pass"  # it ran to its end, and no test failed
    FAIL = "fail"  # a test failed, or the job could not go on for a reason of its own
    INFRASTRUCTURE = "infrastructure"  # the lab's fault
    CANCELED = "canceled"  # somebody stopped it, or it waited for too long


def outcome(health: Health, error_type: str, *, has_failures: bool) -> Outcome | None:
    """None for a job that is not finished."""
    match health:
        case Health.UNKNOWN:
            return None
        case Health.CANCELED:
            return Outcome.CANCELED
        case Health.COMPLETE:
            return Outcome.FAIL if has_failures else Outcome.PASS
    return Outcome.INFRASTRUCTURE if error_type in INFRASTRUCTURE_ERRORS else Outcome.FAIL


class Requeue(StrEnum):
    """Why a job goes back to the queue, or to another place in it."""

    RETRY = "retry"  # the attempt failed, and another may be made
    DEFERRAL = "deferral"  # somebody, or the job itself, asked that it be run later
    HURRY = "hurry"  # somebody wants it now


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    verb: str  # in jobs.lifecycle, or jobs.attempts
    source: State | None  # None: the job begins to exist
    target: State
    health: Health = Health.UNKNOWN
    events: tuple[str, ...]  # canonical types, in the order in which they are recorded
    device: DeviceState | None = None  # what becomes of its device
    closes: bool = False  # the worker has not confirmed the end: until it has, the device is closed
    requeue: Requeue | None = None  # only the verbs make such a move, as it takes more than a state

    @property
    def ends_attempt(self) -> bool:
        """Whether the job goes on with another attempt."""
        return self.requeue is not None and self.source in ON_A_DEVICE


MOVES = (
    Move(verb="submit", source=None, target=State.SUBMITTED, events=("job.submitted",)),
    Move(
        verb="schedule",
        source=State.SUBMITTED,
        target=State.SCHEDULED,
        events=("job.scheduled",),
        device=DeviceState.RESERVED,
    ),
    Move(
        verb="start",
        source=State.SCHEDULED,
        target=State.RUNNING,
        events=("job.started",),
        device=DeviceState.RUNNING,
    ),
    Move(
        verb="cancel",
        source=State.SUBMITTED,
        target=State.FINISHED,
        health=Health.CANCELED,
        events=("job.removal_requested", "job.removed"),
    ),
    Move(
        verb="cancel",
        source=State.SCHEDULED,
        target=State.CANCELING,
        events=("job.cancel_requested",),
    ),
    Move(
        verb="cancel",
        source=State.RUNNING,
        target=State.CANCELING,
        events=("job.cancel_requested",),
    ),
    Move(
        verb="finish",
        source=State.SCHEDULED,
        target=State.FINISHED,
        health=Health.INCOMPLETE,
        events=("job.start_failed",),
        device=DeviceState.IDLE,
    ),
    Move(
        verb="finish",
        source=State.RUNNING,
        target=State.FINISHED,
        health=Health.COMPLETE,
        events=("job.completed",),
        device=DeviceState.IDLE,
    ),
    Move(
        verb="finish",
        source=State.RUNNING,
        target=State.FINISHED,
        health=Health.INCOMPLETE,
        events=("job.failed",),
        device=DeviceState.IDLE,
    ),
    Move(
        verb="finish",
        source=State.CANCELING,
        target=State.FINISHED,
        health=Health.CANCELED,
        events=("job.canceled",),
        device=DeviceState.IDLE,
    ),
    Move(
        verb="end_overdue",
        source=State.SCHEDULED,
        target=State.FINISHED,
        health=Health.INCOMPLETE,
        events=("job.start_failed",),
        closes=True,
    ),
    Move(
        verb="end_overdue",
        source=State.RUNNING,
        target=State.FINISHED,
        health=Health.INCOMPLETE,
        events=("job.failed",),
        closes=True,
    ),
    Move(
        verb="end_overdue",
        source=State.CANCELING,
        target=State.FINISHED,
        health=Health.CANCELED,
        events=("job.canceled",),
        closes=True,
    ),
    # Attempts: a job that waits for its next one, or for a time
    Move(
        verb="submit",
        source=None,
        target=State.SUBMITTED,
        events=("job.submitted", "job.deferred"),
        requeue=Requeue.DEFERRAL,
    ),
    Move(
        verb="defer",
        source=State.SUBMITTED,
        target=State.SUBMITTED,
        events=("job.deferred",),
        requeue=Requeue.DEFERRAL,
    ),
    Move(
        verb="hurry",
        source=State.SUBMITTED,
        target=State.SUBMITTED,
        events=("job.hurried",),
        requeue=Requeue.HURRY,
    ),
    *(
        Move(
            verb="finish",
            source=source,
            target=State.SUBMITTED,
            events=("job.attempt_failed",),
            device=DeviceState.IDLE,
            requeue=Requeue.RETRY,
        )
        for source in (State.SCHEDULED, State.RUNNING)
    ),
    Move(
        verb="finish",
        source=State.RUNNING,
        target=State.SUBMITTED,
        events=("job.deferred",),
        device=DeviceState.IDLE,
        requeue=Requeue.DEFERRAL,
    ),
    *(
        Move(
            verb="end_overdue",
            source=source,
            target=State.SUBMITTED,
            events=("job.attempt_failed",),
            closes=True,
            requeue=Requeue.RETRY,
        )
        for source in (State.SCHEDULED, State.RUNNING)
    ),
    Move(
        verb="end_overdue",
        source=State.RUNNING,
        target=State.SUBMITTED,
        events=("job.deferred",),
        closes=True,
        requeue=Requeue.DEFERRAL,
    ),
    Move(
        verb="inactivate",
        source=State.SUBMITTED,
        target=State.FINISHED,
        health=Health.INCOMPLETE,
        events=("job.inactivated",),
    ),
)

_BY_ENDS = {(move.source, move.target, move.health, move.closes, move.requeue): move for move in MOVES}


class InvalidMove(Exception):
    """A move that the table does not have."""


def find_move(
    source: State | None,
    target: State,
    health: Health,
    *,
    closes: bool = False,
    requeue: Requeue | None = None,
) -> Move:
    """The row of the table for this move; InvalidMove says what the table has instead."""
    try:
        return _BY_ENDS[source, target, health, closes, requeue]
    except KeyError:
        pass
    start = "nothing" if source is None else source.label
    ways = (
        ", ".join(
            _ends(move) for move in MOVES if move.source == source and not (move.closes or move.requeue)
        )
        or "no way out"
    )
    raise InvalidMove(f"a job cannot go from {start} to {_words(target, health)}; from {start}: {ways}")


def _ends(move: Move) -> str:
    return _words(move.target, move.health)


def _words(target: State, health: Health) -> str:
    return target.label if health is Health.UNKNOWN else f"{target.label}/{health.label}"
