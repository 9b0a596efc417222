"""What devices of the built-in worker can do of a definition, and every fault of what they cannot. No ORM."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from core import yaml
from core.faults import Fault, Faults, Path, check_boolean, cut
from devices.dictionary import EXECUTORS

if TYPE_CHECKING:
    from jobs.definition import Definition

MULTINODE = "lava-multinode"  # the one protocol that they take part in: the jobs of a group start together
INSTALL_PARTS = ("keys", "sources", "deps", "steps", "all", "git-repos")  # that `skip_install` may name
REPOSITORIES = ("https", "http", "ssh", "git")  # protocols by which test definitions are fetched
FILES = "file"  # and the one that a worker has to allow

_REVISION = re.compile(r"[0-9A-Za-z_][^\s~:?*\[\\]*")
_PROTOCOL = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9+.-]*)(?:://|::)")
_SHORT_SSH = re.compile(r"[^/:]+:.*")  # user@host:path
_DEVICES = {
    "shell": "a local device runs commands on this machine",
    "ssh": "this device runs commands over ssh",
    "docker": "this device runs commands in a container",
    "podman": "this device runs commands in a container",
}


def faults_for_executor(definition: Definition, executor: str) -> list[Fault]:
    """What a well-formed definition asks for and devices with this executor cannot do."""
    if executor not in EXECUTORS:
        return []
    faults = Faults()
    if spoken := [str(name) for name in definition.data.get("protocols", {}) if name != MULTINODE]:
        named = cut(", ".join(spoken))
        faults.add(("protocols",), f"{_DEVICES[executor]}; it speaks no protocols: leave out {named}")
    for index, action in enumerate(definition.data["actions"]):
        for kind, body in action.items():
            _check_for_builtin(faults, ("actions", index, kind), kind, body, executor)
    return faults.placed(yaml.parse(definition.text)) if faults.found else []


def protocol_of(repository: str) -> str:
    """By which git would fetch it: `https`, `ssh`, … A path is `file`, and `name::` asks for git-remote-name."""
    if found := _PROTOCOL.match(repository):
        return found["name"].lower()
    return "ssh" if _SHORT_SSH.match(repository) else FILES


def _check_for_builtin(faults: Faults, at: Path, kind: str, body: dict[str, Any], executor: str) -> None:
    if kind != "test":
        nothing = {"deploy": "nothing to deploy", "boot": "nothing to boot", "command": "no device commands"}
        faults.add(at, f"{_DEVICES[executor]}; it has {nothing[kind]}")
        return
    if "protocols" in body:
        faults.add((*at, "protocols"), "the built-in worker sends no messages between jobs: leave it out")
    for key in ("interactive", "monitors", "docker"):
        if key in body:
            faults.add((*at, key), "not supported by the built-in worker; use definitions")
    for index, definition in enumerate(body.get("definitions", [])):
        _check_definition_for_builtin(faults, (*at, "definitions", index), definition)


def _check_definition_for_builtin(faults: Faults, at: Path, definition: dict[str, Any]) -> None:
    check = {"inline": _check_inline_for_builtin, "git": _check_git_for_builtin}.get(definition["from"])
    if check is None:
        faults.add(
            (*at, "from"), f"{definition['from']} is not supported by the built-in worker; use inline or git"
        )
        return
    check(faults, at, definition)
    skipped = definition.get("skip_install", [])
    if not isinstance(skipped, list) or any(part not in INSTALL_PARTS for part in skipped):
        faults.expected((*at, "skip_install"), f"a list of {', '.join(INSTALL_PARTS)}", skipped)


def _check_inline_for_builtin(faults: Faults, at: Path, definition: dict[str, Any]) -> None:
    if "parse" in definition["repository"]:
        message = "not supported by the built-in worker; report results with lava-test-case"
        faults.add((*at, "repository", "parse"), message)


def _check_git_for_builtin(faults: Faults, at: Path, definition: dict[str, Any]) -> None:
    if protocol_of(definition["repository"]) not in (*REPOSITORIES, FILES):
        what = f"an address that begins with {', '.join(f'{name}://' for name in REPOSITORIES)}"
        faults.expected((*at, "repository"), what, definition["repository"])
    parts = PurePosixPath(definition["path"]).parts
    if definition["path"].startswith("/") or ".." in parts:
        faults.expected((*at, "path"), "a path inside the repository", definition["path"])
    for key in ("branch", "revision"):
        if key in definition and not _REVISION.fullmatch(str(definition[key])):
            faults.expected((*at, key), "the name of a branch, a tag or a commit", definition[key])
    if "history" in definition:
        check_boolean(faults, (*at, "history"), definition["history"])
