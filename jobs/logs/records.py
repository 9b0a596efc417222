"""One record of a job's log, as it travels on the wire and as it is kept. No Django, no files.

A record is what LAVA's dispatcher sends as one line: `- {"dt": …, "lvl": …, "msg": …}` with `ns` beside them
on feedback. The built-in worker adds `"partial": true` to a piece of a line that has no newline yet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import yaml

LEVELS = (
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "input",
    "target",
    "feedback",
    "results",
    "event",
)

BROKEN_LEVEL = "warning"  # of a line that could not be read: its raw text is kept, where people see it

_LEVELS = frozenset(LEVELS)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # its end may be missing: so it takes linear time
_BRACKET = re.compile(r"[][{}]")
_DT = re.compile(r'"dt": *"([^"]{19,40})"')

_SHORTEST_TIME = len("2026-11-22T03:28:47")
_DEEPEST = 64  # nested mappings and lists of one message
_SPARE_VALUES = 100  # of one message, with every alias written out, beyond one for each of its characters
_LONGEST_NUMBER = 400  # characters; longer ones take a time that grows with their square

_encode = json.JSONEncoder(sort_keys=True).encode
_decode = json.JSONDecoder(strict=False).decode  # not strict: raw control characters are nothing to refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    time: datetime  # naive UTC by the worker's clock, microseconds
    level: str  # one of LEVELS
    message: Any  # text; for results and some others a mapping or list
    namespace: str | None = None
    partial: bool = False  # a piece of a line: what follows continues it

    def to_wire(self) -> str:
        """The record as one line of ASCII JSON, without the `- ` that stands before it in a post."""
        fields: dict[str, Any] = {"dt": self.time.isoformat(), "lvl": self.level, "msg": self.message}
        if self.namespace is not None:
            fields["ns"] = self.namespace
        if self.partial:
            fields["partial"] = True
        return _encode(fields)


def storable(text: str) -> str:
    """The text with NUL and lone surrogates, which neither UTF-8 nor PostgreSQL can hold, as U+FFFD."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def parse_lines(text: str, *, received: datetime | None = None) -> list[Record]:
    """The records of one post: `- {…}` items joined by newlines, one record for each item.

    Nothing raises. An item that is no record (broken YAML, unknown level, odd time, hostile structure) becomes
    a record of BROKEN_LEVEL with its raw text, so that the sender's counting stays right. Its time is the one
    its text shows, else that of the record before it, else `received` (naive UTC, default: now).
    """
    records: list[Record] = []
    for item in _items(storable(text)):
        try:
            record = _record(item)
        except (_NoRecord, ValueError, OverflowError, RecursionError, yaml.YAMLError):
            before = records[-1].time if records else received
            record = Record(time=_visible_time(item) or before or _now(), level=BROKEN_LEVEL, message=item)
        records.append(record)
    return records


class _NoRecord(ValueError):
    """The item can be read, but it is no record of a log."""


def _items(text: str) -> Iterable[str]:
    # A newline inside an item belongs to it: in YAML only a line that starts with "- " begins the next one.
    text = text.replace("\r\n", "\n").strip("\n")
    if not text:
        return []
    return text.removeprefix("- ").split("\n- ")


def _record(item: str) -> Record:
    try:
        fields = _decode(item)
    except ValueError:
        fields = _from_yaml(item)
    if type(fields) is not dict:
        raise _NoRecord("not a mapping")
    level = fields.get("lvl")
    namespace = fields.get("ns")
    if not isinstance(level, str) or level not in _LEVELS:
        raise _NoRecord("no known level")
    if namespace is not None and not isinstance(namespace, str):
        raise _NoRecord("a namespace that is no text")
    if "msg" not in fields:
        raise _NoRecord("no message")
    message = fields["msg"]
    structured = not isinstance(message, str)
    if (
        structured or "\\" in item
    ):  # only an escape can still bring in what storable() took out of the raw text
        message = _Plain(len(item)).value(message)
        namespace = namespace and storable(namespace)
    return Record(
        time=_time(fields.get("dt")),
        level=level,
        message=message,
        namespace=namespace,
        partial=fields.get("partial") is True and not structured,
    )


def _time(value: object) -> datetime:
    if isinstance(value, str) and len(value) >= _SHORTEST_TIME:
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise _NoRecord("no time")
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _visible_time(item: str) -> datetime | None:
    found = _DT.search(item)
    if found is None:
        return None
    try:
        return _time(found[1])
    except (ValueError, OverflowError):
        return None


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class _Plain:
    """Copies a message into what JSON and a database can hold; raises _NoRecord for one that is too big or deep.

    The bounds hold for the message with its YAML aliases written out, so an alias bomb ends at them.
    """

    def __init__(self, characters: int) -> None:
        self._left = characters + _SPARE_VALUES

    def value(self, value: object, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise _NoRecord("more values than a message may have")
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return storable(value)
        if isinstance(value, dict):
            return {
                str(self.value(key, depth + 1)): self.value(item, depth + 1) for key, item in value.items()
            }
        if isinstance(value, list | tuple | set):
            return [self.value(item, depth + 1) for item in value]
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, bytes):
            return storable(value.decode("utf-8", "replace"))
        raise _NoRecord(f"a value of type {type(value).__name__}")


class _Loader(yaml.CSafeLoader):
    """Safe YAML without the constructs whose cost is not bounded by the length of the text."""

    def bounded_number(self, node: yaml.ScalarNode) -> int | float:
        if len(node.value) > _LONGEST_NUMBER:
            raise _NoRecord("a number that is too long")
        if node.tag == "tag:yaml.org,2002:int":
            return self.construct_yaml_int(node)
        return self.construct_yaml_float(node)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge keys stay what they are, since each could double the mapping: they have no constructor."""


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.bounded_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.bounded_number)


def _from_yaml(item: str) -> object:
    """What LAVA's C emitter writes and JSON does not know: `! "12"` for numbers, escapes such as `\\xE9`."""
    bare = _QUOTED.sub("", item)
    if not bare.startswith("{") or _depth(bare) > _DEEPEST:
        raise _NoRecord("no flow mapping of bearable depth")
    return yaml.load(item, Loader=_Loader)


def _depth(bare: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.findall(bare):
        depth += 1 if bracket in "{[" else -1
        deepest = max(deepest, depth)
    return deepest
