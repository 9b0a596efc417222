"""The logs of all jobs as files: what there is, how much it takes, and how it is thrown away."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_DEPTH = 4  # YYYY/MM/DD/<id>


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is on the disk of one job, of all its attempts."""

    job_id: int
    directory: Path

    @property
    def size(self) -> int:
        """Bytes; 0 for what went away meanwhile."""
        return sum(
            _size(Path(parent, name)) for parent, _, names in os.walk(self.directory) for name in names
        )

    @property
    def attempts(self) -> Iterator[tuple[int, Path]]:
        """The number of each, and its log."""
        return ((int(directory.name), directory) for directory in _numbered(self.directory, 1))


def stored(root: Path) -> Iterator[Stored]:
    """Those submitted first come first. What does not look like a log's directory is left alone."""
    for directory in _numbered(root, _DEPTH):
        yield Stored(job_id=int(directory.name), directory=directory)


def discard(directory: Path) -> bool:
    """Whether it is gone now; why not is told in the server's log."""
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return not directory.exists()
    except OSError as error:
        log.warning("The log in %s cannot be removed: %s", directory, error)
        return False
    return True


def _numbered(directory: Path, depth: int) -> Iterator[Path]:
    try:
        names = sorted((name for name in os.listdir(directory) if name.isdecimal()), key=int)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        if depth == 1:
            yield directory / name
        else:
            yield from _numbered(directory / name, depth - 1)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
