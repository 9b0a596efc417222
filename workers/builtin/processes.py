"""Everything that a job started, found again and ended: children that left the process group included.

Three ways to find them, each with a gap that the others fill. The runner adopts orphans, so what a job started is
below it as long as it lives. A variable in the environment marks them when the runner is gone, unless they
dropped it. A control group of their own holds them in any case, where the machine lets us make one.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARK: Final = "LAVA_JOB_MARK"  # the variable in the environment of everything that a job starts

_PR_SET_CHILD_SUBREAPER: Final = 36
_KILL_LIMIT: Final = 5.0  # seconds: what has not gone by then is stuck in the kernel
_REMOVE_LIMIT: Final = 0.5  # seconds
_LOOK_AGAIN: Final = 0.01


@dataclass(frozen=True, slots=True)
class Process:
    """One process for good: its pid may be given to another one, but not with the same start time."""

    pid: int
    start_time: int  # clock ticks since boot


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProcesses:
    mark: str
    cgroup: ControlGroup | None = None
    below: int | None = None  # the pid of the runner, for itself: orphans are handed to it

    def find(self) -> set[Process]:
        """Those that live: a zombie is only waiting to be collected."""
        table = _process_table()
        pids = _marked(self.mark, table)
        if self.below is not None:
            pids |= _descendants(self.below, table)
        if self.cgroup is not None:
            pids |= self.cgroup.members()
        pids -= {os.getpid(), self.below}
        return {Process(pid, table[pid].start_time) for pid in pids if pid in table}

    def signal(self, number: signal.Signals) -> set[Process]:
        """Those that were living, and have got the signal."""
        found = self.find()
        for process in found:
            send_signal(process, number)
        return found

    def kill(self, between: Callable[[], object] = lambda: None) -> bool:
        """End all of them at once; False if some do not go. `between` is called while they go."""
        self._freeze()
        deadline = time.monotonic() + _KILL_LIMIT
        while self.signal(signal.SIGKILL):
            if time.monotonic() > deadline:
                return False
            if self.cgroup is not None:
                self.cgroup.kill()
            between()
            time.sleep(_LOOK_AGAIN)
        return True

    def close(self) -> None:
        """Nothing will be started any more."""
        if self.cgroup is not None:
            self.cgroup.remove()

    def _freeze(self) -> None:
        """Stop them all before the first is killed, so that none can fork away meanwhile."""
        stopped: set[Process] = set()
        for _ in range(20):
            new = self.find() - stopped
            if not new:
                return
            for process in new:
                send_signal(process, signal.SIGSTOP)
            stopped |= new


class ControlGroup:
    """A group of the unified hierarchy (cgroup v2)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, name: str) -> ControlGroup | None:
        """Below this process's own group; None where the machine does not let us."""
        parent = _own_group()
        if parent is None:
            return None
        path = parent / name
        try:
            path.mkdir(exist_ok=True)
        except OSError:
            return None
        if not os.access(path / "cgroup.procs", os.W_OK):
            return None
        return cls(path)

    @property
    def entrance(self) -> Path:
        """A process that writes 0 into it belongs to the group."""
        return self.path / "cgroup.procs"

    def members(self) -> set[int]:
        with suppress(OSError, ValueError):
            return {int(pid) for pid in self.entrance.read_text().split()}
        return set()

    def kill(self) -> None:
        with suppress(OSError):  # kernels before 5.14 do not have it
            (self.path / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """What has just been killed may need a moment to be gone from it."""
        deadline = time.monotonic() + _REMOVE_LIMIT
        while self.path.exists() and time.monotonic() < deadline:
            with suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(_LOOK_AGAIN)


@dataclass(frozen=True, slots=True)
class _Row:
    parent: int
    start_time: int


def adopt_orphans() -> None:
    """From now on the orphans among this process's descendants become its own children."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start_time(pid: int) -> int | None:
    """None if there is no such process, or it is a zombie."""
    row = _row(pid)
    return None if row is None else row.start_time


def send_signal(process: Process, number: signal.Signals) -> None:
    """Never to another process that has got the pid meanwhile."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        if start_time(process.pid) == process.start_time:
            signal.pidfd_send_signal(handle, number)
    except OSError:
        return
    finally:
        os.close(handle)


def _pids() -> Iterable[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _process_table() -> dict[int, _Row]:
    rows = ((pid, _row(pid)) for pid in _pids())
    return {pid: row for pid, row in rows if row is not None}


def _row(pid: int) -> _Row | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return None
    # The name in parentheses may hold anything, parentheses and blanks too.
    fields = stat[stat.rfind(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return _Row(parent=int(fields[1]), start_time=int(fields[19]))


def _marked(mark: str, pids: Iterable[int]) -> set[int]:
    wanted = f"{MARK}={mark}".encode()
    return {pid for pid in pids if wanted in _environment(pid)}


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _descendants(ancestor: int, table: dict[int, _Row]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, row in table.items():
        children.setdefault(row.parent, []).append(pid)
    found: set[int] = set()
    waiting = [ancestor]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def _own_group() -> Path | None:
    try:
        groups = Path("/proc/self/cgroup").read_text()
        mounts = Path("/proc/self/mountinfo").read_text()
    except OSError:
        return None
    own = next((line[3:] for line in groups.splitlines() if line.startswith("0::")), None)
    if own is None:
        return None
    for line in mounts.splitlines():
        fields, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            _, _, _, root, mount, *_ = fields.split()
            return Path(mount) / os.path.relpath(own, root)
    return None
