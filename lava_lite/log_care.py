"""`lava-lite log check` and `repair`: the logs on the disk of this machine's lab, without a server and without Django."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from jobs.logs import care, disk
from jobs.logs.care import Fault
from lava_lite import options
from lava_lite.claims import NotStarted
from lava_lite.client.findings import Finding, bad, ok, warn


def findings(wanted: Sequence[str], *, repair: bool) -> Iterator[Finding]:
    """What is wrong with these logs, given as numbers of jobs or as directories; with all of them if none is named.

    NotStarted for one that is not there.
    """
    number = wrong = 0
    for directory in _directories(wanted):
        number += 1
        for fault in _faults(directory):
            wrong += 1
            yield _told(directory, fault, repair=repair)
    if not wrong:
        yield ok("logs", f"{number} looked at, nothing wrong")


def _directories(wanted: Sequence[str]) -> Iterable[Path]:
    root = options.data_directory() / "logs"
    if not wanted:
        return [directory for stored in disk.stored(root) for _, directory in stored.attempts]
    return [directory for word in wanted for directory in _named(root, word)]


def _named(root: Path, word: str) -> list[Path]:
    if not word.isdecimal():
        if not Path(word).is_dir():
            raise NotStarted(f"{word}: expected the number of a job, or a directory with a log")
        return [Path(word)]
    for stored in disk.stored(root):
        if stored.job_id == int(word):
            return [directory for _, directory in stored.attempts]
    raise NotStarted(f"There is no log of job {word} in {root}; name another directory: --data DIRECTORY")


def _faults(directory: Path) -> list[Fault]:
    try:
        return care.faults(directory)
    except FileNotFoundError:  # it was let go of meanwhile
        return []


def _told(directory: Path, fault: Fault, *, repair: bool) -> Finding:
    what = f"{directory}: {fault.what}"
    if not repair:
        return bad("log", what, f"lava-lite log repair {directory}\n{fault.remedy}")
    try:
        fault.mend()
    except OSError as error:
        return bad(
            "log",
            f"{what}, and it cannot be mended: {error}",
            "is there room on the disk, and may you write there?",
        )
    return warn("log", what, f"mended: {fault.remedy}")
