"""Looking after logs on the disk: what is wrong with one, and mending it so that all that can be read is shown.

What cannot be made whole is never thrown away: it stays beside the log under a name that says so.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from jobs.logs import format, index, packed, packing, store
from jobs.logs.index import INDEX_NAME, PACKED_NAME, TEXT_NAME
from jobs.logs.packed import Packed, Unreadable
from jobs.logs.records import Record

RECORDS_AT_ONCE = 1000
UNREADABLE = b"[this part of the log was damaged on the disk]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is wrong with the log in a directory, and what mends it."""

    what: str
    remedy: str
    mend: Callable[[], object]


def faults(directory: Path) -> list[Fault]:
    """All that is wrong with the log of one attempt, in the order in which it is to be mended. It may be in use meanwhile."""
    if packing.is_under_way(directory):
        return []
    with packing.locked(directory):
        names = set(os.listdir(directory))
        found = [*_leftovers(directory), *(list(_of_index(directory, names)) or _of_text(directory, names))]
    if PACKED_NAME in names and TEXT_NAME not in names:
        found += _of_packed(directory)
    return found


def _leftovers(directory: Path) -> Iterator[Fault]:
    if left := packing.leftovers(directory):
        yield Fault(
            what=f"{' and '.join(left)} left over from packing that was cut short; the whole text is there",
            remedy="what is left over is removed",
            mend=partial(packing.forget_leftovers, directory),
        )


def _of_index(directory: Path, names: set[str]) -> Iterator[Fault]:
    if not names & {TEXT_NAME, PACKED_NAME}:
        return
    remedy = f"it is made anew: each line is a record then, with the time of the file. {TEXT_NAME}.orphan is the old text"
    if INDEX_NAME not in names:
        yield Fault(what=f"{INDEX_NAME} is missing", remedy=remedy, mend=partial(_index_anew, directory))
        return
    try:
        with index.opened(directory) as opened:
            if not opened.slots:
                yield Fault(
                    what=f"{INDEX_NAME} is empty", remedy=remedy, mend=partial(_index_anew, directory)
                )
    except (format.UnknownFormat, OSError) as error:
        yield Fault(what=f"{INDEX_NAME}: {error}", remedy=remedy, mend=partial(_index_anew, directory))


def _of_text(directory: Path, names: set[str]) -> Iterator[Fault]:
    with index.opened(directory) as opened:
        end = opened.end
    try:
        size = _size(directory, names)
    except Unreadable:
        return  # that is told of the packed text itself
    if size > end:
        yield Fault(
            what=f"{size - end} bytes at the end of {TEXT_NAME} are not in the index, which a kill may leave",
            remedy=f"they are moved to {TEXT_NAME}.rest: if they were sent again, they are in the log already",
            mend=partial(_move_rest, directory, end),
        )
    elif size < end:
        yield Fault(
            what=f"the text ends at byte {size}, and the index says {end}: a power cut may do that",
            remedy="the index is cut back to what is there",
            mend=partial(store.append, directory, 0, ()),
        )


def _of_packed(directory: Path) -> Iterator[Fault]:
    with open(directory / PACKED_NAME, "rb") as file:
        try:
            text = Packed(file.fileno())
        except Unreadable as error:
            yield Fault(
                what=f"{PACKED_NAME}: {error}",
                remedy=f"it is moved to {PACKED_NAME}.broken; zstd may still unpack some of it",
                mend=partial(_set_aside, directory, PACKED_NAME, ".broken"),
            )
            return
        damaged = Salvaged(text).damaged()
    if damaged:
        yield Fault(
            what=f"{PACKED_NAME}: {len(damaged)} of {-(-text.size // packed.FRAME)} frames cannot be read, "
            f"the first at byte {damaged[0]} of the text",
            remedy="lines that say so take their place, and all else can be read again",
            mend=partial(_replace_damaged, directory),
        )


class Salvaged:
    """A packed text in which words and blanks stand where it cannot be read. A Text."""

    def __init__(self, text: Packed) -> None:
        self.size = text.size
        self.cut = text.cut
        self._text = text

    def read(self, start: int, end: int) -> bytes:
        """Of one frame at most."""
        try:
            return self._text.read(start, end)
        except Unreadable:
            length = min(end, self.size) - start
            return UNREADABLE[: length - 1].ljust(length - 1) + b"\n"

    def damaged(self) -> list[int]:
        """Where in the text the frames begin that cannot be read."""
        return [start for start in range(0, self.size, packed.FRAME) if not self._is_whole(start)]

    def _is_whole(self, start: int) -> bool:
        try:
            return bool(self._text.read(start, start + 1))
        except Unreadable:
            return False


def _replace_damaged(directory: Path) -> None:
    with open(directory / PACKED_NAME, "rb") as file:
        draft = packing.written(
            directory / f"{PACKED_NAME}{packing.DRAFT}", Salvaged(Packed(file.fileno())), packing.never
        )
    _keep_copy(directory / PACKED_NAME, ".broken")
    if draft is not None:
        draft.replace(directory / PACKED_NAME)


def _index_anew(directory: Path) -> None:
    with packing.locked(directory):
        packing.unpack(directory)
    if (directory / INDEX_NAME).exists():
        _set_aside(directory, INDEX_NAME, ".broken")
    text = _set_aside(directory, TEXT_NAME, ".orphan")
    time = datetime.fromtimestamp(text.stat().st_mtime, UTC).replace(tzinfo=None)
    with text.open(encoding="utf-8", errors="replace", newline="\n") as file:
        lines = (
            Record(
                time=time, level="target", message=line.removesuffix("\n"), partial=not line.endswith("\n")
            )
            for line in file
        )
        number = 0
        while batch := list(itertools.islice(lines, RECORDS_AT_ONCE)):
            number = store.append(directory, number, batch).next_index


def _move_rest(directory: Path, end: int) -> None:
    with (directory / TEXT_NAME).open("rb") as file:
        file.seek(end)
        _free(directory / TEXT_NAME, ".rest").write_bytes(file.read())
    store.append(directory, 0, ())  # cuts it off, as every append does


def _size(directory: Path, names: set[str]) -> int:
    if TEXT_NAME in names:
        return (directory / TEXT_NAME).stat().st_size
    with open(directory / PACKED_NAME, "rb") as file:
        return Packed(file.fileno()).size


def _set_aside(directory: Path, name: str, ending: str) -> Path:
    aside = _free(directory / name, ending)
    return (directory / name).rename(aside)


def _keep_copy(path: Path, ending: str) -> None:
    os.link(path, _free(path, ending))


def _free(path: Path, ending: str) -> Path:
    """A name beside it that nothing has yet."""
    names = (path.with_name(f"{path.name}{ending}{number or ''}") for number in itertools.count())
    return next(name for name in names if not name.exists())
