"""A job's log as LAVA keeps it: one line of YAML for each record, made from the text and its index.

LAVA 2023.01 writes each record with PyYAML's C emitter in double-quoted flow style, keys sorted: a string is always
quoted, everything that is not printable ASCII is escaped, and what is no string is marked by `! ` before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import yaml

from jobs.logs import format, text
from jobs.logs.index import Entry, namespaces, opened
from jobs.logs.text import Ahead

_NEVER_FOLDED = 1 << 30  # columns
PIECE = 64 * 1024  # bytes

_ESCAPED = re.compile(r'[^\x20-\x7e]|["\\]')
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\x1b": "\\e",
    "\x85": "\\N",
    "\xa0": "\\_",
    "\u2028": "\\L",
    "\u2029": "\\P",
}


def stream(
    directory: Path, start: int = 0, end: int | None = None, *, finished: bool = False
) -> Iterator[bytes]:
    """The records `start` to `end` (not included), each a line with its newline, as far as the log goes now.

    A line that came in pieces is one record with the time of the first piece. One that has no end yet is not
    shown, unless the log is `finished` and no end will come.
    """
    names = namespaces(directory)
    with opened(directory) as index, text.opened(directory) as opened_text:
        ahead = Ahead(opened_text)
        behind = index.record_count(finished=finished)
        if end is not None:
            behind = min(behind, end)
        for number, pieces in groupby(index.from_number(start), key=attrgetter("number")):
            record = list(pieces)
            if number >= behind or record[-1].end > ahead.size:
                return
            yield _line(record, ahead, names)


def in_pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of PIECE or little more: sending one costs much more than a line does."""
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _line(pieces: list[Entry], ahead: Ahead, names: list[str]) -> bytes:
    entry = pieces[0]
    message = "".join([_text(piece, ahead.read(piece.start, piece.end)) for piece in pieces])
    name = _name(entry.namespace, names)
    if not entry.kind & format.STRUCTURED:
        namespace = "" if name is None else f', "ns": {_quoted(name)}'
        head = f'- {{"dt": "{entry.time.isoformat()}", "lvl": "{entry.level}", "msg": '
        return f"{head}{_quoted(message)}{namespace}}}\n".encode()
    fields: dict[str, Any] = {"dt": entry.time.isoformat(), "lvl": entry.level, "msg": _structure(message)}
    if name is not None:
        fields["ns"] = name
    return b"- " + _dump(fields)


def _text(piece: Entry, data: bytes) -> str:
    content = data.decode("utf-8", "replace")
    if piece.kind & format.BREAKS:
        content = content.removeprefix("\n")
    return content if piece.kind & format.PARTIAL else content.removesuffix("\n")


def _name(number: int, names: list[str]) -> str | None:
    if number == 0:
        return None
    return names[number - 1] if number <= len(names) else "other"


def _structure(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # the text was changed by other hands
        return text


def _quoted(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _dump(fields: dict[str, Any]) -> bytes:
    dumped: bytes = yaml.dump(
        fields,
        Dumper=yaml.CSafeDumper,
        default_style='"',
        default_flow_style=True,
        width=_NEVER_FOLDED,
        encoding="utf-8",
    )
    return dumped
