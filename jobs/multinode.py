"""MultiNode: one definition for a group of jobs, which are split off it, each for its role. No ORM."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core import yaml
from core.faults import Fault, Faults, Path, read_path
from jobs.builtin import MULTINODE
from jobs.definition import Definition, accepted
from jobs.roles import Role, is_for

OF_A_ROLE = ("device_type", "tags")  # that a role alone has
SHARED = ("context", "environment")  # that the whole may have too: the role's values win
BY_ROLE = ("lava-lxc", "lava-vland")  # protocols that may say something else for each role


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    role: str
    is_essential: bool
    definition: Definition
    actions: tuple[int, ...]  # which of the whole's actions these are


def split(definition: Definition, target_group: UUID) -> list[Member]:
    """The jobs of a whole MultiNode definition: role by role as it has them, and of each as many as it wants."""
    size = sum(role.count for role in definition.roles)
    return [
        member
        for role in definition.roles
        for member in [_member(definition, role, {"target_group": str(target_group), "group_size": size})]
        * role.count
    ]


def faults_of(
    definition: Definition, members: Iterable[Member], find: Callable[[Member], Iterable[Fault]]
) -> list[Fault]:
    """What `find` says of the members, with the paths and lines of the whole definition, in their order.

    It is asked once for each role, as the definitions of its members are the same. What it says of an action that
    several roles have is told once.
    """
    found: dict[tuple[Path, str], None] = {}
    faults = Faults()
    for member in {member.role: member for member in members}.values():
        for fault in find(member):
            found[_in_whole(definition, member, read_path(fault.path)), fault.message] = None
    for at, message in found:
        faults.add(at, message)
    return faults.placed(yaml.parse(definition.text)) if found else []


def _in_whole(definition: Definition, member: Member, at: Path) -> Path:
    of_role = ("protocols", MULTINODE, "roles", member.role)
    match at:
        case ("actions", int(index), *rest):
            return ("actions", member.actions[index], *rest)
        case (key, *_) if key in OF_A_ROLE:
            return (*of_role, *at)
        case (key, name, *_) if key in SHARED and name in _role_of(definition, member.role).get(key, {}):
            return (*of_role, *at)
    return at


def _member(whole: Definition, role: Role, group: Mapping[str, Any]) -> Member:
    said = _role_of(whole, role.name)
    mine = [index for index, action in enumerate(whole.data["actions"]) if _is_for(action, role.name)]
    data = {
        **whole.data,
        **{key: said[key] for key in OF_A_ROLE if key in said},
        **{key: {**whole.data.get(key, {}), **said[key]} for key in SHARED if key in said},
        "protocols": _protocols(whole, role.name, group),
        "actions": [_with_role(whole.data["actions"][index], role.name) for index in mine],
    }
    return Member(
        role=role.name,
        is_essential=role.is_essential,
        definition=accepted(yaml.dump(data), data),
        actions=tuple(mine),
    )


def _protocols(whole: Definition, role: str, group: Mapping[str, Any]) -> dict[str, Any]:
    """The member's own part of all protocols."""
    protocols = whole.data["protocols"]
    said = _role_of(whole, role)
    mine: dict[str, Any] = {}
    for name, protocol in protocols.items():
        if name not in BY_ROLE or not _is_by_role(protocol, whole):
            mine[name] = protocol
        elif role in protocol:
            mine[name] = protocol[role]
    timeout = {key: value for key, value in protocols[MULTINODE].items() if key == "timeout"}
    own = {key: said[key] for key in ("essential", "timeout") if key in said}
    return mine | {MULTINODE: {"role": role, **group, **timeout, **own}}


def _is_by_role(protocol: Any, whole: Definition) -> bool:
    return isinstance(protocol, dict) and any(role.name in protocol for role in whole.roles)


def _role_of(whole: Definition, name: str) -> dict[str, Any]:
    role: dict[str, Any] = whole.data["protocols"][MULTINODE]["roles"][name]
    return role


def _is_for(action: Mapping[str, Any], role: str) -> bool:
    return all(is_for(body, role) for body in action.values())


def _with_role(action: Mapping[str, Any], role: str) -> dict[str, Any]:
    """LAVA's dispatcher is told the one role of its job, whatever other roles have the action too."""
    return {kind: body | {"role": role} if "role" in body else body for kind, body in action.items()}
