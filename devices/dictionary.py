"""A device's dictionary: the YAML that a worker gets with each job."""

from __future__ import annotations

from core import yaml

EXECUTORS = ("shell",)  # of the built-in worker; a device without any is the business of LAVA's dispatcher


class InvalidDictionary(ValueError):
    """The text is no dictionary; says what and where it is wrong."""


def check(text: str) -> None:
    """InvalidDictionary unless it is the text of a YAML mapping, or nothing."""
    try:
        value = yaml.load(text)
    except yaml.YAMLError as error:
        raise InvalidDictionary(f"not valid YAML: {error}") from error
    if value is not None and not isinstance(value, dict):
        raise InvalidDictionary("expected a mapping, for example “executor: shell”")
