"""Checks of the values that stand at several places of a definition. No ORM."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from core.faults import Faults, Path, check_boolean, entries, got, is_integer, is_text, refuse_unknown

MAX_NAME = 200
MAX_NAMES = 32  # tags, or groups, of one job
MAX_TIMEOUT = timedelta(days=36_500)
UNITS = ("days", "hours", "minutes", "seconds")

# The names that LAVA 2023.01 takes in a job's context; a lab may add its own.
CONTEXT_VARIABLES = frozenset(
    {
        *(
            "arch",
            "boot_console",
            "boot_root",
            "cpu",
            "extra_options",
            "guestfs_driveid",
            "guestfs_interface",
        ),
        *("guestfs_size", "machine", "memory", "model", "monitor", "netdevice", "no_kvm", "serial", "vga"),
        *(
            f"{boot}_{part}_addr"
            for boot in ("booti", "bootm", "bootz")
            for part in ("dtb", "kernel", "ramdisk")
        ),
        *("boot_character_delay", "boot_retry", "bootloader_prompt", "console_device", "custom_kernel_args"),
        *(
            "extra_kernel_args",
            "extra_nfsroot_args",
            "failure_retry",
            "kernel_loglevel",
            "kernel_start_message",
        ),
        *("lava_test_results_dir", "menu_interrupt_prompt", "mustang_menu_list", "test_character_delay"),
        *("tftp_mac_address", "uboot_altbank", "uboot_extra_error_message", "uboot_needs_interrupt"),
    }
)

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A value of the context becomes text of a template that renders YAML, where these would begin a new line.
_LINE_BREAK = re.compile("[\n\r\x85\u2028\u2029]")


def check_name(faults: Faults, at: Path, value: Any) -> None:
    if is_text(faults, at, value) and len(value) > MAX_NAME:
        faults.add(at, f"expected at most {MAX_NAME} characters, got {len(value)}")


def check_text(faults: Faults, at: Path, value: Any) -> None:
    is_text(faults, at, value)


def check_tags(faults: Faults, at: Path, value: Any) -> None:
    check_names(faults, at, value)


def check_names(faults: Faults, at: Path, value: Any) -> bool:
    if not isinstance(value, list):
        faults.expected(at, "a list of names", value)
        return False
    if len(value) > MAX_NAMES:
        faults.add(at, f"expected at most {MAX_NAMES} names, got {len(value)}")
        return False
    are_text = [is_text(faults, (*at, index), name) for index, name in enumerate(value)]
    return all(are_text)


def check_context(faults: Faults, at: Path, value: Any) -> None:
    for key, item in entries(faults, at, value).items():
        is_text(faults, (*at, key), key)
        if not isinstance(item, list):
            _check_context_value(faults, (*at, key), item)
            continue
        for index, part in enumerate(item):
            _check_context_value(faults, (*at, key, index), part)


def _check_context_value(faults: Faults, at: Path, value: Any) -> None:
    if isinstance(value, dict | list):
        faults.expected(at, "text, a number, true or false, or a list of these", value)
    elif isinstance(value, str) and _LINE_BREAK.search(value):
        faults.add(at, "expected text without line breaks")


def check_environment(faults: Faults, at: Path, value: Any) -> None:
    check_secrets(faults, at, value)
    for key in entries(Faults(), at, value):
        if isinstance(key, str) and not _VARIABLE.fullmatch(key):
            faults.expected((*at, key), "the name of a variable (letters, digits and _)", key)


def check_secrets(faults: Faults, at: Path, value: Any) -> None:
    for key, item in entries(faults, at, value).items():
        if not isinstance(key, str):
            faults.expected((*at, key), "text as the key", key)
        if isinstance(item, dict | list):
            faults.expected((*at, key), "text, a number, true or false", item)


# Timeouts


def check_named_timeouts(faults: Faults, at: Path, value: Any) -> None:
    for name, timeout in entries(faults, at, value).items():
        if is_text(faults, (*at, name), name):
            check_timeout(faults, (*at, name), timeout)


def check_timeout(faults: Faults, at: Path, value: Any) -> None:
    if not isinstance(value, dict):
        faults.expected(at, "days, hours, minutes or seconds, for example {minutes: 5}", value)
        return
    refuse_unknown(faults, at, value, (*UNITS, "skip"))
    units = [unit for unit in UNITS if unit in value]
    if len(units) != 1 and all(key in (*UNITS, "skip") for key in value):
        said = " and ".join(units) or "none"
        faults.add(at, f"expected exactly one of days, hours, minutes and seconds, got {said}")
    for unit in units:
        _check_amount(faults, (*at, unit), value[unit])
    if "skip" in value:
        check_boolean(faults, (*at, "skip"), value["skip"])


def _check_amount(faults: Faults, at: Path, value: Any) -> None:
    if not is_integer(value) or value < 1:
        faults.expected(at, "a whole number above 0", value)
        return
    most = MAX_TIMEOUT // timedelta(**{str(at[-1]): 1})
    if value > most:
        faults.add(at, f"expected at most {most:,}, got {got(value)}")


def duration_of(timeout: Any) -> timedelta | None:
    """None for what is no valid timeout."""
    found = Faults()
    check_timeout(found, (), timeout)
    if found.found:
        return None
    return to_timedelta(timeout)


def to_timedelta(timeout: dict[str, Any]) -> timedelta:
    unit = _unit(timeout)
    return timedelta(**{unit: timeout[unit]})


def _unit(timeout: dict[str, Any]) -> str:
    return next(unit for unit in UNITS if unit in timeout)


def spoken(timeout: dict[str, Any]) -> str:
    unit = _unit(timeout)
    return f"{timeout[unit]} {unit if timeout[unit] != 1 else unit.removesuffix('s')}"
