"""YAML that comes from people and programs one does not know.

PyYAML's C parser reads it; everything after that is ours, because the stock safe loader lets the last of
two equal keys win, expands aliases without a bound, recurses as deep as the text says, and makes dates and
endless integers that neither JSON nor a database column can hold. What `load` gives back is text, finite
numbers that fit in 64 bits, booleans, null, lists and mappings with plain keys: nothing else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

MAX_BYTES = 10_000_000
MAX_NODES = 200_000  # counted as if every alias were written out
MAX_LENGTH = 10_000_000  # characters of all texts, counted the same way
MAX_DEPTH = 50
MAX_NUMBER_LENGTH = 64  # no number of 64 bits needs more characters, in any base
INTEGERS = range(-(2**63), 2**64)

_CORE = "tag:yaml.org,2002:"
_INT, _FLOAT, _BOOL, _NULL = _CORE + "int", _CORE + "float", _CORE + "bool", _CORE + "null"
# Plain text that YAML 1.1 would turn into a date, or into the odd "=" value, stays text.
_TEXT = {_CORE + "str", _CORE + "timestamp", _CORE + "value", _CORE + "merge"}
_LIST_TAGS = {None, "!", _CORE + "seq"}
_MAPPING_TAGS = {None, "!", _CORE + "map"}

_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_RESOLVER = Resolver()
_CONSTRUCTOR = SafeConstructor()
_MERGE = object()  # the key "<<", which stands for the keys of the mappings behind it
_NO_KEY = object()

# The parser's own words, and the same in words that say what to do.
_PLAINER = {
    "exceeded maximum nesting depth": f"nested deeper than {MAX_DEPTH} levels",  # libyaml's own limit
    "mapping values are not allowed in this context": (
        'a ":" is not allowed here: mend the indentation, or put the text in quotes'
    ),
    "found character that cannot start any token": (
        "this character cannot start a value: indent with spaces, not tabs, and quote text "
        "that begins with @, ` or %"
    ),
    "did not find expected key": "expected a key like the ones above it: mend the indentation or the quotes",
    "did not find expected '-' indicator": (
        'expected a list item that begins with "- ", like the ones above it'
    ),
    "could not find expected ':'": 'expected a ":" after the key',
    "did not find expected <document start>": "the text goes on after its end: mend the indentation",
}

Key = str | int | float | bool | None
NodePath = Sequence[Key]


class YAMLError(ValueError):
    """The text is not YAML that can be taken; line and column begin with 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message, line, column)
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"{self.message} (line {self.line}, column {self.column})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    value: Any
    lines: Mapping[int, Mapping[Key, int]]  # by id() of a list or mapping in value: where its entries stand
    first_line: int

    def line_of(self, path: NodePath) -> int:
        """The line, from 1, of an entry, or of the nearest one above it. A mapping's entry begins with its key."""
        node, line = self.value, self.first_line
        for key in path:
            # Only of what is in value: the id of a text may be that of a mapping that is gone.
            entries = self.lines[id(node)] if type(node) in (dict, list) else {}
            if key not in entries:
                return line
            line = entries[key]
            node = node[key]
        return line


def load(text: str, *, max_bytes: int = MAX_BYTES, max_nodes: int = MAX_NODES) -> Any:
    """Raises YAMLError. An empty text is None."""
    return parse(text, max_bytes=max_bytes, max_nodes=max_nodes).value


def line_of(text: str, path: NodePath) -> int:
    """`Document.line_of` for a text that was loaded before. Raises YAMLError."""
    return parse(text).line_of(path)


def parse(
    text: str, *, max_bytes: int = MAX_BYTES, max_nodes: int = MAX_NODES, last_wins: bool = False
) -> Document:
    """Like `load`, and remembers the lines. Raises YAMLError.

    `last_wins`: of two equal keys the last counts, as for PyYAML; for a text that a program has written.
    """
    reader = _Reader(max_nodes=max_nodes, last_wins=last_wins)
    try:
        for event in yaml.parse(_encoded(text, max_bytes), Loader=yaml.CSafeLoader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        raise _translated(error) from None
    except yaml.YAMLError as error:
        raise YAMLError(str(error), 1, 1) from None
    return Document(value=reader.root, lines=reader.lines, first_line=reader.first_line)


def dump(value: Any) -> str:
    """Block style with sorted keys, as LAVA writes it, but with its letters left as they are.

    Raises ValueError for a value that `load` could not have given.
    """
    try:
        return str(
            yaml.dump(value, Dumper=_Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True)
        )
    except (yaml.YAMLError, UnicodeError, TypeError) as error:
        raise ValueError(f"cannot be written as YAML: {error}") from None


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # a value that occurs twice is written twice; loaded values hold no circle


def _encoded(text: str, max_bytes: int) -> bytes:
    # The number of characters is known without encoding, so a giant is refused before it is copied.
    if len(text) > max_bytes:
        raise YAMLError(_too_large(max_bytes), 1, 1)
    if found := _NOT_PRINTABLE.search(text):
        raise YAMLError(_unprintable(found[0]), *_position(text, found.start()))
    encoded = text.encode()
    if len(encoded) > max_bytes:
        raise YAMLError(_too_large(max_bytes), 1, 1)
    return encoded


def _too_large(max_bytes: int) -> str:
    return f"the text is larger than {max_bytes:,} bytes"


def _unprintable(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return f"half of a character (surrogate U+{code:04X}): the text was not decoded properly"
    return (
        f"the control character U+{code:04X} is not allowed in YAML: remove it, or write it as an escape "
        'such as "\\x1b" in double quotes'
    )


def _position(text: str, index: int) -> tuple[int, int]:
    line, begin = 1, 0
    for end in _LINE_END.finditer(text, 0, index):
        line, begin = line + 1, end.end()
    return line, index - begin + 1


def _translated(error: yaml.MarkedYAMLError) -> YAMLError:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context)
    message = _PLAINER.get(problem, problem)
    if mark is None:
        return YAMLError(message, 1, 1)
    if error.context and error.context_mark is not None and error.context_mark.line != mark.line:
        message += f", {error.context} that begins in line {error.context_mark.line + 1}"
    return YAMLError(message, mark.line + 1, mark.column + 1)


def _at(event: Any, message: str) -> YAMLError:
    return YAMLError(message, event.start_mark.line + 1, event.start_mark.column + 1)


@dataclass(slots=True, kw_only=True)
class _Container:
    """A list or mapping whose end has not come yet."""

    value: Any
    anchor: str | None
    nodes_before: int
    length_before: int
    lines: dict[Key, int]
    is_mapping: bool
    height: int = 1  # levels, its own included
    key: Any = _NO_KEY
    key_line: int = 0
    merged: list[tuple[Any, Any]] = field(
        default_factory=list
    )  # what stands behind "<<", each with its event

    @property
    def wants_key(self) -> bool:
        return self.is_mapping and self.key is _NO_KEY


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: Any
    nodes: int
    length: int  # characters
    height: int


class _Reader:
    """Builds the value from the parser's events, with a stack of its own: deep nesting costs no recursion."""

    def __init__(self, *, max_nodes: int, last_wins: bool) -> None:
        self.root: Any = None
        self.lines: dict[int, dict[Key, int]] = {}
        self.first_line = 1
        self._max_nodes = max_nodes
        self._last_wins = last_wins
        self._nodes = 0
        self._length = 0
        self._documents = 0
        self._open: list[_Container] = []
        self._anchors: dict[str, _Anchored] = {}
        self._handlers = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceEndEvent: self._end,
            yaml.MappingEndEvent: self._end,
            yaml.DocumentStartEvent: self._document,
        }

    def take(self, event: Any) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _at(event, 'a second document begins here ("---"); expected one')

    def _scalar(self, event: Any) -> None:
        self._count(event, 1, len(event.value))
        value = _plain_value(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, 1, len(event.value), 0)
        is_merge = event.value == "<<" and event.implicit[0] and self._open and self._open[-1].wants_key
        self._add(event, _MERGE if is_merge else value)

    def _alias(self, event: Any) -> None:
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            raise _at(event, f"*{event.anchor} stands for nothing: no &{event.anchor} ends before it")
        self._count(event, anchored.nodes, anchored.length)
        self._check_depth(event, len(self._open) + anchored.height)
        if anchored.height and self._open:
            self._open[-1].height = max(self._open[-1].height, 1 + anchored.height)
        self._add(event, anchored.value)

    def _start(self, event: Any) -> None:
        self._count(event, 1)
        self._check_depth(event, len(self._open) + 1)
        is_mapping = type(event) is yaml.MappingStartEvent
        if event.tag not in (_MAPPING_TAGS if is_mapping else _LIST_TAGS):
            raise _at(event, _unknown_tag(event.tag))
        if self._open and self._open[-1].wants_key:
            raise _at(event, "a list or mapping cannot be a key: use text")
        value: Any = {} if is_mapping else []
        lines: dict[Key, int] = {}
        self.lines[id(value)] = lines
        self._add(event, value)
        self._open.append(
            _Container(
                value=value,
                anchor=event.anchor,
                nodes_before=self._nodes - 1,
                length_before=self._length,
                lines=lines,
                is_mapping=is_mapping,
            )
        )

    def _end(self, event: Any) -> None:
        closed = self._open.pop()
        for start, source in closed.merged:
            self._merge(closed, start, source)
        if closed.anchor is not None:
            nodes, length = self._nodes - closed.nodes_before, self._length - closed.length_before
            self._anchors[closed.anchor] = _Anchored(closed.value, nodes, length, closed.height)
        if self._open:
            self._open[-1].height = max(self._open[-1].height, 1 + closed.height)

    def _merge(self, into: _Container, start: Any, source: Any) -> None:
        for mapping in source if isinstance(source, list) else [source]:
            if not isinstance(mapping, dict):
                raise _at(start, "<< takes a mapping or a list of mappings")
            for key, value in mapping.items():
                if key not in into.value:
                    into.value[key] = value
                    into.lines[key] = self.lines[id(mapping)][key]

    def _add(self, event: Any, value: Any) -> None:
        line = event.start_mark.line + 1
        if not self._open:
            self.root, self.first_line = value, line
            return
        top = self._open[-1]
        if not top.is_mapping:
            top.lines[len(top.value)] = line
            top.value.append(value)
        elif top.key is _NO_KEY:
            self._begin_entry(event, top, value, line)
        elif top.key is _MERGE:
            # What begins here is still empty, so it is looked at when this mapping ends.
            top.merged.append((event, value))
            top.key = _NO_KEY
        else:
            top.value[top.key] = value
            top.lines[top.key] = top.key_line
            top.key = _NO_KEY

    def _begin_entry(self, event: Any, mapping: _Container, key: Any, line: int) -> None:
        if isinstance(key, dict | list):  # by an alias
            raise _at(event, "a list or mapping cannot be a key: use text")
        if key in mapping.value and not self._last_wins:
            raise _at(event, f"the key {_shown(key)} is there twice, first in line {mapping.lines[key]}")
        mapping.key, mapping.key_line = key, line

    def _count(self, event: Any, nodes: int, length: int = 0) -> None:
        self._nodes += nodes
        self._length += length
        if self._nodes > self._max_nodes:
            raise _at(event, f"more than {self._max_nodes:,} values, aliases written out; expected fewer")
        if self._length > MAX_LENGTH:
            raise _at(event, f"more than {MAX_LENGTH:,} characters, aliases written out; expected fewer")

    def _check_depth(self, event: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _at(event, f"nested deeper than {MAX_DEPTH} levels")


def _plain_value(event: Any) -> Any:
    text: str = event.value
    if "\0" in text:
        raise _at(event, "the character NUL is not allowed in a text")
    tag = event.tag
    if tag is None or tag == "!":
        if not event.implicit[0]:
            return text
        tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if tag in _TEXT:
        return text
    if tag == _NULL:
        return None
    if tag == _BOOL:
        return _boolean(event)
    if tag in (_INT, _FLOAT):
        return _number(event, tag)
    raise _at(event, _unknown_tag(tag))


def _boolean(event: Any) -> bool:
    try:
        return SafeConstructor.bool_values[event.value.lower()]
    except KeyError:
        raise _at(event, f"{_shown(event.value)} is neither true nor false") from None


def _number(event: Any, tag: str) -> int | float:
    text: str = event.value
    if len(text) > MAX_NUMBER_LENGTH:
        raise _at(event, f"the number has {len(text):,} characters: put it in quotes if it is text")
    node = yaml.ScalarNode(tag, text)
    construct = _CONSTRUCTOR.construct_yaml_int if tag == _INT else _CONSTRUCTOR.construct_yaml_float
    try:
        number: int | float = construct(node)
    except (ValueError, OverflowError, IndexError):
        raise _at(event, f"{_shown(text)} is not a number: put it in quotes if it is text") from None
    if isinstance(number, float) and not math.isfinite(number):
        raise _at(event, f"{text} is not a finite number: put it in quotes if it is text")
    if isinstance(number, int) and number not in INTEGERS:
        raise _at(event, f"{text} does not fit in 64 bits: put it in quotes if it is text")
    return number


def _unknown_tag(tag: str) -> str:
    return f"the tag {_shown(tag.replace(_CORE, '!!'))} is not allowed: leave it out"


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) > 40:
        value = value[:37] + "..."
    return json.dumps(value, ensure_ascii=False)
