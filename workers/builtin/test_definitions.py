"""LAVA's test definitions: the steps of one suite, in the job or in a repository. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from jobs.builtin import FILES, INSTALL_PARTS, REPOSITORIES, protocol_of
from workers.builtin.reading import InvalidPlan, fault, items, mapping, variables, word
from workers.messages import ErrorType

_REVISION: Final = re.compile(r"[0-9A-Za-z_][^\s~:?*\[\\]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    address: str
    branch: str = ""
    revision: str = ""
    history: bool = True  # whether the test sees its repository's history

    @property
    def shown(self) -> str:
        """The address without a password."""
        return re.sub(r"(?<=//)[^/@]*:[^/@]*@", "", self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDefinition:
    """The steps of one that is in a repository are known when it was fetched."""

    __test__ = False  # not a test of ours

    suite: str  # LAVA's name for it: its number in the job, `_`, its own name
    uuid: str
    path: str
    parameters: Mapping[str, str]
    steps: tuple[str, ...] = ()
    skip_install: tuple[str, ...] = ()
    source: GitSource | None = None
    commit: str = ""  # that was fetched

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TestDefinition:
        """The reverse of `dataclasses.asdict`."""
        source = value["source"]
        return cls(
            **{
                **value,
                "steps": tuple(value["steps"]),
                "skip_install": tuple(value["skip_install"]),
                "source": None if source is None else GitSource(**source),
            }
        )


def complete(
    definition: TestDefinition, test: Mapping[str, Any], where: str
) -> tuple[TestDefinition, list[str]]:
    """With the steps and the defaults of a test, and warnings about what is left out. Raises InvalidPlan."""
    install = mapping(test.get("install") or {}, f"{where}.install")
    run = mapping(test.get("run"), f"{where}.run")
    before = items(install.get("steps") or [], f"{where}.install.steps")
    if {"steps", "all"} & set(definition.skip_install):
        before = []
    steps = items(run.get("steps"), f"{where}.run.steps")
    # `params` is LAVA's older word for them.
    defaults = _merged(
        (test.get("params"), f"{where}.params"), (test.get("parameters"), f"{where}.parameters")
    )
    warnings = [
        f"{where}.install.{key}: ignored, the built-in worker installs nothing"
        for key in install
        if key != "steps" and not {key, "all"} & set(definition.skip_install)
    ]
    return replace(
        definition,
        steps=tuple(_step(step, f"{where}.run.steps") for step in [*before, *steps]),
        parameters=defaults | dict(definition.parameters),
    ), warnings


def parameters(item: Mapping[str, Any], where: str) -> dict[str, str]:
    """The job's own values, which win over those of the test."""
    return _merged((item.get("params"), f"{where}.params"), (item.get("parameters"), f"{where}.parameters"))


def skip_install(item: Mapping[str, Any], where: str) -> tuple[str, ...]:
    parts = items(item.get("skip_install") or [], f"{where}.skip_install")
    if unknown := [part for part in parts if part not in INSTALL_PARTS]:
        raise fault(f"{where}.skip_install: expected {', '.join(INSTALL_PARTS)}, got {unknown[0]!r:.100}")
    return tuple(parts)


def git_source(item: Mapping[str, Any], where: str, allow_files: bool) -> GitSource:
    address = _text(item, "repository", where)
    if not address:
        raise fault(f"{where}.repository: missing; say for example https://example.com/tests.git")
    protocol = protocol_of(address)
    if protocol == FILES and not allow_files:
        raise InvalidPlan(
            ErrorType.JOB,
            f"{where}.repository: this worker fetches nothing from its own machine; "
            f"expected an address of {', '.join(REPOSITORIES)}, got {address!r:.100}",
        )
    if protocol != FILES and protocol not in REPOSITORIES:
        raise fault(
            f"{where}.repository: expected an address of {', '.join(REPOSITORIES)}, got {address!r:.100}"
        )
    history = item.get("history", True)
    if not isinstance(history, bool):
        raise fault(f"{where}.history: expected true or false, got {history!r:.100}")
    return GitSource(
        address=address,
        branch=_reference(item, "branch", where),
        revision=_reference(item, "revision", where),
        history=history,
    )


def _reference(item: Mapping[str, Any], key: str, where: str) -> str:
    text = _text(item, key, where)
    if text and not _REVISION.fullmatch(text):
        raise fault(f"{where}.{key}: {text!r:.100} is no name of a branch, a tag or a commit")
    return text


def _text(item: Mapping[str, Any], key: str, where: str) -> str:
    value = item.get(key, "")
    if isinstance(value, dict | list | bool) or value is None or re.search(r"[\0\r\n]", str(value)):
        raise fault(f"{where}.{key}: expected a text, got {value!r:.100}")
    return str(value)


def _step(value: object, where: str) -> str:
    if isinstance(value, dict | list) or value is None:
        raise fault(f"{where}: expected commands, got {value!r:.100}; put a step with `: ` in quotes")
    # YAML makes true and 12 of the commands `true` and `12`.
    step = word(value)
    if "\0" in step:
        raise fault(f"{where}: a command cannot hold a NUL character")
    return step


def _merged(*sources: tuple[object, str]) -> dict[str, str]:
    """The later ones win."""
    merged: dict[str, str] = {}
    for source, where in sources:
        merged.update(variables(source or {}, where, ErrorType.JOB))
    return merged
