"""The layout of `output.idx`, version 1: where each record of `output.log` ends, and what it is. Pure values.

The file is a row of 16-byte slots, each two little-endian 64-bit integers, in blocks of 1024 slots:

    header       slot 0 of the file: magic, version (16 bit), size of a slot (16 bit), slots of a block (32 bit)
    checkpoint   slot 0 of every later block: what the next entry's numbers are, so that no reader scans the file
                   word 1: bits 0-47 number of the next record, bits 48-55 CHECKPOINT
                   word 2: wire index of the next record
    entry        every other slot: one record as it came over the wire, or a hole
                   word 1: bits 0-47 byte offset in `output.log` where its text ends (it begins where the one
                           before it ends), bits 48-55 kind, bits 56-62 number of its namespace (0: none)
                   word 2: its time in microseconds since 1970 UTC (signed); of a hole: how many records are missing

    kind         bits 0-3 level (LEVEL_CODES; 0 is no level, so that a slot of zeros is no entry), and the flags
                   STRUCTURED  the text is one line of JSON
                   PARTIAL     a piece of a line: the text has no newline at its end, the next entry continues it
                   HOLE        stands for records that never came; its text says how many
                   BREAKS      the text begins with a newline, which ends a line that this entry does not continue

Three things are counted. The *wire index* counts records as they are sent, missing ones too. The *record number*
counts what a reader of the log counts: a line sent in several pieces is one record, and so is a hole. The *offset*
counts bytes of text.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

SLOT = 16  # bytes
KIND = 6  # the byte of a slot that is its kind
BLOCK = 1024  # slots
VERSION = 1

STRUCTURED = 0x10
PARTIAL = 0x20
HOLE = 0x40
BREAKS = 0x80
LEVEL_MASK = 0x0F
CHECKPOINT = 0xFF

LEVEL_CODES = {
    "debug": 1,
    "info": 2,
    "warning": 3,
    "error": 4,
    "exception": 5,
    "input": 6,
    "target": 7,
    "feedback": 8,
    "results": 9,
}
LEVEL_NAMES = {code: level for level, code in LEVEL_CODES.items()}

LARGEST_END = (1 << 48) - 1  # bytes
LARGEST_INDEX = (1 << 62) - 1
OTHER_NAMESPACE = 127  # the number that all namespaces share when every other number is taken

_MAGIC = b"joblog\r\n"  # the line end shows a file that was copied as text
_HEADER = struct.Struct("<8sHHI")
_WORDS = struct.Struct("<qq")


class UnknownFormat(Exception):
    """The file is no log index of a version that this program reads."""


def header() -> bytes:
    return _HEADER.pack(_MAGIC, VERSION, SLOT, BLOCK)


def check_header(data: bytes) -> None:
    if data == header():
        return
    magic, version, _, _ = _HEADER.unpack(data)
    if magic != _MAGIC:
        raise UnknownFormat("this is no index of a job's log (its first bytes are others)")
    raise UnknownFormat(f"the index has format version {version}; this program reads version {VERSION}")


def pack(words: Sequence[int]) -> bytes:
    """Slots from their words, two for each."""
    return struct.pack(f"<{len(words)}q", *words)


def unpack(data: bytes) -> list[tuple[int, int]]:
    return list(_WORDS.iter_unpack(data))


def columns(slots: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The first words of slots, and their second words."""
    words = struct.unpack(f"<{len(slots) // 8}q", slots)
    return words[0::2], words[1::2]


def end_of(slots: bytes, entry: int) -> int:
    """Where the text of one of these entries ends; a negative number counts from the last one."""
    return low_48(_WORDS.unpack_from(slots, entry % (len(slots) // SLOT) * SLOT)[0])


def entry_word(end: int, kind: int, namespace: int) -> int:
    return end | kind << 48 | namespace << 56


def checkpoint_word(number: int) -> int:
    return number | CHECKPOINT << 48


def low_48(word: int) -> int:
    """The end offset of an entry, the record number of a checkpoint."""
    return word & LARGEST_END


def kind_of(word: int) -> int:
    return word >> 48 & 0xFF


def namespace_of(word: int) -> int:
    return word >> 56 & 0x7F


class Cursor:
    """A place between two entries and the numbers that hold there; the only one who knows how they go on."""

    __slots__ = ("end", "index", "number", "open")

    def __init__(self, *, index: int = 0, number: int = 0, end: int = 0) -> None:
        self.index = index  # of the next record on the wire
        self.number = number  # of the record that the next entry begins or, if a line is open, continues
        self.end = end  # of the text so far
        self.open: tuple[int, int] | None = (
            None  # level code and namespace of the line, once an entry was taken
        )

    def continues(self, word: int) -> bool:
        """Whether an entry goes on with the open line: a text of the same level and namespace."""
        return self.open == _line_of(word) and not kind_of(word) & (STRUCTURED | HOLE)

    def take(self, word: int, value: int) -> int:
        """Steps over one entry, given as its words; returns the number of the record that it belongs to."""
        kind = word >> 48 & 0xFF
        number = self.number + 1 if kind & BREAKS else self.number
        self.index += value if kind & HOLE else 1
        self.end = word & LARGEST_END
        if kind & PARTIAL:
            self.number = number
            self.open = _line_of(word)
        else:
            self.number = number + 1
            self.open = None
        return number


def _line_of(word: int) -> tuple[int, int]:
    return kind_of(word) & LEVEL_MASK, namespace_of(word)


_PLAIN_KINDS = bytes([*LEVEL_NAMES, *(code | STRUCTURED for code in LEVEL_NAMES)])


def are_plain(slots: bytes) -> bool:
    """Whether every slot is one whole record, so that numbers go up by one from each to the next."""
    return not slots[KIND::SLOT].translate(None, _PLAIN_KINDS)


def is_entry(word: int) -> bool:
    return kind_of(word) != CHECKPOINT and kind_of(word) & LEVEL_MASK in LEVEL_NAMES
