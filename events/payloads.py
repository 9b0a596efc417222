"""What events say: the fields of their payloads, as data. No ORM.

A payload only grows. A field that a release has told stays as it is, since listeners count on it; a new one is not
in all payloads, as those that were recorded before do not have it. tests/events/test_compatibility.py holds this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

FIRST = "0.1.0"  # the version of lava_lite that had a catalogue first


class Kind(StrEnum):
    """What a value is, in the words of the documentation."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    FLAG = "true or false"
    TIME = "time"  # ISO 8601 with zone
    UUID = "uuid"
    TEXTS = "list of texts"
    PLACES = "list of whole numbers"
    JOB = "number of a job"  # 12, or in a group the text "12.1"
    OBJECT = "object"  # of JSON: keys with any values


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    meaning: str  # with its unit
    kind: Kind = Kind.TEXT
    always: bool = True  # or else left out where there is nothing to say, or nothing to know for who listens
    or_null: bool = False
    words: tuple[str, ...] = ()  # all that it may be, if these are few
    since: str = FIRST  # the version of lava_lite that told it first


@dataclass(frozen=True, slots=True)
class Family:
    """What the events of one kind of thing have in common."""

    name: str
    fields: tuple[Field, ...]


def merged(*groups: tuple[Field, ...]) -> tuple[Field, ...]:
    """All fields in their order; of two with one name the later holds, in the place of the first."""
    by_name = {field.name: field for group in groups for field in group}
    return tuple(by_name.values())


def always(field: Field) -> Field:
    return replace(field, always=True)


def sometimes(field: Field) -> Field:
    return replace(field, always=False)


# The words are those of the packages above; a test compares them.
JOB_STATES = ("Submitted", "Scheduling", "Scheduled", "Running", "Canceling", "Finished")
JOB_HEALTHS = ("Unknown", "Complete", "Incomplete", "Canceled")
JOB_STATUSES = ("Submitted", "Running", "Canceling", "Complete", "Incomplete", "Canceled")
VISIBILITIES = ("Publicly visible", "Personal only", "Group only")
STEP_STATES = ("running", "pass", "fail", "canceled", "unfinished")
DEVICE_STATES = ("Idle", "Reserved", "Running")
DEVICE_HEALTHS = ("Good", "Unknown", "Looping", "Bad", "Maintenance", "Retired")
DEVICE_STATUSES = ("Idle", "Offline", "Reserved", "Running", "Retired")
OLD_DEVICE_HEALTHS = ("Pass", "Unknown", "Looping", "Fail")
WORKER_STATES = ("Online", "Offline")
WORKER_HEALTHS = ("Active", "Maintenance", "Retired")

# Not recorded: each transport adds them from the event's own columns.
EVERY = (Field("event", "canonical type"), Field("sequence", "lab-wide number, without gaps", Kind.WHOLE))
OF_JOB = (Field("job_sequence", "number within the job's events, from 1", Kind.WHOLE),)

REASON = Field("reason", "the words of who made it happen", always=False)
PREVIOUS_STATE = Field("previous_state", "the state before", words=JOB_STATES)
NOT_BEFORE = Field(
    "not_before", "of a job that is put off: before when it gets no device", Kind.TIME, always=False
)
OVERTIME_SINCE = Field(
    "overtime_since", "since when it runs for longer than its wall time", Kind.TIME, always=False
)
LOST_SINCE = Field("lost_since", "of a job whose worker is silent: since when", Kind.TIME, always=False)
DEADLINE = Field(
    "deadline",
    "when the lab ends a lost job if its worker stays away, or takes back a device that is reserved",
    Kind.TIME,
    always=False,
)
RESERVED = Field("kind", "of a reservation; not told of others", always=False, words=("reservation",))
EXPIRING_SINCE = Field(
    "expiring_since", "of a reservation: since when its holder is warned of its end", Kind.TIME, always=False
)

_WHOSE = (
    Field("job", "its number; of a job in a group a text, `12.1`", Kind.JOB),
    Field("uuid", "of the job", Kind.UUID),
    Field("attempt", "which run of the job, from 1", Kind.WHOLE),
)

JOB = Family(
    "job",
    merged(
        EVERY,
        OF_JOB,
        _WHOSE,
        (
            Field("state", "today's word for the state", words=JOB_STATES),
            PREVIOUS_STATE,
            Field("health", "today's word for how it ended", words=JOB_HEALTHS),
            Field("status", "LAVA 2017's one word for state and health", words=JOB_STATUSES),
            Field("description", "the definition's `job_name`"),
            Field("priority", "0 to 100", Kind.WHOLE),
            Field("submitter", "name of the user"),
            Field("submit_time", "when it was submitted", Kind.TIME),
            Field("start_time", "when this run began", Kind.TIME, always=False),
            Field("end_time", "when it was over", Kind.TIME, always=False),
            Field("health_check", "whether it checks the health of its device", Kind.FLAG),
            Field("visibility", "who sees it", words=VISIBILITIES),
            Field("device_type", "name"),
            Field("tags", "names of the tags that it wants of its device", Kind.TEXTS, always=False),
            Field("device", "name, once it has one", always=False),
            Field("worker", "name of the device's worker", always=False),
            NOT_BEFORE,
            Field("not_before_reason", "why it is put off", always=False),
            OVERTIME_SINCE,
            LOST_SINCE,
            DEADLINE,
            RESERVED,
            EXPIRING_SINCE,
            Field("sub_id", "of a job in a group: its number, `12.1`", always=False),
            Field("target_group", "of a job in a group: that of the group", Kind.UUID, always=False),
            Field("role", "of a job in a group: what it is for in it", always=False),
            Field("pipeline", "always true; LAVA 2017 had jobs of another kind", Kind.FLAG),
            REASON,
        ),
    ),
)

PROGRESS = Family(
    "progress",
    merged(
        EVERY,
        OF_JOB,
        _WHOSE,
        (
            Field("percent", "what the test said last, 0 to 100", Kind.WHOLE, or_null=True),
            Field("text", "its words, or empty"),
            Field("level", "of the step that began last, or empty"),
            Field("name", "of the step that began last, or empty"),
        ),
    ),
)

STEP = Family(
    "step",
    merged(
        EVERY,
        OF_JOB,
        _WHOSE,
        (
            Field("level", "its place among the steps: `2.1.1`"),
            Field("name", "`execute-qemu`"),
            Field(
                "step_id",
                "the level in LambdaCD's order, in which the child comes first: `[1, 1, 2]`",
                Kind.PLACES,
            ),
            Field("trial", "2 when the same action is run for the second time", Kind.WHOLE),
            Field("index", "of the record that began it, unique in the attempt", Kind.WHOLE),
            Field("parent", "index of the step that it is a part of", Kind.WHOLE, or_null=True),
            Field("state", "`unfinished`: the attempt ended first", words=STEP_STATES),
            Field("start_time", "by the worker's clock", Kind.TIME),
            Field("end_time", "by the worker's clock; null while it runs", Kind.TIME, or_null=True),
            Field("duration", "seconds; null while it runs", Kind.NUMBER, or_null=True),
        ),
    ),
)

DEVICE = Family(
    "device",
    merged(
        EVERY,
        (
            Field("device", "name"),
            Field("device_type", "name"),
            Field("worker", "name of its worker", or_null=True),
            Field("state", "today's word for the state", words=DEVICE_STATES),
            Field("health", "today's word for the health", words=DEVICE_HEALTHS),
            Field("status", "LAVA 2017's one word for state and health", words=DEVICE_STATUSES),
            Field("health_status", "LAVA 2017's word for the health", words=OLD_DEVICE_HEALTHS),
            Field(
                "job",
                "number of the job that has it; not for those from whom that job is hidden",
                Kind.JOB,
                always=False,
            ),
            Field(
                "closed_since", "since when the end of a job there is not confirmed", Kind.TIME, always=False
            ),
            Field("pipeline", "always true; LAVA 2017 had jobs of another kind", Kind.FLAG),
        ),
    ),
)
DEVICE_BEFORE = (
    Field("previous_state", "the state before", words=DEVICE_STATES),
    Field("previous_health", "the health before", words=DEVICE_HEALTHS),
)
RESTRICTED = Field("restricted", "whether it was shown to some groups only", Kind.FLAG)

WORKER = Family(
    "worker",
    merged(
        EVERY,
        (
            Field("hostname", "its name"),
            Field("state", "whether it asks for work", words=WORKER_STATES),
            Field("health", "whether it gets jobs", words=WORKER_HEALTHS),
        ),
    ),
)

WORKER_BEFORE = (
    Field("previous_state", "the state before", words=WORKER_STATES),
    Field("previous_health", "the health before", words=WORKER_HEALTHS),
)

QUEUE = Family(
    "queue",
    merged(
        EVERY,
        (
            Field(
                "states",
                "how many unfinished jobs are in each state, of all jobs; a state without any is left out",
                Kind.OBJECT,
            ),
            Field(
                "flags",
                "how many of them are `deferred` or wait for a `retry`, are `lost` or in `overtime`; as in `states`",
                Kind.OBJECT,
            ),
        ),
    ),
)

CUSTOM = Family(
    "custom",
    merged(
        EVERY,
        tuple(sometimes(field) for field in (*OF_JOB, *_WHOSE)),
        (
            Field("submitter", "of the job: name of the user", always=False),
            Field("name", "what follows `custom.` in the type"),
            Field("message", "what was said in words, or empty"),
            Field("data", "what was said as values", Kind.OBJECT, always=False),
            Field(
                "index",
                "of the record in the log with which a test said it, unique in the attempt",
                Kind.WHOLE,
                always=False,
            ),
            Field("public", "of what no job has said: whether all may hear it", Kind.FLAG, always=False),
        ),
    ),
)

FAMILIES = (JOB, PROGRESS, STEP, DEVICE, WORKER, QUEUE, CUSTOM)
