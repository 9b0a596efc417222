"""A device's dictionary: the YAML that a worker gets with each job. No ORM."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from core import yaml

DISPATCHER = "lava"  # the executor of a dictionary that names none: LAVA's dispatcher
ACCESS = "access"  # how a person reaches the device: a line, or a list of lines

_SET = re.compile(r"\{%[-+]?\s*(?:set\s+)?(\w+)(.*?)%\}", re.DOTALL)

Check = Callable[[Any], str]  # what is expected instead; empty if the value is right


class InvalidDictionary(ValueError):
    """The text is no dictionary; says what and where it is wrong."""


def check(text: str, *, last_wins: bool = False) -> None:
    """InvalidDictionary unless it is the text of a YAML mapping, or nothing; also if its executor is wrong.

    `last_wins` is that of `yaml.parse`.
    """
    try:
        value = yaml.parse(text, last_wins=last_wins).value
    except yaml.YAMLError as error:
        raise InvalidDictionary(f"not valid YAML: {error}") from error
    if value is None:
        return
    if not isinstance(value, dict):
        raise InvalidDictionary("expected a mapping, for example “executor: shell”")
    if ACCESS in value:
        _check_access(value[ACCESS])
    if value.get("executor", DISPATCHER) != DISPATCHER:
        settings_of(value)


def changed_names(before: str, after: str) -> list[str]:
    """The settings that differ: variables that a template sets, or keys of plain YAML. Never their values."""
    old, new = _settings(before), _settings(after)
    return sorted(str(name) for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _settings(text: str) -> Mapping[Any, Any]:
    if found := dict(_SET.findall(text)):
        return found
    return _mapping(text)


def access_of(text: str) -> tuple[str, ...]:
    """The lines that tell a person how to reach the device; none of a dictionary that cannot be read."""
    lines = _mapping(text).get(ACCESS) or ()
    if isinstance(lines, str):
        return tuple(lines.strip().splitlines())
    return tuple(str(line) for line in lines) if isinstance(lines, list) else ()


def for_worker(text: str) -> str:
    """The dictionary without what is for people only."""
    values = _mapping(text)
    if ACCESS not in values:
        return text
    return yaml.dump({key: value for key, value in values.items() if key != ACCESS})


def _mapping(text: str) -> Mapping[Any, Any]:
    try:
        values = yaml.parse(text, last_wins=True).value
    except yaml.YAMLError:
        return {}
    return values if isinstance(values, dict) else {}


def _check_access(value: Any) -> None:
    lines = value if isinstance(value, list) else [value]
    if not lines or not all(isinstance(line, str) and line.strip() for line in lines):
        raise InvalidDictionary(f"{ACCESS}: expected a text or a list of texts, got {value!r:.100}")


def settings_of(dictionary: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a dictionary says for its executor of the built-in worker. InvalidDictionary if that is wrong."""
    executor = dictionary["executor"]
    if not isinstance(executor, str) or executor not in EXECUTORS:
        raise InvalidDictionary(f"executor: expected one of {', '.join(EXECUTORS)}, got {executor!r:.100}")
    keys = EXECUTORS[executor]
    if not keys:
        return {}
    settings = dictionary.get(executor)
    if not isinstance(settings, dict):
        raise InvalidDictionary(
            f"{executor}: expected a mapping with {', '.join(keys)}, got {settings!r:.100}"
        )
    _check(executor, settings, keys, required=_REQUIRED[executor])
    return settings


def _check(where: str, values: Mapping[Any, Any], keys: Mapping[str, Check], *, required: str = "") -> None:
    for key, value in values.items():
        if key not in keys:
            raise InvalidDictionary(f"{where}: unknown key {key!r:.100}; expected one of {', '.join(keys)}")
        if expected := keys[key](value):
            raise InvalidDictionary(f"{where}.{key}: expected {expected}, got {value!r:.100}")
    if required and required not in values:
        raise InvalidDictionary(f"{where}.{required}: missing")


def _text(pattern: str, what: str) -> Check:
    compiled = re.compile(pattern)

    def check_text(value: Any) -> str:
        return "" if isinstance(value, str) and compiled.fullmatch(value) else what

    return check_text


def _number(smallest: int, largest: int) -> Check:
    def check_number(value: Any) -> str:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return "" if is_number and smallest <= value <= largest else f"a number from {smallest} to {largest}"

    return check_number


def _one_of(*words: object) -> Check:
    return lambda value: "" if value in words else f"one of {', '.join(map(str, words))}"


def _list_of(check_item: Check) -> Check:
    def check_list(value: Any) -> str:
        if not isinstance(value, list):
            return "a list"
        return next((f"a list of {expected}" for item in value if (expected := check_item(item))), "")

    return check_list


def _mapping_of(keys: Mapping[str, Check]) -> Check:
    def check_mapping(value: Any) -> str:
        if not isinstance(value, dict):
            return "a mapping"
        if unknown := [key for key in value if key not in keys]:
            return f"only {', '.join(keys)}, not {unknown[0]!r:.100}"
        return next((f"{key} with {said}" for key, item in value.items() if (said := keys[key](item))), "")

    return check_mapping


def _plain(value: Any) -> str:
    """Text or a number for a program's option."""
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return "" if is_plain and re.fullmatch(r"[^\0\r\n]+", str(value)) else "a text or a number"


_NAME = _text(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*", "a name or an address")
_PATH = _text(r"/[A-Za-z0-9_./@+-]*", "a path that begins with / and has letters, digits and . _ - @ + in it")

# Those of ssh's own options that change nothing about who is trusted and run no other program.
SSH_OPTIONS: Mapping[str, Check] = MappingProxyType(
    dict.fromkeys(
        (
            *("AddressFamily", "BindAddress", "Ciphers", "Compression", "HostKeyAlgorithms", "HostKeyAlias"),
            *("IPQoS", "KexAlgorithms", "MACs", "ProxyJump", "PubkeyAcceptedAlgorithms"),
        ),
        _text(r"[A-Za-z0-9_.:,@%+/*^\[\] -]+", "a word as in ssh_config"),
    )
)
_SSH: Mapping[str, Check] = MappingProxyType(
    {
        "host": _NAME,
        "port": _number(1, 65535),
        "user": _text(r"[A-Za-z0-9_][A-Za-z0-9_.@$-]*", "the name of a user"),
        "identity_file": _PATH,
        "known_hosts": _text(r"[^\0]*\S[^\0]*", "lines as in a known_hosts file"),
        "host_key": _one_of("strict", "accept-new", "ignore"),
        "connection_timeout": _number(1, 600),
        "directory": _PATH,
        "options": _mapping_of(SSH_OPTIONS),
    }
)

# Options of `docker run` by their name in the dictionary; a list is the option several times.
CONTAINER_OPTIONS: Mapping[str, Check] = MappingProxyType(
    {
        **dict.fromkeys(("network", "memory", "cpus", "pids_limit", "shm_size", "user", "hostname"), _plain),
        **dict.fromkeys(
            ("device", "volume", "cap_add", "cap_drop", "group_add", "tmpfs", "ulimit"), _list_of(_plain)
        ),
    }
)
_CONTAINER: Mapping[str, Check] = MappingProxyType(
    {
        "image": _text(r"[a-zA-Z0-9][a-zA-Z0-9_./:@-]*", "the name of an image"),
        "pull": _one_of("missing", "always", "never"),
        "options": _mapping_of(CONTAINER_OPTIONS),
    }
)

# The executors of the built-in worker, with the keys that each has under its own name. A dictionary without an
# executor is the business of LAVA's dispatcher.
EXECUTORS: Mapping[str, Mapping[str, Check]] = MappingProxyType(
    {"shell": {}, "ssh": _SSH, "docker": _CONTAINER, "podman": _CONTAINER}
)
_REQUIRED = {"ssh": "host", "docker": "image", "podman": "image"}
