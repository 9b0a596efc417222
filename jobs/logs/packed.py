"""The layout of `output.log.zst`: a finished text in frames of their own, so that a read unpacks little.

The file is one that `zstd -d` unpacks to the text, in the seekable format of the Zstandard project (a skippable frame
at the end has the sizes of all frames). All integers are little-endian:

    frames       each has FRAME bytes of text, the last one what is left; with a checksum
    places       a skippable frame (magic 0x184D2A50, size 32 bit), which unpackers pass over
                   for each frame, and once more for their end: its place in this file (64 bit)
                   bytes of text, where the cut begins, where it ends (64 bit each; zeros: nothing is cut out)
                   magic of the places ("joblog\\r\\n"), version (16 bit)
    seek table   a skippable frame (magic 0x184D2A5E, size 32 bit)
                   for each frame, the places being the last: bytes packed, bytes unpacked (32 bit each)
                   number of these (32 bit), descriptor (8 bit, 0), magic 0x8F92EAB1 (32 bit)

The places say the same as the table in a form of which only a few bytes are read, however long the text is.
"""

from __future__ import annotations

import os
import struct
import sys
from array import array
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FRAME = 128 * 1024  # bytes of text
LEVEL = 6  # a higher one takes several times as long for 2 % less

_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: LEVEL,
    zstd.CompressionParameter.checksum_flag: 1,
}
_MAGIC = b"joblog\r\n"
_VERSION = 1
_SKIPPABLE = struct.Struct("<II")
_PLACES, _TABLE = 0x184D2A50, 0x184D2A5E
_PLACE = struct.Struct("<Q")
_FACTS = struct.Struct("<QQQ8sH")
_ROW = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")
_SEEKABLE = 0x8F92EAB1

Cut = tuple[int, int]  # the bytes of the text from the first up to the second, which were taken out


class Unreadable(OSError):
    """A packed text that is broken, or no packed text at all."""


class Source(Protocol):
    size: int

    def read(self, start: int, end: int) -> bytes: ...


class Packed:
    """A packed text; the descriptor stays its owner's. Unreadable says what is wrong with it."""

    size: int  # bytes of the text
    cut: Cut | None

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        end = os.fstat(descriptor).st_size - _FOOTER.size
        rows, _, magic = _FOOTER.unpack(self._bytes(end, _FOOTER.size))
        if magic != _SEEKABLE:
            raise Unreadable("it has no seek table at its end")
        end -= rows * _ROW.size + _SKIPPABLE.size + _FACTS.size
        self.size, cut_start, cut_end, name, version = _FACTS.unpack(self._bytes(end, _FACTS.size))
        if (name, version) != (_MAGIC, _VERSION):
            raise Unreadable(f"it is no packed text of version {_VERSION}")
        self.cut = (cut_start, cut_end) if cut_end else None
        self._places = end - rows * _PLACE.size
        self._last = (-1, b"")

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`, which is not included; fewer where the text ends before."""
        end = min(end, self.size)
        if start >= end:
            return b""
        first, last = start // FRAME, (end - 1) // FRAME
        data = b"".join([self._frame(number) for number in range(first, last + 1)])
        return data[start - first * FRAME : end - first * FRAME]

    def _frame(self, number: int) -> bytes:
        if self._last[0] != number:
            begin, end = struct.unpack(
                "<QQ", self._bytes(self._places + number * _PLACE.size, 2 * _PLACE.size)
            )
            self._last = number, self._unpacked(number, self._bytes(begin, end - begin))
        return self._last[1]

    def _unpacked(self, number: int, frame: bytes) -> bytes:
        wanted = min(FRAME, self.size - number * FRAME)
        try:
            text = zstd.decompress(frame)
        except zstd.ZstdError as error:
            raise Unreadable(
                f"the text from byte {number * FRAME} to {number * FRAME + wanted}: {error}"
            ) from error
        if len(text) != wanted:
            raise Unreadable(f"the text from byte {number * FRAME}: expected {wanted} bytes, got {len(text)}")
        return text

    def _bytes(self, start: int, length: int) -> bytes:
        data = os.pread(self._descriptor, length, start) if start >= 0 else b""
        if len(data) != length:
            raise Unreadable("it is shorter than it says")
        return data


def write(file: BinaryIO, text: Source, *, cut: Cut | None = None) -> Iterator[int]:
    """Packs a text; tells after each frame how many bytes of the text are packed, so that whoever drives it may stop."""
    places = array("Q", [0])
    for start in range(0, text.size, FRAME):
        end = min(start + FRAME, text.size)
        data = text.read(start, end)
        if len(data) != end - start:
            raise OSError(f"the text ends at byte {start + len(data)}, and not at {text.size}")
        places.append(places[-1] + file.write(zstd.compress(data, options=_OPTIONS)))
        yield end
    own = _places(places, text.size, cut or (0, 0))
    sizes = [
        (b - a, min(FRAME, text.size - FRAME * number)) for number, (a, b) in enumerate(pairwise(places))
    ]
    file.write(own + _table([*sizes, (len(own), 0)]))


def _places(places: array[int], size: int, cut: Cut) -> bytes:
    facts = _FACTS.pack(size, *cut, _MAGIC, _VERSION)
    return _skippable(_PLACES, struct.pack(f"<{len(places)}Q", *places) + facts)


def _table(sizes: list[tuple[int, int]]) -> bytes:
    rows = b"".join([_ROW.pack(*row) for row in sizes])
    return _skippable(_TABLE, rows + _FOOTER.pack(len(sizes), 0, _SEEKABLE))


def _skippable(magic: int, content: bytes) -> bytes:
    return _SKIPPABLE.pack(magic, len(content)) + content
