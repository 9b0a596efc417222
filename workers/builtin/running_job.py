"""One job as its worker sees it: its records go to the server, then the word how it ended."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from core.doorbell import Doorbell
from workers.builtin.client import Client, Hole, Refused, ServerError, Unknown
from workers.builtin.config import WorkerConfig
from workers.builtin.directory import BELL, JobDirectory, Order, Outcome
from workers.builtin.executors import EXECUTORS
from workers.builtin.job import tell_failure
from workers.builtin.job_end import CANCELED
from workers.builtin.journal import Journal
from workers.builtin.processes import ControlGroup, JobProcesses, Process, send_signal
from workers.builtin.spool import Batch, SpoolReader, SpoolWriter
from workers.messages import ErrorType, JobRef, LogPost, StateChange

log = logging.getLogger(__name__)

POST_INTERVAL: Final = 0.02  # seconds: the longest that a record waits for others to go with it
POLL: Final = 0.5  # seconds between looks when no bell rings
FIRST_BACK_OFF: Final = 0.05  # seconds
LONGEST_BACK_OFF: Final = 1.0
CANCEL_LIMIT: Final = (
    9.0  # seconds that a runner gets to end its job; it needs about two, over ssh a little more
)
SIGNAL_INTERVAL: Final = 1.0

_PROJECT: Final = Path(__file__).parents[2]
_RUNNER_ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONPATH": str(_PROJECT),
}
_LOG_TAIL: Final = 2000  # characters of what a failing runner said

T = TypeVar("T")


class Leave(Exception):
    """The worker is going; the runner goes on alone, and the next worker takes it over."""


class Forgotten(Exception):
    """The server does not know the job any more: nobody waits for its end."""


class RunningJob:
    """`start` gives it a thread of its own; the other public methods are for the worker's thread."""

    def __init__(
        self,
        directory: JobDirectory,
        order: Order,
        config: WorkerConfig,
        *,
        on_end: Callable[[RunningJob], object],
    ) -> None:
        self.job: JobRef = order.job
        self._directory = directory
        self._order = order
        self._on_end = on_end
        self._client = Client(config.url, timeout=config.http_timeout)
        self._bell = Doorbell(directory.path, BELL)
        self._thread = threading.Thread(target=self._run, name=f"job-{order.job.id}", daemon=True)
        self._leaving = threading.Event()
        self._running_is_reported = False
        self._cancel_since: float | None = None
        self._last_signal = self._last_post = float("-inf")
        self._outcome: Outcome | None = None  # for when the disk cannot take it

    def start(self) -> None:
        self._thread.start()

    def cancel(self, reason: str = "") -> None:
        """End the job. The reason, if there is one, is told to the server as what went wrong."""
        if self._directory.cancel_reason is None:
            with suppress(FileNotFoundError):  # it has ended just now
                self._directory.set_cancel_reason(reason)
        self._press()

    def report_again(self) -> None:
        """The server has not heard that the job runs."""
        self._running_is_reported = False
        self._press()

    def leave(self) -> None:
        """Let the runner go on alone."""
        self._leaving.set()
        self._press()

    def join(self, timeout: float) -> None:
        self._thread.join(max(timeout, 0.0))

    def _press(self) -> None:
        with suppress(OSError):
            self._bell.press()

    def _run(self) -> None:
        """Until the server knows how the job ended, or the worker leaves."""
        failures = 0
        while not self._leaving.is_set():
            try:
                self._carry_through()
            except Leave:
                break
            except Exception:
                # The disk may be full or the directory damaged: say so, and try from the beginning.
                log.exception("Job %s cannot be carried on now; trying again", self.job.id)
                failures += 1
                self._leaving.wait(min(FIRST_BACK_OFF * 2**failures, 5.0))
            else:
                self._on_end(self)
                break
        self._client.close()

    def _carry_through(self) -> None:
        with self._bell:
            try:
                with self._launched():
                    self._report_running()
                self._forward_all()
                self._report_end()
            except Forgotten as forgotten:
                log.warning("Job %s is dropped: the server answers %s", self.job.id, forgotten)
                self._end_unheard()
            self._remove_directory()

    def _launched(self) -> AbstractContextManager[object]:
        """Nothing was done for the job as long as no runner has said that it began: then begin."""
        directory = self._directory
        if directory.runner or directory.outcome or directory.cancel_reason is not None:
            return nullcontext()
        lock = directory.take_lock()
        if lock is None:
            return nullcontext()
        try:
            return launch(directory, lock)
        finally:
            os.close(lock)

    def _forward_all(self) -> None:
        reader = SpoolReader(self._directory.spool, self._directory.sent)
        try:
            while self._forward(reader):
                self._report_running()
        finally:
            reader.close()

    def _forward(self, reader: SpoolReader) -> bool:
        """Send what waits, or wait for it; False when there will be no more."""
        # Asked before the spool is read: who has ended adds nothing any more.
        has_ended = self._has_ended()
        batch = reader.next_batch()
        if batch is not None:
            self._post(reader, batch)
        elif has_ended:
            return False
        else:
            self._fetch_answers()
            self._bell.wait(POLL)
        self._stay()
        return True

    def _fetch_answers(self) -> None:
        """What people have answered, if the job waits for that."""
        questions = self._directory.questions()
        if not questions:
            return
        try:
            answers = self._client.answers(self.job)
        except ServerError as error:
            log.debug("Job %s: whether somebody has answered is not known now: %s", self.job.id, error)
            return
        for key in questions & answers.keys():
            self._directory.set_answer(key, answers[key])

    def _post(self, reader: SpoolReader, batch: Batch) -> None:
        pause = self._last_post + POST_INTERVAL - time.monotonic()
        if pause > 0:
            self._leaving.wait(pause)
            batch = reader.next_batch() or batch
        self._last_post = time.monotonic()
        post = LogPost(index=batch.index, lines=batch.wire)
        try:
            count = self._insist(lambda: self._client.post_log(self.job, post))
        except Hole as hole:
            log.warning("Job %s: %s, not %s", self.job.id, hole, batch.index)
            if not reader.rewind(hole.expected):
                log.error("Job %s has no record %s", self.job.id, hole.expected)
                self._leaving.wait(LONGEST_BACK_OFF)
            return
        reader.accept(batch, count)
        if count == 0:
            self._leaving.wait(FIRST_BACK_OFF)

    def _report_running(self) -> None:
        if self._running_is_reported or self._directory.outcome is not None:
            return
        self._running_is_reported = True
        try:
            self._insist(lambda: self._client.report(self.job, StateChange(state="RUNNING")))
        except Refused as refusal:
            log.warning("Job %s runs, but the server answers %s", self.job.id, refusal)

    def _report_end(self) -> None:
        outcome = self._directory.outcome or self._outcome
        if outcome is None:
            raise RuntimeError(f"job {self.job.id} has no outcome")
        change = StateChange(
            state="FINISHED",
            result=outcome.result,
            error_type=outcome.error_type,
            errors=outcome.errors,
            description=self._order.description,
        )
        self._insist(lambda: self._client.report(self.job, change))
        log.info("Job %s has ended: %s", self.job.id, outcome.error_type or outcome.result)

    def _insist(self, call: Callable[[], T]) -> T:
        """Until the server has taken it. Raises Forgotten, Refused, Hole, and Leave when the worker goes."""
        delay = FIRST_BACK_OFF
        while True:
            try:
                return call()
            except Unknown as error:
                raise Forgotten(str(error)) from None
            except (Refused, Hole):
                raise
            except ServerError as error:
                if delay == FIRST_BACK_OFF:
                    log.warning("Job %s: the server cannot take what it is told now: %s", self.job.id, error)
            self._stay(delay)
            self._signal_if_canceled()
            delay = min(delay * 2, LONGEST_BACK_OFF)

    def _stay(self, seconds: float = 0.0) -> None:
        """Raises Leave."""
        if self._leaving.wait(seconds):
            raise Leave

    def _has_ended(self) -> bool:
        self._signal_if_canceled()
        if self._directory.outcome is not None or self._outcome is not None:
            return True
        lock = self._directory.take_lock()
        if lock is None:
            return False
        try:
            if self._directory.outcome is None:  # its last word may have come just now
                self._take_over()
        finally:
            os.close(lock)
        return True

    def _signal_if_canceled(self) -> None:
        """Again and again: the runner may not have listened yet, or may hang."""
        runner = self._directory.runner
        if runner is None or self._directory.cancel_reason is None:
            return
        now = time.monotonic()
        self._cancel_since = self._cancel_since or now
        if now - self._last_signal < SIGNAL_INTERVAL:
            return
        self._last_signal = now
        is_late = now - self._cancel_since > CANCEL_LIMIT
        process = Process(runner.pid, runner.start_time)
        send_signal(process, signal.SIGKILL if is_late else signal.SIGTERM)

    def _end_unheard(self) -> None:
        self.cancel()
        while not self._has_ended():
            self._bell.wait(POLL)
            self._stay()

    def _remove_directory(self) -> None:
        try:
            self._directory.remove()
        except OSError:
            # The next start sees that there is no order in it, and tries again.
            log.exception("The directory of job %s cannot be removed", self.job.id)

    def _take_over(self) -> None:
        """The runner is dead and has not said how the job ended: end what it left, and say it for it."""
        runner = self._directory.runner
        cgroup = ControlGroup(Path(runner.cgroup)) if runner and runner.cgroup else None
        processes = JobProcesses(mark=self._order.mark, cgroup=cgroup)
        if not processes.kill():
            log.error("Some processes of job %s could not be ended", self.job.id)
        processes.close()
        trouble = self._clear_elsewhere()
        self._outcome = self._outcome_without_runner()
        try:
            self._outcome = self._end_spool(self._outcome, trouble)
            self._directory.set_outcome(self._outcome)
        except OSError:
            log.exception("The log of job %s could not be ended", self.job.id)

    def _clear_elsewhere(self) -> str:
        """What the job may have left where its commands ran; what went wrong, or an empty text."""
        plan = self._order.plan
        if plan is None or self._directory.runner is None:
            return ""
        trouble = EXECUTORS[plan.executor].clear(plan.settings, self._order.mark, self._directory)
        if trouble:
            log.error("Job %s: %s", self.job.id, trouble)
        return trouble

    def _outcome_without_runner(self) -> Outcome:
        reason = self._directory.cancel_reason
        if reason is not None:
            return Outcome(result="fail", error_type=ErrorType.CANCELED, errors=reason)
        if self._directory.runner is None:
            errors = f"The runner could not be started: {self._directory.runner_words(_LOG_TAIL)}"
        else:
            errors = "The runner of this job was killed; what the job did after that is not known."
        return Outcome(result="fail", error_type=ErrorType.INFRASTRUCTURE, errors=errors)

    def _end_spool(self, outcome: Outcome, trouble: str) -> Outcome:
        """Every log ends with the job's result. If the runner got as far as that, its word holds."""
        with SpoolWriter(self._directory.spool) as spool:
            told = _told_outcome(spool.last_line())
            if told is not None:
                return told
            journal = Journal(spool, lambda: None)
            if trouble:
                journal.say("warning", trouble)
            tell_failure(journal, outcome.error_type, outcome.errors or CANCELED)
            return outcome


def launch(directory: JobDirectory, lock: int) -> subprocess.Popen[bytes]:
    """Start a runner, which takes the lock over. What is returned ends as soon as the runner is detached."""
    with open(directory.runner_log, "ab") as words:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "workers.builtin.runner", str(directory.path), str(lock)],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            cwd="/",
            env=_RUNNER_ENVIRONMENT,
            pass_fds=(lock,),
            start_new_session=True,
        )


def _told_outcome(line: str) -> Outcome | None:
    """What the last record of a job says, if this is one."""
    record: dict[str, Any] = json.loads(line) if line else {}
    message = record.get("msg")
    if record.get("lvl") != "results" or not isinstance(message, dict):
        return None
    if (message["definition"], message["case"]) != ("lava", "job"):
        return None
    return Outcome(
        result=message["result"],
        error_type=message.get("error_type", ""),
        errors=message.get("error_msg", ""),
    )
