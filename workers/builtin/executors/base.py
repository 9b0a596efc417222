"""What an executor is: the place where the commands of a job run."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol, Self

from workers.builtin.directory import JobDirectory
from workers.builtin.journal import Journal
from workers.builtin.processes import JobProcesses

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LANGUAGE: Final = {"LANG": "C.UTF-8", "TERM": "dumb", "SHELL": "/bin/sh"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What an executor has to know of the job that it serves."""

    job_id: int
    mark: str  # by which all processes of this job are known
    directory: JobDirectory
    settings: Mapping[str, Any]  # what the device's dictionary says for the executor
    environment: Mapping[str, str]  # what the device, the lab and the job say
    processes: JobProcesses  # those on this machine
    journal: Journal
    check: Callable[[], object]  # raises JobEnd when there is a reason not to go on


class Processes(Protocol):
    """What the commands of a job have started, wherever that is."""

    def find(self) -> Collection[object]:
        """Those that live."""

    def signal(self, number: signal.Signals) -> Collection[object]:
        """Those that were living, and have got the signal."""

    def kill(self, between: Callable[[], object] = ...) -> bool:
        """End all of them at once; False if some do not go. `between` is called while they go."""


class Executor(ABC):
    """One terminal for the whole job; scripts run in it one after the other.

    What one script leaves running is there for the next one. On entry everything is made ready, which may raise
    JobEnd; on exit nothing is left of the job where its commands ran.
    """

    root: str  # path of the job's directory, as the commands see it: bin/, scripts/, tests/, home/ and tmp/ are in it
    processes: Processes
    exit_code: int | None = None  # of the last script; None while it runs
    is_busy: bool = False  # from a script's start until it has ended and all that it printed was read

    @classmethod
    def clear(cls, settings: Mapping[str, Any], mark: str, directory: JobDirectory) -> str:
        """Remove what a runner that was killed left elsewhere; what went wrong, or an empty text."""
        return ""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abstractmethod
    def fileno(self) -> int:
        """Readable when there is output."""

    @abstractmethod
    def start(self, suite: str) -> None:
        """Run a suite's script in /bin/sh, which ends at the first command that fails."""

    @abstractmethod
    def give(self, name: str, text: str) -> None:
        """Put a small file into the job's directory where its commands run, all at once. May raise JobEnd."""

    @abstractmethod
    def read(self) -> bytes:
        """What the terminal has now, b"" if nothing. Also notices the end of the script. May raise JobEnd."""
