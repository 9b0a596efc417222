"""The built-in worker: asks the server what to do, and carries each job through."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import threading
import time
from collections import deque
from typing import Final

from core.doorbell import Doorbell
from workers.builtin.client import Client, ServerError, Unavailable, Unknown
from workers.builtin.config import WorkerConfig, own_version
from workers.builtin.directory import JobDirectory, Order
from workers.builtin.listener import Listener
from workers.builtin.plan import make_plan
from workers.builtin.reading import InvalidPlan
from workers.builtin.running_job import RunningJob
from workers.messages import ErrorType, JobFiles, JobRef, Orders, StateChange

log = logging.getLogger(__name__)

STOPPED: Final = "The lab was stopped while this job ran."

_FIRST_BACK_OFF: Final = 0.1  # seconds
_LONGEST_BACK_OFF: Final = 1.0
_LEAVE_TIMEOUT: Final = 2.0
_REMEMBERED: Final = 1000  # jobs that have ended: an answer that is older than their end may still name them


class DirectoryInUse(Exception):
    """Another worker uses the same directory."""


class Worker:
    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._client = Client(config.url, timeout=config.http_timeout)
        self._bell = Doorbell(config.directory, "worker")
        self._lock = threading.Lock()  # of the two below, which the jobs' threads change
        self._jobs: dict[int, RunningJob] = {}
        self._ended: deque[JobRef] = deque(maxlen=_REMEMBERED)
        self._trouble = ""
        self._token = ""

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. Raises DirectoryInUse."""
        self._config.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._lock_directory()
        try:
            with self._bell:
                threading.Thread(target=self._ring_at, args=(stop,), name="worker-stop", daemon=True).start()
                self._adopt_jobs()
                if self._find_token(stop):
                    self._serve(stop)
                self._part()
        finally:
            self._client.close()
            os.close(lock)

    def _lock_directory(self) -> int:
        path = self._config.directory / "worker.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise DirectoryInUse(
                f"Another worker uses {self._config.directory}: end it, or give this one a directory of its own."
            ) from None
        return descriptor

    def _ring_at(self, stop: threading.Event) -> None:
        stop.wait()
        self._wake()

    def _wake(self) -> None:
        try:
            self._bell.press()
        except OSError:
            log.debug("The worker has gone already", exc_info=True)

    def _adopt_jobs(self) -> None:
        """Go on with what an earlier worker began."""
        if not self._config.jobs.is_dir():
            return
        for path in sorted(self._config.jobs.iterdir()):
            try:
                self._adopt(JobDirectory(path))
            except (OSError, ValueError, KeyError, TypeError):
                # The server will hear that the job is lost as soon as it asks for it.
                log.exception("%s cannot be read, and is left as it is", path)

    def _adopt(self, directory: JobDirectory) -> None:
        order = directory.order
        if order is None:
            self._clear(directory)
            return
        log.info("Job %s was begun earlier and is carried on", order.job.id)
        self._carry(directory, order)

    def _clear(self, directory: JobDirectory) -> None:
        """What is left of a job that the server knows the end of, or that never began."""
        try:
            directory.remove()
        except OSError:
            log.exception("%s cannot be removed", directory.path)

    def _find_token(self, stop: threading.Event) -> bool:
        """False if the worker is stopped before it has one."""
        delay = _FIRST_BACK_OFF
        while not stop.is_set():
            try:
                self._token = self._config.token or self._stored_token() or self._registered_token()
            except ServerError as error:
                self._tell_once(f"The worker {self._config.name} cannot register: {error}")
            else:
                return True
            stop.wait(delay)
            delay = min(delay * 2, _LONGEST_BACK_OFF)
        return False

    def _stored_token(self) -> str:
        try:
            return self._config.token_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def _registered_token(self) -> str:
        token = self._client.register(self._config.name)
        path = self._config.token_file
        part = path.with_name("token.part")
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(f"{token}\n")
        os.replace(part, path)
        return token

    def _serve(self, stop: threading.Event) -> None:
        listener = Listener(
            self._config.websocket_url, name=self._config.name, token=self._token, wake=self._wake
        )
        listener.start()
        try:
            delay = _FIRST_BACK_OFF
            while not stop.is_set():
                if self._ask():
                    delay = _FIRST_BACK_OFF
                    self._bell.wait(self._interval(listener))
                else:
                    stop.wait(delay)
                    delay = min(delay * 2, _LONGEST_BACK_OFF)
        finally:
            listener.close()

    def _interval(self, listener: Listener) -> float:
        if listener.is_connected:
            return self._config.ping_interval
        return min(self._config.ping_interval, self._config.ping_interval_unheard)

    def _ask(self) -> bool:
        """One ping, and what follows from it; False if it is to be repeated soon."""
        self._bell.drain()
        try:
            orders = self._client.ping(self._config.name, self._token)
        except Unavailable as error:
            self._tell_once(f"The server does not answer: {error}")
            return False
        except ServerError as error:
            self._tell_once(f"The server does not want the worker {self._config.name}: {error}")
            return True
        self._tell_once("")
        return self._obey(orders)

    def _tell_once(self, trouble: str) -> None:
        """A server that is down for an hour is worth one line, not thousands."""
        if trouble == self._trouble:
            return
        if trouble:
            log.warning("%s", trouble)
        else:
            log.info("The server answers again")
        self._trouble = trouble

    def _obey(self, orders: Orders) -> bool:
        done = [self._cancel(job) for job in self._new(orders.cancel)]
        done += [self._resume(job) for job in self._new(orders.running)]
        done += [self._start(job) for job in self._new(orders.start)]
        return all(done)

    def _new(self, jobs: tuple[JobRef, ...]) -> list[JobRef]:
        with self._lock:
            return [job for job in jobs if job not in self._ended]

    def _known(self, job: JobRef) -> RunningJob | None:
        with self._lock:
            return self._jobs.get(job.id)

    def _cancel(self, job: JobRef) -> bool:
        known = self._known(job)
        if known is None or known.job != job:
            return self._report_end(job, ErrorType.CANCELED, "")
        known.cancel()
        return True

    def _resume(self, job: JobRef) -> bool:
        if self._known(job) is not None:
            return True
        return self._report_end(
            job, ErrorType.INFRASTRUCTURE, "The job is lost: its worker knows nothing of it any more."
        )

    def _start(self, job: JobRef) -> bool:
        known = self._known(job)
        if known is None:
            return self._begin(job)
        if known.job == job:
            known.report_again()
        else:
            known.cancel()  # an earlier attempt, which the server has given up
        return True

    def _begin(self, job: JobRef) -> bool:
        try:
            files = self._client.fetch(job)
        except Unknown as error:
            log.warning("Job %s is not to be had: %s", job.id, error)
            return True
        except ServerError as error:
            log.warning("Job %s cannot be fetched now: %s", job.id, error)
            return False
        order = _order(job, files, allow_files=self._config.allow_file_repositories)
        try:
            directory = JobDirectory.create(self._config.jobs, order)
        except OSError as error:
            log.exception("There is no room for job %s", job.id)
            return self._report_end(
                job, ErrorType.INFRASTRUCTURE, f"The worker cannot keep the job: {error.strerror}"
            )
        log.info("Job %s begins", job.id)
        self._carry(directory, order)
        return True

    def _carry(self, directory: JobDirectory, order: Order) -> None:
        job = RunningJob(directory, order, self._config, on_end=self._forget)
        with self._lock:
            self._jobs[order.job.id] = job
        job.start()

    def _forget(self, job: RunningJob) -> None:
        with self._lock:
            self._ended.append(job.job)
            del self._jobs[job.job.id]
        self._wake()

    def _report_end(self, job: JobRef, error_type: str, errors: str) -> bool:
        """For a job that has no directory here."""
        change = StateChange(state="FINISHED", result="fail", error_type=error_type, errors=errors)
        try:
            self._client.report(job, change)
        except ServerError as error:
            log.warning("The end of job %s cannot be reported now: %s", job.id, error)
            return not isinstance(error, Unavailable)
        with self._lock:
            self._ended.append(job)
        return True

    def _part(self) -> None:
        with self._lock:
            jobs = list(self._jobs.values())
        deadline = time.monotonic() + _LEAVE_TIMEOUT
        if self._config.end_jobs_on_stop:
            deadline = time.monotonic() + self._config.stop_timeout
            for job in jobs:
                job.cancel(STOPPED)
            for job in jobs:
                job.join(deadline - time.monotonic())
            deadline = time.monotonic() + _LEAVE_TIMEOUT
        for job in jobs:
            job.leave()
        for job in jobs:
            job.join(deadline - time.monotonic())


def _order(job: JobRef, files: JobFiles, *, allow_files: bool) -> Order:
    mark = f"{job.id}-{secrets.token_hex(8)}"
    try:
        plan = make_plan(job.id, files, allow_files=allow_files)
    except InvalidPlan as fault:
        return Order(job=job, mark=mark, version=own_version(), fault_type=fault.error_type, fault=str(fault))
    return Order(job=job, mark=mark, version=own_version(), plan=plan)
