"""Runs one job, detached from the worker that asked for it: `python -m workers.builtin.runner DIRECTORY LOCK`.

LOCK is the number of an inherited descriptor that holds the lock of the job's directory. The runner keeps it open
as long as it lives, so that anybody can see whether it does, and two can never run the same job.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final

from core import doorbell
from workers.builtin.directory import BELL, JobDirectory, Order, Outcome, RunnerInfo
from workers.builtin.job import Job, tell_failure
from workers.builtin.journal import Journal
from workers.builtin.processes import ControlGroup, JobProcesses, adopt_orphans, start_time
from workers.builtin.spool import SpoolWriter
from workers.messages import ErrorType

log = logging.getLogger(__name__)

_DISK_IS_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Runner:
    def __init__(self, directory: JobDirectory, order: Order) -> None:
        self._directory = directory
        self._order = order
        self._asked_to_end = False
        self._wake, self._wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def run(self) -> None:
        """The job's last word is in the directory afterwards, whatever happened."""
        self._listen_to_signals()
        adopt_orphans()
        cgroup = ControlGroup.create(f"lava-lite-{self._order.mark}")
        processes = JobProcesses(mark=self._order.mark, cgroup=cgroup, below=os.getpid())
        self._directory.set_runner(
            RunnerInfo(
                pid=os.getpid(),
                start_time=start_time(os.getpid()) or 0,
                cgroup=str(cgroup.path) if cgroup else "",
            )
        )
        with SpoolWriter(self._directory.spool) as spool:
            journal = Journal(spool, self._ring)
            try:
                self._directory.reserve()
                outcome = self._job(journal, processes).run()
            except Exception as error:
                log.exception("Job %s failed", self._order.job.id)
                processes.kill()
                outcome = self._failure(error, spool)
        processes.close()
        self._directory.set_outcome(outcome)
        self._ring()

    def _job(self, journal: Journal, processes: JobProcesses) -> Job:
        return Job(
            self._order,
            self._directory,
            journal,
            processes=processes,
            cancel_reason=self._cancel_reason,
            wake=self._wake,
        )

    def _ring(self) -> None:
        doorbell.ring(self._directory.path, BELL)

    def _listen_to_signals(self) -> None:
        # A signal in mid-wait ends the wait through this pipe; else one that comes just before it would be slept over.
        signal.set_wakeup_fd(self._wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        # The reason may be older than this process.
        self._asked_to_end = self._directory.cancel_reason is not None

    def _on_terminate(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_end = True

    def _cancel_reason(self) -> str | None:
        if not self._asked_to_end:
            return None
        return self._directory.cancel_reason or ""

    def _failure(self, error: Exception, spool: SpoolWriter) -> Outcome:
        outcome = _outcome_of(error)
        self._directory.drop_reserve()
        try:
            tell_failure(Journal(spool, self._ring), outcome.error_type, outcome.errors)
        except OSError:
            log.exception("The log of job %s could not be ended", self._order.job.id)
        return outcome


def _outcome_of(error: Exception) -> Outcome:
    if not isinstance(error, OSError):
        text = f"The runner failed: {type(error).__name__}: {error}"
        return Outcome(result="fail", error_type=ErrorType.BUG, errors=text)
    if error.errno in _DISK_IS_FULL:
        text = f"The worker's disk is full: the log could not be written ({error.strerror})."
    else:
        text = f"The worker could not run the job: {error}"
    return Outcome(result="fail", error_type=ErrorType.INFRASTRUCTURE, errors=text)


def main() -> None:
    directory = JobDirectory(Path(sys.argv[1]))
    # The job's processes must not inherit it: they would seem to be a runner.
    os.set_inheritable(int(sys.argv[2]), False)
    if os.fork():
        os._exit(0)
    logging.basicConfig(format="%(asctime)s %(message)s")
    order = directory.order
    if order is None:
        log.error("There is no order in %s", directory.path)
        return
    Runner(directory, order).run()


if __name__ == "__main__":
    main()
