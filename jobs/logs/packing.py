"""Packing the text of a log that is finished, and unpacking one that goes on after all.

At each moment one whole text is there under its name: `output.log`, or `output.log.zst`; where there are both, the
former counts. Whoever is killed leaves both at most, and a draft that the next one overwrites.

    pack      write the draft, wait until it is on the disk, compare it with the text; then, under the lock of the log
              and if nothing was appended meanwhile, rename it and remove the text
    unpack    under the lock: write the text's draft, wait until it is on the disk, rename it, remove the packed text
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from jobs.logs import packed, text
from jobs.logs.cut import Shortened
from jobs.logs.index import INDEX_NAME, PACKED_NAME, TEXT_NAME
from jobs.logs.packed import Packed

DRAFT = ".new"


def never() -> bool:
    return False


def pack(directory: Path, *, keep: int = 0, stops: Callable[[], bool] = never) -> bool:
    """Whether the text was packed; not so if there is none, if somebody appends to it or packs it, if the index does not
    speak of all of it, or if it is told to stop.

    Of a text that is longer than `keep` bytes, so many are kept, half of them at each end; 0: all. OSError: the disk
    is full, or gave back something else than was written. The text is as it was then.
    """
    try:
        plain = open(directory / TEXT_NAME, "rb")  # noqa: SIM115
    except FileNotFoundError:
        return False
    with plain:
        if not _is_mine(plain, directory):
            return False
        forget_leftovers(directory)
        with text.opened(directory) as opened:
            if not opened.size or opened.size != os.fstat(plain.fileno()).st_size:
                return (
                    False  # the index does not speak of all of it, and what it says is all that would be kept
                )
            source = Shortened.of(opened, keep) if 0 < keep < opened.size else opened
            draft = written(directory / f"{PACKED_NAME}{DRAFT}", source, stops)
            return draft is not None and _replace_plain(directory, draft, opened.size)


def plain_size(directory: Path) -> int:
    """Bytes of the text that is not packed; 0 where there is none."""
    try:
        return (directory / TEXT_NAME).stat().st_size
    except FileNotFoundError:
        return 0


def unpack(directory: Path) -> None:
    """Has the text as it was before it was packed. The lock of the log must be held. OSError: the disk is full."""
    try:
        file = open(directory / PACKED_NAME, "rb")  # noqa: SIM115
    except FileNotFoundError:
        return
    with file:
        if not (directory / TEXT_NAME).exists():
            _write_plain(directory, Packed(file.fileno()))
    os.unlink(directory / PACKED_NAME)


def _is_mine(plain: BinaryIO, directory: Path) -> bool:
    """Whether nobody else packs this text; one who did may have removed it before this could ask."""
    try:
        fcntl.flock(plain, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(plain.fileno()), os.stat(directory / TEXT_NAME))
    except (BlockingIOError, FileNotFoundError):
        return False


def leftovers(directory: Path) -> list[str]:
    """The names of what a kill has left beside the text. The lock of the log must be held."""
    names = [f"{TEXT_NAME}{DRAFT}", f"{PACKED_NAME}{DRAFT}"]
    if (directory / TEXT_NAME).exists():
        names.append(PACKED_NAME)
    return [name for name in names if (directory / name).exists()]


def forget_leftovers(directory: Path) -> None:
    with locked(directory):
        for name in leftovers(directory):
            os.unlink(directory / name)


def is_under_way(directory: Path) -> bool:
    """Whether somebody packs the text just now."""
    try:
        with open(directory / TEXT_NAME, "rb") as plain:
            return not _is_mine(plain, directory)
    except FileNotFoundError:
        return False


def written(draft: Path, source: text.Text, stops: Callable[[], bool]) -> Path | None:
    """The draft, which is on the disk and can be read; None if it was stopped."""
    try:
        with _create(draft) as file:
            for _ in packed.write(file, source, cut=source.cut):
                if stops():
                    draft.unlink()
                    return None
            file.flush()
            os.fsync(file.fileno())
            for _ in _compared(Packed(file.fileno()), source):
                if stops():
                    draft.unlink()
                    return None
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _compared(copy: Packed, source: text.Text) -> Iterator[int]:
    """As `packed.write`, step by step."""
    for start in range(0, source.size, packed.FRAME):
        end = start + packed.FRAME
        if copy.read(start, end) != source.read(start, end):
            raise packed.Unreadable(f"from byte {start} on, something else was read than was written")
        yield end


def _replace_plain(directory: Path, draft: Path, size: int) -> bool:
    with locked(directory):
        if text.size(directory) != size:
            draft.unlink()
            return False
        draft.rename(directory / PACKED_NAME)
        _sync(directory)
        os.unlink(directory / TEXT_NAME)
        _sync(directory)
    return True


def _write_plain(directory: Path, source: Packed) -> None:
    draft = directory / f"{TEXT_NAME}{DRAFT}"
    with _create(draft) as file:
        for start in range(0, source.size, packed.FRAME):
            file.write(source.read(start, start + packed.FRAME))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(directory / TEXT_NAME)
    _sync(directory)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """As `append` locks it. A log without an index has no lock, and nobody appends to it as it is."""
    try:
        index = os.open(directory / INDEX_NAME, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(index, fcntl.LOCK_EX)
        yield
    finally:
        os.close(index)


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640), "w+b")


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
