"""The shell executor: commands on this machine, in a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from workers.builtin.processes import ControlGroup

_ROWS, _COLUMNS = 24, 80
_READ: Final = 64 * 1024
_DRAIN_LIMIT: Final = 2.0  # seconds: a terminal that somebody has stopped never gives what is in it
_ENTER_GROUP: Final = '{ echo 0 > "$0"; } 2> /dev/null; exec "$@"'


class Shell:
    """One terminal for the whole job; scripts run in it one after the other, each in a session of its own.

    It is nobody's controlling terminal, so that the end of one script sends no hang-up to what that script left
    running for the next one.
    """

    def __init__(self, *, environment: Mapping[str, str], cgroup: ControlGroup | None = None) -> None:
        self._environment = dict(environment)
        self._cgroup = cgroup
        self._pid = 0
        self._exited_at = 0.0
        self._end_mark = b""  # told to the terminal after a script, to know when all of its output was read
        self._mark_to_write = b""
        self._held = b""  # output that may be the beginning of the mark
        self.exit_code: int | None = None
        self.is_busy = False  # from a script's start until it has ended and all that it printed was read

    def __enter__(self) -> Self:
        self._master, terminal = pty.openpty()
        os.set_blocking(self._master, False)
        self._path = os.ttyname(terminal)
        # An open end of our own keeps the terminal alive between the scripts, and takes the mark.
        self._terminal = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.close(terminal)
        _set_up(self._terminal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._master)
        os.close(self._terminal)

    def fileno(self) -> int:
        """Readable when there is output."""
        return self._master

    def start(self, script: Path) -> None:
        """Run a script of /bin/sh in the current directory, which ends at the first command that fails."""
        command = ["/bin/sh", "-e", str(script)]
        if self._cgroup is not None:
            command = ["/bin/sh", "-c", _ENTER_GROUP, str(self._cgroup.entrance), *command]
        self.exit_code = None
        self.is_busy = True
        self._pid = os.posix_spawn(
            command[0],
            command,
            self._environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, self._path, os.O_RDWR | os.O_NOCTTY, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )

    def read(self) -> bytes:
        """What the terminal has now, b"" if nothing. Also notices the end of the script."""
        self._collect()
        try:
            data = os.read(self._master, _READ)
        except BlockingIOError:
            data = b""
        if self.exit_code is None:
            return data
        return self._until_mark(data)

    def _collect(self) -> None:
        """Take leave of children that have ended: the script, and orphans that were handed to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
                self._exited_at = time.monotonic()
                self._end_mark = self._mark_to_write = f"<end {os.urandom(16).hex()}>".encode()

    def _until_mark(self, data: bytes) -> bytes:
        self._write_mark()
        if not self.is_busy:
            return data
        data = self._held + data
        before, mark, after = data.partition(self._end_mark)
        if mark:
            self._held = b""
            self.is_busy = False
            return before + after
        if time.monotonic() - self._exited_at > _DRAIN_LIMIT:
            self._held = b""
            self.is_busy = False
            return data
        kept = _beginning_of(self._end_mark, data)
        self._held = data[len(data) - kept :]
        return data[: len(data) - kept]

    def _write_mark(self) -> None:
        """The terminal may be full; then it takes the rest later."""
        if not self._mark_to_write:
            return
        try:
            written = os.write(self._terminal, self._mark_to_write)
        except BlockingIOError:
            return
        self._mark_to_write = self._mark_to_write[written:]


def _set_up(terminal: int) -> None:
    """What is printed arrives as it is: no echo of input, no carriage return added to a newline."""
    settings = termios.tcgetattr(terminal)
    settings[1] &= ~termios.OPOST
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, settings)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))


def _beginning_of(mark: bytes, data: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of `mark`."""
    longest = min(len(mark) - 1, len(data))
    return next((n for n in range(longest, 0, -1) if data.endswith(mark[:n])), 0)
