"""Values that people wrote, taken with a word about the place where they are wrong. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from core import yaml
from workers.messages import ErrorType

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class InvalidPlan(Exception):
    """This job cannot be run on this device by this worker."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def load(text: str, what: str, error_type: str) -> Mapping[str, Any]:
    try:
        value = yaml.load(text)
    except yaml.YAMLError as error:
        raise InvalidPlan(error_type, f"{what[0].upper()}{what[1:]} is not valid YAML: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidPlan(error_type, f"{what[0].upper()}{what[1:]} is no mapping.")
    return value


def fault(message: str) -> InvalidPlan:
    return InvalidPlan(ErrorType.JOB, message)


def mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise fault(f"{where}: expected a mapping, got {value!r:.100}")
    return value


def items(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise fault(f"{where}: expected a list, got {value!r:.100}")
    return value


def word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def variables(value: object, where: str, error_type: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InvalidPlan(error_type, f"{where}: expected a mapping of names to texts, got {value!r:.100}")
    for name, content in value.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise InvalidPlan(error_type, f"{where}: {name!r:.100} is no name of a shell variable")
        if isinstance(content, dict | list) or "\0" in str(content):
            raise InvalidPlan(error_type, f"{where}.{name}: expected a text, got {content!r:.100}")
    return {name: "" if content is None else word(content) for name, content in value.items()}
