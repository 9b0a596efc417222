"""Every type of event, what it says, and its name in each dialect. No ORM.

A transport renders an event by this table; a type that is not here cannot be recorded. `find` knows the entry of a type.
"""

from __future__ import annotations

from dataclasses import dataclass

from events import payloads, topics
from events.payloads import Family, Field, always, merged, sometimes

CAUSES = ("user", "worker", "timer", "policy")  # what kind of thing makes an event happen


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    name: str  # canonical; `custom.*` stands for all types that begin so
    subject: str  # whose rule of sight decides: job, step, device, worker, queue, custom
    fires: str  # when, in a few words
    family: Family  # what its payload has in common with others
    adds: tuple[Field, ...] = ()  # what it has beyond its family, and what it always has where they do not
    lava: str | None = None  # last part of the topic of LAVA's frame; None: LAVA says nothing
    core4: str | None = None
    pulp: str | None = None  # the state in Pulp's task report, or the part of it that changed
    lambdacd: str | None = None  # the topic on LambdaCD's bus
    since: str = payloads.FIRST  # the version of lava_lite that recorded it first

    @property
    def payload(self) -> tuple[Field, ...]:
        return merged(self.family.fields, self.adds)

    @property
    def prefix(self) -> str:
        """What the types begin with that this stands for; empty if it is a single one."""
        return self.name.removesuffix("*") if self.name.endswith(".*") else ""

    @property
    def schema(self) -> str:
        """The name of the schema of its payload."""
        return self.prefix.rstrip(".") or self.name


_NEW_OR_NOT = (sometimes(payloads.PREVIOUS_STATE),)
_PUT_OFF = (always(payloads.NOT_BEFORE),)
_HELD = (always(payloads.RESERVED), always(payloads.DEADLINE))


def _job(
    name: str,
    fires: str,
    *,
    family: Family = payloads.JOB,
    adds: tuple[Field, ...] = (),
    lava: str | None = None,
    core4: str | None = None,
    pulp: str | None = None,
    lambdacd: str | None = None,
) -> EventType:
    return EventType(
        name=f"job.{name}",
        subject="job",
        fires=fires,
        family=family,
        adds=adds,
        lava=lava,
        core4=core4,
        pulp=pulp,
        lambdacd=lambdacd,
    )


def _step(name: str, fires: str, lambdacd: str) -> EventType:
    return EventType(
        name=f"step.{name}", subject="step", fires=fires, family=payloads.STEP, lambdacd=lambdacd
    )


def _device(name: str, fires: str, *, adds: tuple[Field, ...], lava: str | None = None) -> EventType:
    return EventType(
        name=f"device.{name}", subject="device", fires=fires, family=payloads.DEVICE, adds=adds, lava=lava
    )


def _worker(name: str, fires: str, *, adds: tuple[Field, ...] = (), lava: str | None = None) -> EventType:
    return EventType(
        name=f"worker.{name}", subject="worker", fires=fires, family=payloads.WORKER, adds=adds, lava=lava
    )


_TYPES = (
    _job(
        "submitted",
        "accepted into the queue",
        adds=_NEW_OR_NOT,
        lava="testjob",
        core4="enqueue_job",
        pulp="waiting",
    ),
    _job(
        "scheduled",
        "a device is reserved, the worker is asked",
        lava="testjob",
        core4="request_start_job",
        pulp="accepted",
    ),
    _job(
        "started",
        "the worker confirmed the start",
        lava="testjob",
        core4="start_job",
        pulp="running",
        lambdacd="pipeline-started",
    ),
    _job(
        "completed",
        "ended well",
        lava="testjob",
        core4="complete_job",
        pulp="finished",
        lambdacd="pipeline-finished",
    ),
    _job(
        "start_failed",
        "the worker could not start it",
        lava="testjob",
        core4="failed_start",
        pulp="error",
        lambdacd="pipeline-finished",
    ),
    _job(
        "failed",
        "failed, no attempt left",
        lava="testjob",
        core4="error_job",
        pulp="error",
        lambdacd="pipeline-finished",
    ),
    _job(
        "cancel_requested",
        "somebody asked a scheduled or running job to stop",
        lava="testjob",
        core4="request_kill_job",
    ),
    _job(
        "canceled",
        "it stopped",
        lava="testjob",
        core4="kill_job",
        pulp="canceled",
        lambdacd="pipeline-finished",
    ),
    _job("removal_requested", "somebody took a job out of the queue", core4="request_remove_job"),
    _job("removed", "it is gone from the queue", lava="testjob", core4="remove_job", pulp="canceled"),
    _job(
        "deferred",
        "asked to be run later, or was put off",
        adds=_NEW_OR_NOT + _PUT_OFF,
        lava="testjob",
        core4="defer_job",
        pulp="waiting",
    ),
    _job(
        "attempt_failed",
        "failed, attempts left: runs again after a delay",
        adds=_PUT_OFF,
        lava="testjob",
        core4="failed_job",
        pulp="waiting",
    ),
    _job(
        "hurried",
        "deferred or to be tried again later, it was told to run now",
        lava="testjob",
        core4="restart_waiting",
        pulp="waiting",
    ),
    _job(
        "inactivated",
        "wanted to be put off for longer than it may",
        lava="testjob",
        core4="inactivate_job",
        pulp="skipped",
        lambdacd="pipeline-finished",
    ),
    _job(
        "overtime",
        "runs for longer than its wall time; it goes on",
        adds=(always(payloads.OVERTIME_SINCE),),
        core4="flag_nonstop",
    ),
    _job(
        "lost",
        "its worker fell silent: it is ended after a grace time",
        adds=(always(payloads.LOST_SINCE),),
        core4="flag_zombie",
    ),
    _job("found", "its worker came back within the grace time: it goes on"),
    _job(
        "expiring",
        "a reservation ends in some minutes, unless it is extended",
        adds=(*_HELD, always(payloads.EXPIRING_SINCE)),
    ),
    _job("extended", "a reservation was given more time", adds=_HELD),
    _job(
        "progress",
        "a step began or a percentage changed, at most once a second",
        family=payloads.PROGRESS,
        pulp="progress_report",
    ),
    _job("waiting", "a test waits for a person", pulp="suspended"),
    _job("resumed", "the person answered, or nobody did in time: the test goes on", pulp="running"),
    _job("resubmitted", "a stopped job was run again as a new job", core4="restart_stopped"),
    _job("deleted", "the row and its files are gone for good", adds=_NEW_OR_NOT, core4="hard_remove_job"),
    _step("started", "an action of the job began", "step-started"),
    _step("updated", "the log said something else of an action", "step-result-updated"),
    _step("stored", "what was said of it is saved", "step-result-update-consumed"),
    _step("finished", "it ended, or the attempt ended first", "step-finished"),
    _device("added", "a device appeared", adds=(payloads.REASON,)),
    _device(
        "changed",
        "a device changed state or health",
        adds=(*payloads.DEVICE_BEFORE, payloads.REASON),
        lava="device",
    ),
    _device("deleted", "a device is gone", adds=(payloads.RESTRICTED,)),
    _worker("added", "a worker appeared", adds=(payloads.REASON,)),
    _worker(
        "changed",
        "a worker changed state or health",
        adds=(*payloads.WORKER_BEFORE, payloads.REASON),
        lava="worker",
    ),
    _worker("deleted", "a worker is gone"),
    EventType(
        name="queue.summary",
        subject="queue",
        fires="the number of jobs in some state is another one, at most once a second",
        family=payloads.QUEUE,
        core4="summary",
    ),
    EventType(
        name="custom.*",
        subject="custom",
        fires="a test, the API or a plugin says something of its own",
        family=payloads.CUSTOM,
        lava="event",
        core4="message",
    ),
)

CATALOGUE = {entry.name: entry for entry in _TYPES}
LONGEST_TYPE = 64  # characters

_FAMILIES = {entry.prefix: entry for entry in _TYPES if entry.prefix}


def find(type: str) -> EventType | None:
    """The entry of a canonical type; None if nothing is known of it."""
    prefix = "".join(type.partition(".")[:2])
    if prefix not in _FAMILIES:
        return CATALOGUE.get(type)
    return _FAMILIES[prefix] if len(type) <= LONGEST_TYPE and topics.is_plain(type) else None
