"""What a definition says of MultiNode: the roles of a group of jobs, or the place of one job in its group. No ORM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.faults import (
    Check,
    Faults,
    Path,
    check_boolean,
    check_known,
    check_required,
    entry,
    got,
    is_integer,
    refuse,
    suggest,
)
from jobs.builtin import MULTINODE
from jobs.values import check_context, check_environment, check_name, check_tags, check_text, check_timeout

MAX_MEMBERS = 32  # jobs of one group
MAX_GROUP_LENGTH = 4_000_000  # characters of all of them, written out


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What some of the jobs of a MultiNode definition are for: so many of them, each on a device of this type."""

    name: str
    device_type: str
    count: int
    tags: tuple[str, ...]
    is_essential: bool  # if one of these fails, the whole group is over


def roles_of(job: Mapping[str, Any]) -> tuple[Role, ...]:
    """Of data without a fault; none of what is no whole MultiNode definition."""
    return tuple(_role(name, role) for name, role in (_roles(job) or {}).items())


def _role(name: str, role: Mapping[str, Any]) -> Role:
    return Role(
        name=name,
        device_type=role["device_type"],
        count=role["count"],
        tags=tuple(dict.fromkeys(role.get("tags", ()))),
        is_essential=role.get("essential", False),
    )


def check_multinode(faults: Faults, at: Path, value: Any) -> None:
    if not isinstance(value, dict):
        faults.expected(at, "a mapping with roles", value)
        return
    is_member = _is_of_member(value)
    examples = {"role": "role: server", "group_size": "group_size: 2"} if is_member else _ROLES
    check_required(faults, at, value, examples)
    check_known(faults, at, value, _MEMBER if is_member else _WHOLE)


def _check_roles(faults: Faults, at: Path, value: Any) -> None:
    if not isinstance(value, dict) or not value:
        faults.expected(at, "a mapping with at least one role", value)
        return
    for name, role in value.items():
        check_name(faults, (*at, name), name)
        _check_role(faults, (*at, name), role)
    if (jobs := _count(value)) > MAX_MEMBERS:
        faults.add(at, f"expected at most {MAX_MEMBERS} jobs in all, got {jobs:,}: lower the counts")


def _check_role(faults: Faults, at: Path, value: Any) -> None:
    if not isinstance(value, dict):
        faults.expected(at, "a mapping with device_type and count", value)
        return
    refuse(faults, at, value, _NOT_OF_A_ROLE)
    check_required(faults, at, value, {"device_type": "device_type: local", "count": "count: 1"})
    check_known(faults, at, {key: value[key] for key in value if key not in _NOT_OF_A_ROLE}, _ROLE)


def _check_count(faults: Faults, at: Path, value: Any) -> None:
    if not is_integer(value) or value < 1:
        faults.expected(at, "a whole number above 0", value)


def check_group(faults: Faults, job: dict[Any, Any]) -> None:
    """What a MultiNode definition, or a member's, says in more than one place."""
    if not is_whole(job):
        role = entry(job, "protocols", MULTINODE, "role")
        _check_roles_of_actions(faults, job, [role] if isinstance(role, str) else [])
        return
    refuse(faults, (), job, _NOT_BESIDE_ROLES)
    roles = _roles(job)
    if isinstance(roles, dict) and len(roles) <= MAX_MEMBERS:
        _check_roles_of_actions(faults, job, [name for name in roles if isinstance(name, str)])
        _check_all_have_actions(faults, job, roles)
        _check_length(faults, job, roles)


def _check_roles_of_actions(faults: Faults, job: dict[Any, Any], names: Sequence[str]) -> None:
    for at, body in _bodies(job):
        if "role" not in body or not names:
            continue
        role = body["role"]
        if not isinstance(role, str | list) or not role:
            faults.expected((*at, "role"), "a role or a list of roles", role)
        elif isinstance(role, str):
            _check_known_role(faults, (*at, "role"), role, names)
        else:
            for index, name in enumerate(role):
                _check_known_role(faults, (*at, "role", index), name, names)


def _check_known_role(faults: Faults, at: Path, name: Any, names: Sequence[str]) -> None:
    if not isinstance(name, str):
        faults.expected(at, "the name of a role", name)
    elif name not in names and not faults.is_full:
        faults.add(at, f"there is no role {got(name)}; {suggest(name, names)}")


def _check_all_have_actions(faults: Faults, job: dict[Any, Any], roles: Iterable[str]) -> None:
    bodies = [body for _, body in _bodies(job)]
    for name in roles:
        if bodies and not any(is_for(body, name) for body in bodies):
            faults.add(("protocols", MULTINODE, "roles", name), "has no actions: name it as the role of some")


def _check_length(faults: Faults, job: dict[Any, Any], roles: Mapping[str, Any]) -> None:
    """Each member has all that is said once for all of them, so a small text can make a lot."""
    jobs = _count(roles)
    if jobs <= MAX_MEMBERS and (length := jobs * _length(job)) > MAX_GROUP_LENGTH:
        more = f"{jobs} jobs like this are about {length:,} characters long"
        faults.add(("protocols", MULTINODE, "roles"), f"expected at most {MAX_GROUP_LENGTH:,}: {more}")


def _count(roles: Mapping[Any, Any]) -> int:
    counts = [entry(role, "count") for role in roles.values()]
    return sum(count for count in counts if is_integer(count) and count > 0)


def _length(value: Any, indent: int = 0) -> int:
    """About how many characters it has as YAML, where aliases are written out."""
    if isinstance(value, dict):
        return sum(_length(key, indent) + _length(item, indent + 2) for key, item in value.items())
    if isinstance(value, list):
        return sum(_length(item, indent + 2) for item in value)
    return indent + len(str(value))


def _bodies(job: Mapping[Any, Any]) -> Iterator[tuple[Path, dict[Any, Any]]]:
    """Of the actions that are well-formed."""
    actions = job.get("actions")
    for index, action in enumerate(actions if isinstance(actions, list) else ()):
        for kind, body in action.items() if isinstance(action, dict) else ():
            if isinstance(body, dict):
                yield ("actions", index, kind), body


def is_for(body: Mapping[Any, Any], role: str) -> bool:
    """Whether the body of an action is for this role; one that names none is for all."""
    named = body.get("role", role)
    return role == named or (isinstance(named, list) and role in named)


def has_multinode(job: Mapping[Any, Any]) -> bool:
    protocols = job.get("protocols")
    return isinstance(protocols, dict) and MULTINODE in protocols


def is_whole(job: Mapping[Any, Any]) -> bool:
    return has_multinode(job) and not _is_of_member(job["protocols"][MULTINODE])


def _is_of_member(multinode: Any) -> bool:
    return isinstance(multinode, dict) and "target_group" in multinode


def _roles(job: Mapping[Any, Any]) -> Any:
    return entry(job, "protocols", MULTINODE, "roles")


_ROLES = {"roles": "roles: {server: {device_type: local, count: 1}}"}
_ROLE: dict[str, Check] = {
    "device_type": check_name,
    "count": _check_count,
    "context": check_context,
    "tags": check_tags,
    "environment": check_environment,
    "timeout": check_timeout,
    "essential": check_boolean,
}
_WHOLE: dict[str, Check] = {"roles": _check_roles, "timeout": check_timeout}
_MEMBER: dict[str, Check] = {
    "role": check_name,
    "target_group": check_text,
    "group_size": _check_count,
    "essential": check_boolean,
    "timeout": check_timeout,
}
_SHARED_DEVICE = "this role would share another one's device, which is not supported: give it a device_type"
_NOT_OF_A_ROLE = dict.fromkeys(("connection", "host_role", "expect_role", "request"), _SHARED_DEVICE)
_NOT_BESIDE_ROLES = dict.fromkeys(("device_type", "tags"), "belongs to each of the roles, not here")
