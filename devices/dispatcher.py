"""What LAVA's dispatcher reads of a device's configuration, as tables: every fault, named by its path. No ORM.

A key of another type makes the dispatcher fail in the middle of a job, so it is a fault. What is only missing, or not
known here, is a warning: versions of the dispatcher differ, and not every job needs every part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from core import yaml
from core.faults import Check, Fault, Faults, Path, suggest

UNITS = ("days", "hours", "minutes", "seconds")
OURS = ("executor", "ssh", "docker", "podman", "access")  # what else may stand there, for this lab itself
# Without these constants, the dispatcher ends a job with a configuration error.
CONSTANTS = (
    "failure_retry",
    "boot_retry",
    "posix",
    "kernel-start-message",
    "default-shell-prompt",
    "spawn_maxread",
)

_ACTION_NAME = re.compile("[a-z-]+")


def faults(document: yaml.Document) -> list[Fault]:
    """What no dispatcher can work with."""
    found = Faults()
    _check_device(found, (), document.value)
    return found.placed(document)


def warnings(document: yaml.Document) -> list[Fault]:
    """What it does not know, and what a job will miss; for a text that has no fault."""
    found = Faults()
    device: Mapping[str, Any] = document.value
    for key in device:
        if key not in _DEVICE and key not in OURS:
            found.add((key,), f"the dispatcher does not know it; {suggest(key, list(_DEVICE))}")
    for at, what in _WANTED.items():
        if _missing(device, at):
            found.add(at, f"is missing: {what}")
    constants = device.get("constants") or {}
    for name in CONSTANTS:
        if name not in constants:
            found.add(("constants", name), "is missing: the dispatcher ends every job without it")
    return found.placed(document)


def _missing(value: Any, at: Path) -> bool:
    for key in at:
        if not isinstance(value, dict) or key not in value:
            return True
        value = value[key]
    return False


_WANTED: Mapping[Path, str] = MappingProxyType(
    {
        ("actions", "deploy", "methods"): "the dispatcher can deploy nothing",
        ("actions", "boot", "methods"): "the dispatcher can boot nothing",
        ("actions", "boot", "connections"): "the dispatcher cannot connect to what it boots",
        ("timeouts",): "each action gets 30 seconds, unless the job says otherwise",
    }
)


# The tables. Values are told by their kind alone: they may be passwords, and faults are shown to many.


def _expected(faults: Faults, at: Path, what: str, value: Any) -> None:
    faults.add(at, f"expected {what}, got {_kind(value)}")


def _kind(value: Any) -> str:
    for kind, words in _KINDS.items():
        if isinstance(value, kind):
            return words
    return "nothing"


_KINDS: Mapping[type, str] = MappingProxyType(
    {
        dict: "a mapping",
        list: "a list",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
)


def _of(kind: type, words: str) -> Check:
    def check(faults: Faults, at: Path, value: Any) -> None:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            _expected(faults, at, words, value)

    return check


def _list_of(check_item: Check) -> Check:
    def check(faults: Faults, at: Path, value: Any) -> None:
        if not isinstance(value, list):
            _expected(faults, at, "a list", value)
            return
        for index, item in enumerate(value):
            check_item(faults, (*at, index), item)

    return check


def _mapping_of(checks: Mapping[str, Check], others: Check | None = None, *, or_none: bool = False) -> Check:
    """Each key by its own check; others, if they have one, by that."""

    def check(faults: Faults, at: Path, value: Any) -> None:
        if value is None and or_none:
            return
        if not isinstance(value, dict):
            _expected(faults, at, "a mapping", value)
            return
        for key, item in value.items():
            if check_item := checks.get(key, others):
                check_item(faults, (*at, key), item)

    return check


def _command(faults: Faults, at: Path, value: Any) -> None:
    """A command, several in turn, or a mapping of some."""
    if isinstance(value, dict | str | bool):
        return
    if not isinstance(value, list):
        _expected(faults, at, "a command, or a list of commands", value)
        return
    for index, item in enumerate(value):
        _text(faults, (*at, index), item)


def _timeout(faults: Faults, at: Path, value: Any) -> None:
    units = [unit for unit in UNITS if isinstance(value, dict) and unit in value]
    if len(units) != 1:
        _expected(faults, at, "one of days, hours, minutes and seconds, such as {minutes: 5}", value)
        return
    _number(faults, (*at, units[0]), value[units[0]])


def _timeouts_by_action(faults: Faults, at: Path, value: Any) -> None:
    _mapping_of({}, _timeout, or_none=True)(faults, at, value)
    for name in value or {}:
        if isinstance(value, dict) and not _ACTION_NAME.fullmatch(str(name)):
            faults.add((*at, name), "expected the name of an action: small letters and -")


def _usb_id(faults: Faults, at: Path, value: Any) -> None:
    if not isinstance(value, str) or len(value) != 4:
        _expected(faults, at, "four hexadecimal digits in quotes", value)


_text = _of(str, "text (in quotes, if it looks like a number)")
_number = _of(int, "a whole number")
_flag = _of(bool, "true or false")
_list = _of(list, "a list")
_mapping = _mapping_of({})
_mapping_or_nothing = _mapping_of({}, or_none=True)
_texts = _list_of(_text)
_mappings = _list_of(_mapping)

_METHODS = _mapping_of(
    {"methods": _mapping, "connections": _mapping_or_nothing, "parameters": _mapping_or_nothing}
)
_COMMANDS = _mapping_of(
    {
        "connections": _mapping_of({}, _mapping_of({"connect": _command, "tags": _list})),
        "must_use_connection": _flag,
        "users": _mapping_of({}, _mapping_of({"do": _text, "undo": _text})),
    },
    _command,
    or_none=True,
)
_DEVICE: Mapping[str, Check] = MappingProxyType(
    {
        "actions": _mapping_of({"deploy": _METHODS, "boot": _METHODS, "test": _mapping_or_nothing}),
        "adb_serial_number": _text,
        "available_architectures": _list,
        "board_id": _text,
        "character_delays": _mapping_or_nothing,
        "commands": _COMMANDS,
        "constants": _mapping,
        "device_info": _mappings,
        "environment": _mapping,
        "fastboot_options": _texts,
        "fastboot_serial_number": _text,
        "fastboot_via_uboot": _flag,
        "flash_cmds_order": _list,
        "parameters": _mapping_or_nothing,
        "static_info": _mappings,
        "storage_info": _mappings,
        "timeouts": _mapping_of({"actions": _timeouts_by_action, "connections": _timeouts_by_action}),
        "usb_filesystem_label": _text,
        "usb_product_id": _usb_id,
        "usb_serial_driver": _text,
        "usb_sleep": _number,
        "usb_vendor_id": _usb_id,
        "uuu_corrupt_boot_media_command": _texts,
        "uuu_usb_otg_path": _text,
        "uuu_usb_otg_path_command": _texts,
    }
)
_check_device = _mapping_of(_DEVICE)
