"""What a worker gets with each job beside the device: its dispatcher's configuration, and two environments. No ORM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from core import yaml
from core.faults import Faults, check_boolean, check_known, entries, is_text


class InvalidFile(ValueError):
    """Says what is wrong with a file, each fault in a line of its own."""


def check(column: str, text: str) -> None:
    """InvalidFile unless the text may be in this column of a worker. One that is empty may: the worker gets none."""
    try:
        document = yaml.parse(text)
    except yaml.YAMLError as error:
        raise InvalidFile(f"not valid YAML: {error}") from error
    if not text.strip():
        return
    faults = Faults()
    _CHECKS[column](faults, document.value)
    if found := faults.placed(document):
        raise InvalidFile("\n".join(map(str, found)))


def _check_dispatcher(faults: Faults, value: Any) -> None:
    """Which keys there are is the dispatcher's business."""
    for key in entries(faults, (), value):
        is_text(faults, (key,), key)


def _check_environment(faults: Faults, value: Any) -> None:
    keys = entries(faults, (), value)
    check_known(
        faults, (), keys, {"purge": check_boolean, "removes": _check_names, "overrides": _check_values}
    )


def _check_names(faults: Faults, at: Any, value: Any) -> None:
    if not isinstance(value, list):
        faults.expected(at, "a list of names", value)
        return
    for index, name in enumerate(value):
        is_text(faults, (*at, index), name)


def _check_values(faults: Faults, at: Any, value: Any) -> None:
    for name, text in entries(faults, at, value).items():
        is_text(faults, (*at, name), name)
        if not isinstance(text, str):
            # Its value is not told: it may be a password.
            faults.add((*at, name), "expected text (put it in quotes)")


_CHECKS: Mapping[str, Callable[[Faults, Any], None]] = MappingProxyType(
    {"dispatcher_config": _check_dispatcher, "env": _check_environment, "env_dut": _check_environment}
)
# The columns, each with the name of the file in the data directory that stands for all workers without their own.
FILES: Mapping[str, str] = MappingProxyType(
    {"dispatcher_config": "dispatcher.yaml", "env": "env.yaml", "env_dut": "env-dut.yaml"}
)
