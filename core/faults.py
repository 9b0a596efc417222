"""Faults of a text that people write: what is wrong, where, and what would be right. No ORM."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import yaml
from core.yaml import Key

MAX_FAULTS = 50
LONGEST_KEY = 200  # characters, of which a near name is looked for

_PLAIN_KEY = re.compile(r"[A-Za-z_][-\w]*", re.ASCII)
_STEP_OF_PATH = re.compile(r"\[(?P<index>\d+)\]|\[(?P<quoted>\"(?:[^\"\\]|\\.)*\")\]|\.?(?P<plain>[^.\[]+)")

Path = tuple[Key, ...]
Check = Callable[["Faults", Path, Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    path: str  # `actions[2].deploy.timeout`; empty for the whole definition
    message: str
    line: int | None

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        line = "" if self.line is None else f" (line {self.line})"
        return f"{place}{self.message}{line}"


class Faults:
    """Collects faults: as many as help a person, so that a hostile text cannot make the answer endless."""

    def __init__(self) -> None:
        self.found: list[tuple[Path, str]] = []
        self.more = False

    def add(self, at: Path, message: str) -> None:
        if self.is_full:
            self.more = True
        else:
            self.found.append((at, message))

    def expected(self, at: Path, what: str, value: Any) -> None:
        self.add(at, f"expected {what}, got {got(value)}")

    @property
    def is_full(self) -> bool:
        return len(self.found) >= MAX_FAULTS

    def placed(self, document: yaml.Document) -> list[Fault]:
        faults = [
            Fault(path=write_path(at), message=message, line=document.line_of(at))
            for at, message in self.found
        ]
        faults.sort(key=lambda fault: fault.line or 0)
        if self.more:
            faults.append(Fault(path="", message="and more: mend these first", line=None))
        return faults


# Checks that many keys share


def check_boolean(faults: Faults, at: Path, value: Any) -> None:
    if not isinstance(value, bool):
        faults.expected(at, "true or false", value)


def check_known(faults: Faults, at: Path, mapping: dict[Any, Any], checks: Mapping[str, Check]) -> None:
    refuse_unknown(faults, at, mapping, checks)
    for key, check in checks.items():
        if key in mapping:
            check(faults, (*at, key), mapping[key])


def check_required(faults: Faults, at: Path, mapping: Mapping[Any, Any], examples: Mapping[str, str]) -> None:
    for key, example in examples.items():
        if key not in mapping:
            faults.add((*at, key), f"is required, for example `{example}`")


def entries(faults: Faults, at: Path, value: Any) -> dict[Any, Any]:
    """The mapping itself, or an empty one for what is none."""
    if isinstance(value, dict):
        return value
    faults.expected(at, "a mapping", value)
    return {}


def entry(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def refuse_unknown(faults: Faults, at: Path, mapping: Mapping[Any, Any], known: Iterable[str]) -> None:
    names = list(known)
    for key in mapping:
        if key not in names and not faults.is_full:
            faults.add((*at, key), f"unknown key; {suggest(key, names)}")


def refuse(faults: Faults, at: Path, mapping: Any, reasons: Mapping[str, str]) -> None:
    for key, reason in reasons.items():
        if isinstance(mapping, dict) and key in mapping:
            faults.add((*at, key), reason)


def suggest(key: Any, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(key)[:LONGEST_KEY], names, n=1)
    return f'did you mean "{near[0]}"?' if near else f"expected one of {', '.join(names)}"


def is_text(faults: Faults, at: Path, value: Any) -> bool:
    if isinstance(value, str) and value.strip():
        return True
    if value is None or isinstance(value, str | dict | list):
        faults.expected(at, "text", value)
    else:
        faults.expected(at, "text (put it in quotes)", value)
    return False


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def got(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
        case str():
            return json.dumps(cut(value), ensure_ascii=False)
        case _:
            return json.dumps(value)


def cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def write_path(at: Path) -> str:
    text = ""
    for key in at:
        if isinstance(key, str) and _PLAIN_KEY.fullmatch(key):
            text += f".{cut(key)}" if text else cut(key)
        else:
            text += f"[{got(key)}]"
    return text


def read_path(path: str) -> Path:
    keys: list[Key] = []
    for step in _STEP_OF_PATH.finditer(path):
        if step["index"] is not None:
            keys.append(int(step["index"]))
        else:
            keys.append(step["plain"] or json.loads(step["quoted"]))
    return tuple(keys)
