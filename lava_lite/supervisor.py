"""One process that starts the roles of a lab, keeps them running, and ends them in order.

The program is loaded once and forked, so that the roles share its memory. The supervisor has no threads and holds
no database connection; it sleeps until a signal comes.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)

ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
WATCHED = ENDING | {signal.SIGCHLD}

SETTLED_AFTER = 2.0  # seconds; a role that ran so long did not die of its start
FIRST_BACK_OFF = 0.1
LONGEST_BACK_OFF = 5.0
AN_HOUR = 3600.0

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One process of the lab: `run` returns after SIGTERM, or is killed `patience` seconds later."""

    name: str
    run: Callable[[], None]
    patience: float


@dataclass(slots=True, kw_only=True)
class _Child:
    role: Role
    pid: int | None = None
    started: float = 0.0
    due: float = 0.0  # when it is to be started, while it is not running
    early_deaths: int = 0


class Supervisor:
    """Starts `roles` in their order and ends them in the reverse order."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self._children = [_Child(role=role) for role in roles]
        self._is_hurried = False

    def run(self, when_started: Callable[[], None]) -> None:
        """Return when every role has ended, after SIGTERM, SIGINT or SIGHUP; the same again kills what is left."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        gc.collect()
        gc.freeze()  # a collection in a child would write to every shared page
        try:
            self._start_due()
            when_started()
            self._keep_running()
        finally:
            self._end_all()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _keep_running(self) -> None:
        while _next_signal(self._until_due()) not in ENDING:
            for child in self._children:
                if _has_ended(child):
                    _plan_restart(child)
            self._start_due()

    def _until_due(self) -> float:
        waits = [child.due - time.monotonic() for child in self._children if child.pid is None]
        return max(min(waits, default=AN_HOUR), 0.0)

    def _start_due(self) -> None:
        for child in self._children:
            if child.pid is None and child.due <= time.monotonic():
                _start(child)

    def _end_all(self) -> None:
        log.info("Ending the lab. Running jobs are ended and reported first; Ctrl-C again kills at once.")
        for child in reversed(self._children):
            if child.pid is not None:
                self._end(child)

    def _end(self, child: _Child) -> None:
        _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + child.role.patience
        while not _has_ended(child):
            left = deadline - time.monotonic()
            if self._is_hurried or left <= 0:
                _kill(child)
                return
            self._is_hurried = _next_signal(left) in ENDING


def _next_signal(timeout: float) -> int | None:
    received = signal.sigtimedwait(WATCHED, timeout)
    return received.si_signo if received else None


def _start(child: _Child) -> None:
    child.started = time.monotonic()
    try:
        child.pid = _fork(child.role)
    except OSError as error:
        log.error("The %s could not be started: %s", child.role.name, error.strerror)
        _plan_restart(child)


def _has_ended(child: _Child) -> bool:
    """True once: for a child that ran and does not any more."""
    if child.pid is None:
        return False
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if pid == 0:
        return False
    child.pid = None
    if status:
        log.warning("The %s ended: %s", child.role.name, _why(os.waitstatus_to_exitcode(status)))
    return True


def _why(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _plan_restart(child: _Child) -> None:
    now = time.monotonic()
    child.early_deaths = 0 if now - child.started > SETTLED_AFTER else child.early_deaths + 1
    wait = FIRST_BACK_OFF * 2.0 ** min(child.early_deaths - 2, 16) if child.early_deaths > 1 else 0.0
    wait = min(wait, LONGEST_BACK_OFF)
    child.due = now + wait
    log.info("The %s is started again in %.1f s", child.role.name, wait, extra={"action": "role_restarted"})


def _kill(child: _Child) -> None:
    log.warning("The %s did not end in time and is killed", child.role.name)
    _signal(child, signal.SIGKILL)
    while not _has_ended(child):
        _next_signal(AN_HOUR)


def _signal(child: _Child, number: signal.Signals) -> None:
    # It is not reaped yet, so its pid cannot be another process's.
    if child.pid is not None:
        os.kill(child.pid, number)


def _fork(role: Role) -> int:
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    if pid := os.fork():
        return pid
    code = 1
    try:
        _become(role, parent)
        role.run()
        code = 0
    except BaseException:
        log.exception("The %s failed", role.name)
    finally:
        # What the parent planned to do at its exit is not the child's to do.
        os._exit(code)


def end_with(parent: int) -> None:
    """Have this process killed at the end of its parent, however that comes about."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before it could be asked to take us along


def _become(role: Role, parent: int) -> None:
    # In a group of its own, Ctrl-C reaches the supervisor alone, which ends the roles in order.
    os.setpgid(0, 0)
    _libc.prctl(_PR_SET_NAME, f"lavalite-{role.name}".encode(), 0, 0, 0)
    end_with(parent)
    # Until the role has a handler of its own, there is nothing that would have to be ended.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
