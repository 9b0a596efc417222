"""Job definitions: what may be submitted, and every fault of what may not. No ORM.

What LAVA 2023.01 accepts is accepted: the top level is closed, the bodies of actions are open. Beyond LAVA's
keys there is one, `lava_lite`, for what a job asks of this lab; workers never see it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

from core import yaml
from core.faults import MAX_FAULTS as MAX_FAULTS
from core.faults import (
    Check,
    Faults,
    Path,
    check_boolean,
    check_known,
    check_required,
    entries,
    entry,
    is_integer,
    is_text,
    read_path,
    refuse,
    refuse_unknown,
)
from core.faults import Fault as Fault
from jobs.builtin import MULTINODE as MULTINODE
from jobs.builtin import faults_for_executor as faults_for_executor
from jobs.faults import InvalidDefinition as InvalidDefinition
from jobs.remote_tokens import with_tokens
from jobs.retries import ERROR_TYPES, MAX_ATTEMPTS, MAX_BACKOFF
from jobs.roles import Role, check_group, check_multinode, has_multinode, is_whole, roles_of
from jobs.values import MAX_NAME as MAX_NAME
from jobs.values import MAX_NAMES as MAX_NAMES
from jobs.values import MAX_TIMEOUT as MAX_TIMEOUT
from jobs.values import (
    check_context,
    check_environment,
    check_name,
    check_named_timeouts,
    check_names,
    check_secrets,
    check_tags,
    check_text,
    check_timeout,
    duration_of,
    spoken,
    to_timedelta,
)

MAX_BYTES = 1_000_000
PRIORITIES = MappingProxyType({"high": 100, "medium": 50, "low": 0})
DEFAULT_PRIORITY = PRIORITIES["medium"]
ACTIONS = ("deploy", "boot", "test", "command")
SOURCES = ("git", "url", "inline")
TESTS = ("definitions", "interactive", "monitors")
WALL_TIME = "wall_time"
DEVICE = "device"
RESERVATION = "reservation"
RETRY = "retry"
DEFER = "defer"
MAX_REASON = 200
SHELL = "shell"

_DEFINITION_NAME = re.compile(r"[-_a-zA-Z0-9.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    kind: Literal["public", "personal", "group"]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defer:
    """When a job wants to be run, if not now, and for how long it may be put off later on."""

    until: datetime | None = None
    delay: timedelta | None = None
    limit: timedelta | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    text: str  # as it was submitted
    data: Mapping[str, Any]
    name: str
    device_type: str | None  # None: each of the roles has its own
    visibility: Visibility
    priority: int
    tags: tuple[str, ...]
    job_timeout: timedelta
    queue_timeout: timedelta | None
    wall_time: timedelta | None
    retry: Mapping[str, Any]  # what it says of further attempts, as JSON has it; times are seconds
    defer: Defer
    device: str | None  # the only one that will do
    is_reservation: bool  # `job_timeout` is how long a person wants to hold a device
    metadata: Mapping[str | int, Any]
    lava_lite: Mapping[str, Any]
    roles: tuple[Role, ...]  # of a whole MultiNode definition, which `jobs.multinode.split` makes jobs of
    is_member: bool  # one of these jobs

    def for_worker(
        self,
        *,
        sub_id: int = 0,
        roles: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """The YAML that a worker gets, as LAVA 2023.01 writes it, without what only this lab understands.

        Only the server knows the place of a member in its group, from 0, and the roles of all the group's jobs by
        their ids; LAVA's dispatcher wants both. `tokens` are the submitter's by their names, which stand in the text.
        """
        data = {key: value for key, value in self.data.items() if key != "lava_lite"}
        data = with_tokens(data, tokens)
        if self.is_member and roles is not None:
            group = data["protocols"][MULTINODE] | {"sub_id": sub_id, "roles": dict(roles)}
            data["protocols"] = data["protocols"] | {MULTINODE: group}
        return yaml.dump(data | {"compatibility": 0})

    def line_of(self, path: str) -> int:
        """The line of a path as faults write it, or of the nearest entry above it."""
        return yaml.line_of(self.text, read_path(path))


def parse(text: str, *, max_bytes: int = MAX_BYTES) -> Definition:
    """Raises InvalidDefinition with every fault, in the order of their lines."""
    try:
        document = yaml.parse(text, max_bytes=max_bytes)
    except yaml.YAMLError as error:
        raise InvalidDefinition([_not_yaml(error)]) from None
    faults = Faults()
    _check_job(faults, document.value)
    if found := faults.placed(document):
        raise InvalidDefinition(found)
    return accepted(text, document.value)


def accepted(text: str, data: Mapping[str, Any]) -> Definition:
    """From data without a fault."""
    timeouts = data["timeouts"]
    ours = data.get("lava_lite", {})
    priority = data.get("priority", DEFAULT_PRIORITY)
    return Definition(
        text=text,
        data=data,
        name=data["job_name"],
        device_type=data.get("device_type"),
        visibility=_visibility(data["visibility"]),
        priority=PRIORITIES.get(priority, priority),
        tags=tuple(dict.fromkeys(data.get("tags", ()))),
        job_timeout=to_timedelta(timeouts["job"]),
        queue_timeout=to_timedelta(timeouts["queue"]) if "queue" in timeouts else None,
        wall_time=to_timedelta(ours[WALL_TIME]) if WALL_TIME in ours else None,
        retry=_retry(ours.get(RETRY, {})),
        defer=_defer(ours.get(DEFER, {})),
        device=ours.get(DEVICE),
        is_reservation=ours.get(RESERVATION, False),
        metadata=data.get("metadata", {}),
        lava_lite=ours,
        roles=roles_of(data),
        is_member=has_multinode(data) and not is_whole(data),
    )


def check_test(text: str, *, max_bytes: int = MAX_BYTES) -> list[Fault]:
    """All that is wrong with a test definition that stands alone; empty if nothing is."""
    try:
        document = yaml.parse(text, max_bytes=max_bytes)
    except yaml.YAMLError as error:
        return [_not_yaml(error)]
    faults = Faults()
    _check_inline(faults, (), document.value)
    return faults.placed(document)


def _not_yaml(error: yaml.YAMLError) -> Fault:
    message = f"not valid YAML: {error.message}, column {error.column}"
    return Fault(path="", message=message, line=error.line)


# The top level


def _check_job(faults: Faults, job: Any) -> None:
    required = ", ".join(_REQUIRED)
    if not isinstance(job, dict):
        faults.expected((), f"a mapping with the keys {required}", job)
        return
    refuse_unknown(faults, (), job, _CHECKS)
    check_required(faults, (), job, _REQUIRED_OF_WHOLE if is_whole(job) else _REQUIRED)
    checks = _CHECKS if entry(job, "lava_lite", RESERVATION) is not True else _CHECKS_OF_RESERVATION
    for key, check in checks.items():
        if key in job:
            check(faults, (key,), job[key])
    _check_lengths(faults, job)
    if has_multinode(job):
        refuse(faults, ("lava_lite",), job.get("lava_lite"), _NOT_IN_A_GROUP)
        check_group(faults, job)


def _check_visibility(faults: Faults, at: Path, value: Any) -> None:
    if isinstance(value, str) and value in ("public", "personal"):
        return
    if not isinstance(value, dict) or list(value) != ["group"]:
        faults.expected(at, "public, personal or {group: [names]}", value)
    elif check_names(faults, (*at, "group"), value["group"]) and not value["group"]:
        faults.add((*at, "group"), "expected at least one group")


def _check_priority(faults: Faults, at: Path, value: Any) -> None:
    if isinstance(value, str) and value in PRIORITIES:
        return
    if not is_integer(value) or not 0 <= value <= 100:
        faults.expected(at, "high, medium, low or a whole number from 0 to 100", value)


def _check_metadata(faults: Faults, at: Path, value: Any) -> None:
    for key in entries(faults, at, value):
        if not isinstance(key, str) and not is_integer(key):
            faults.expected((*at, key), "a key that is text or a whole number", key)


def _check_protocols(faults: Faults, at: Path, value: Any) -> None:
    if MULTINODE in entries(faults, at, value):
        check_multinode(faults, (*at, MULTINODE), value[MULTINODE])


def _check_mapping(faults: Faults, at: Path, value: Any) -> None:
    entries(faults, at, value)


def _check_ours(faults: Faults, at: Path, value: Any) -> None:
    ours = entries(faults, at, value)
    if WALL_TIME in ours:
        check_timeout(faults, (*at, WALL_TIME), ours[WALL_TIME])
    if RETRY in ours:
        _check_retry(faults, (*at, RETRY), ours[RETRY])
    if DEFER in ours:
        _check_defer(faults, (*at, DEFER), ours[DEFER])
    if DEVICE in ours:
        check_name(faults, (*at, DEVICE), ours[DEVICE])
    if RESERVATION in ours:
        check_boolean(faults, (*at, RESERVATION), ours[RESERVATION])


# Attempts


def _check_retry(faults: Faults, at: Path, value: Any) -> None:
    if not isinstance(value, dict):
        _check_attempts(faults, at, value)
        return
    check_known(faults, at, value, _RETRY)
    check_required(faults, at, value, {"attempts": "attempts: 3"})


def _check_attempts(faults: Faults, at: Path, value: Any) -> None:
    if not is_integer(value) or not 1 <= value <= MAX_ATTEMPTS:
        faults.expected(at, f"a number of attempts from 1 to {MAX_ATTEMPTS}, the first one included", value)


def _check_backoff(faults: Faults, at: Path, value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 1 <= value <= MAX_BACKOFF:
        faults.expected(at, f"a number from 1 to {MAX_BACKOFF}, for example 2", value)


def _check_error_types(faults: Faults, at: Path, value: Any) -> None:
    if not isinstance(value, list) or not value:
        faults.expected(at, f"a list of at least one of {', '.join(ERROR_TYPES)}", value)
        return
    for index, name in enumerate(value):
        if name not in ERROR_TYPES:
            faults.expected((*at, index), f"one of {', '.join(ERROR_TYPES)}", name)


def _check_defer(faults: Faults, at: Path, value: Any) -> None:
    if not isinstance(value, dict):
        faults.expected(
            at, "a mapping with until, delay, limit or reason, for example {delay: {hours: 1}}", value
        )
        return
    check_known(faults, at, value, _DEFER)
    if "until" in value and "delay" in value:
        faults.add(at, "expected until or delay, got both")


def _check_moment(faults: Faults, at: Path, value: Any) -> None:
    if _moment(value) is None:
        faults.expected(
            at, "a time, for example 2030-12-31 18:00:00 (UTC) or 2030-12-31T18:00:00+01:00", value
        )


def _check_reason(faults: Faults, at: Path, value: Any) -> None:
    if is_text(faults, at, value) and len(value) > MAX_REASON:
        faults.add(at, f"expected at most {MAX_REASON} characters, got {len(value)}")


def _moment(value: Any) -> datetime | None:
    """None for what is no time; one without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


# Timeouts


def _check_timeouts(faults: Faults, at: Path, value: Any) -> None:
    timeouts = entries(faults, at, value)
    refuse_unknown(faults, at, timeouts, _TIMEOUTS)
    if isinstance(value, dict) and "job" not in timeouts:
        faults.add((*at, "job"), "is required, for example `job: {minutes: 10}`")
    for key, check in _TIMEOUTS.items():
        if key in timeouts:
            check(faults, (*at, key), timeouts[key])


def _check_lengths(faults: Faults, job: dict[Any, Any]) -> None:
    """An action that may take longer than its job can only be a mistake; the dispatcher refuses it too."""
    whole = duration_of(entry(job, "timeouts", "job"))
    actions = job.get("actions")
    if whole is None or not isinstance(actions, list):
        return
    for index, action in enumerate(actions):
        for kind in action if isinstance(action, dict) else ():
            timeout = entry(action, kind, "timeout")
            duration = duration_of(timeout)
            if duration is not None and duration > whole:
                longer = f"{spoken(timeout)} is longer than the whole job may take"
                faults.add(
                    ("actions", index, kind, "timeout"), f"{longer} ({spoken(job['timeouts']['job'])})"
                )


# Actions


def _check_actions(faults: Faults, at: Path, value: Any) -> None:
    if not isinstance(value, list) or not value:
        faults.expected(at, "a list of at least one action", value)
        return
    for index, action in enumerate(value):
        _check_action(faults, (*at, index), action)


def _check_no_actions(faults: Faults, at: Path, value: Any) -> None:
    if value != []:
        faults.add(at, "expected [], as nothing runs in a reservation")


def _check_action(faults: Faults, at: Path, action: Any) -> None:
    kinds = "deploy, boot, test or command"
    if not isinstance(action, dict):
        faults.expected(at, f"a mapping with the key {kinds}", action)
        return
    if len(action) != 1:
        faults.add(at, f"expected exactly one key ({kinds}), got {len(action)}; check the indentation")
        return
    refuse_unknown(faults, at, action, ACTIONS)
    for kind, body in action.items():
        if kind in ACTIONS:
            _check_body(faults, (*at, kind), kind, body)


def _check_body(faults: Faults, at: Path, kind: str, body: Any) -> None:
    if not isinstance(body, dict):
        faults.expected(at, "a mapping; check the indentation", body)
        return
    if "timeout" in body:
        check_timeout(faults, (*at, "timeout"), body["timeout"])
    if "timeouts" in body:
        check_named_timeouts(faults, (*at, "timeouts"), body["timeouts"])
    if kind == "test":
        _check_test(faults, at, body)


def _check_test(faults: Faults, at: Path, body: dict[Any, Any]) -> None:
    if not any(key in body for key in TESTS):
        faults.add(at, "expected definitions, interactive or monitors in it")
    if "definitions" not in body:
        return
    at = (*at, "definitions")
    definitions = body["definitions"]
    if not isinstance(definitions, list) or not definitions:
        faults.expected(at, "a list of at least one test definition", definitions)
        return
    for index, definition in enumerate(definitions):
        _check_test_definition(faults, (*at, index), definition)


def _check_test_definition(faults: Faults, at: Path, definition: Any) -> None:
    if not isinstance(definition, dict):
        faults.expected(at, "a mapping with the keys from, name, path and repository", definition)
        return
    for key in ("from", "name", "path", "repository"):
        if key not in definition:
            faults.add((*at, key), "is required in a test definition")
    source = definition.get("from", "inline")
    if not isinstance(source, str) or source not in SOURCES:
        faults.expected((*at, "from"), "git, url or inline", source)
    if "path" in definition:
        is_text(faults, (*at, "path"), definition["path"])
    if "name" in definition:
        _check_test_name(faults, (*at, "name"), definition["name"])
    if "parameters" in definition:
        _check_mapping(faults, (*at, "parameters"), definition["parameters"])
    if "repository" in definition:
        check = _check_inline if source == "inline" else check_text
        check(faults, (*at, "repository"), definition["repository"])


def _check_test_name(faults: Faults, at: Path, name: Any) -> None:
    if is_text(faults, at, name) and not _DEFINITION_NAME.fullmatch(name):
        faults.expected(at, "only letters, digits and - _ .", name)


def _check_inline(faults: Faults, at: Path, repository: Any) -> None:
    if not isinstance(repository, dict):
        faults.expected(at, "a mapping with metadata and run", repository)
        return
    if "install" in repository:
        install = entries(faults, (*at, "install"), repository["install"])
        _check_steps(faults, (*at, "install", "steps"), install.get("steps", []))
    _check_steps(faults, (*at, "run", "steps"), entry(repository, "run", "steps"))


def _check_steps(faults: Faults, at: Path, steps: Any) -> None:
    if not isinstance(steps, list):
        faults.expected(at, "a list of commands", steps)
        return
    for index, step in enumerate(steps):
        if isinstance(step, str):
            continue
        hint = 'put a command that has ": " in it in quotes' if isinstance(step, dict) else "put it in quotes"
        faults.expected((*at, index), f"a command as text ({hint})", step)


_REQUIRED = {
    "job_name": "job_name: my first job",
    "device_type": "device_type: local",
    "visibility": "visibility: public",
    "timeouts": "timeouts: {job: {minutes: 10}}",
    "actions": "actions: [...]",
}
_REQUIRED_OF_WHOLE = {key: example for key, example in _REQUIRED.items() if key != "device_type"}
_CHECKS: dict[str, Check] = {
    "job_name": check_name,
    "device_type": check_name,
    "visibility": _check_visibility,
    "priority": _check_priority,
    "tags": check_tags,
    "timeouts": _check_timeouts,
    "actions": _check_actions,
    "context": check_context,
    "metadata": _check_metadata,
    "environment": check_environment,
    "secrets": check_secrets,
    "protocols": _check_protocols,
    "notify": _check_mapping,
    "reboot_to_fastboot": check_boolean,
    "lava_lite": _check_ours,
}
_CHECKS_OF_RESERVATION = _CHECKS | {"actions": _check_no_actions}
_RETRY: dict[str, Check] = {
    "attempts": _check_attempts,
    "delay": check_timeout,
    "backoff": _check_backoff,
    "max_delay": check_timeout,
    "errors": _check_error_types,
}
_DEFER: dict[str, Check] = {
    "until": _check_moment,
    "delay": check_timeout,
    "limit": check_timeout,
    "reason": _check_reason,
}
_NOT_IN_A_GROUP = {
    RETRY: "the jobs of a group are not tried again: leave it out",
    DEVICE: "each job of a group has a device of its own: leave it out, or give the roles tags",
    RESERVATION: "a reservation is of one device, and has no roles",
}
_TIMEOUTS: dict[str, Check] = {
    "job": check_timeout,
    "action": check_timeout,
    "connection": check_timeout,
    "queue": check_timeout,
    "actions": check_named_timeouts,
    "connections": check_named_timeouts,
}


# Words


def _retry(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {"attempts": value}
    return {
        key: to_timedelta(item).total_seconds() if isinstance(item, dict) else item
        for key, item in value.items()
    }


def _defer(value: dict[str, Any]) -> Defer:
    times = {key: to_timedelta(value[key]) for key in ("delay", "limit") if key in value}
    return Defer(until=_moment(value.get("until")), reason=value.get("reason", ""), **times)


def _visibility(value: Any) -> Visibility:
    if isinstance(value, dict):
        return Visibility(kind="group", groups=tuple(dict.fromkeys(value["group"])))
    return Visibility(kind=value)
