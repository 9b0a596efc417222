"""What programs of this machine are started on: a pseudo-terminal, or a pair of pipes."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

ROWS, COLUMNS = 24, 80
_READ: Final = 64 * 1024

FileAction = tuple[Any, ...]  # of os.posix_spawn


class Wire(ABC):
    """What a program is started on, and what it prints arrives by; it lives on between the programs that use it.

    A subclass says what it is made of.
    """

    def __init__(self) -> None:
        self._pid = 0
        self.exit_code: int | None = None  # of what was spawned last

    @abstractmethod
    def open(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def fileno(self) -> int:
        """Readable when there is output, without waiting."""

    @abstractmethod
    def _attach(self) -> list[FileAction]:
        """How a program gets its standard input, output and error."""

    def spawn(self, command: list[str], environment: Mapping[str, str]) -> None:
        """In a session of its own, so that its end sends no hang-up to what it left running."""
        self.exit_code = None
        self._pid = os.posix_spawnp(
            command[0],
            command,
            environment,
            file_actions=self._attach(),
            setsid=True,
            setsigmask=[],
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )

    def read(self) -> bytes:
        """What there is now, b"" if nothing. Also notices the end of what was spawned."""
        self._collect()
        try:
            return os.read(self.fileno(), _READ)
        except BlockingIOError:
            return b""

    def _collect(self) -> None:
        """Take leave of children that have ended: what was spawned, and orphans that were handed to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self.exit_code = os.waitstatus_to_exitcode(status)


class Terminal(Wire):
    """A pseudo-terminal; it is nobody's controlling terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._to_write = b""

    def open(self) -> None:
        self._master, terminal = pty.openpty()
        os.set_blocking(self._master, False)
        self._path = os.ttyname(terminal)
        # An open end of our own keeps the terminal alive between the programs, and takes what we say in it.
        self._terminal = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.close(terminal)
        _set_up(self._terminal)

    def close(self) -> None:
        os.close(self._master)
        os.close(self._terminal)

    def fileno(self) -> int:
        return self._master

    def read(self) -> bytes:
        self._write()
        return super().read()

    def say(self, text: bytes) -> None:
        """Print something of our own, after all that was printed until now."""
        self._to_write = text
        self._write()

    def _attach(self) -> list[FileAction]:
        return [
            (os.POSIX_SPAWN_OPEN, 0, self._path, os.O_RDWR | os.O_NOCTTY, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ]

    def _write(self) -> None:
        """The terminal may be full; then it takes the rest later."""
        if not self._to_write:
            return
        try:
            written = os.write(self._terminal, self._to_write)
        except BlockingIOError:
            return
        self._to_write = self._to_write[written:]


class Pipes(Wire):
    """For a program that opens a terminal elsewhere, and must not be held up when nobody reads here for a while.

    Its input stays open and empty.
    """

    def open(self) -> None:
        self._input, self._silence = os.pipe()
        self._output, self._entrance = os.pipe()
        os.set_blocking(self._output, False)

    def close(self) -> None:
        for end in (self._input, self._silence, self._output, self._entrance):
            os.close(end)

    def fileno(self) -> int:
        return self._output

    def _attach(self) -> list[FileAction]:
        return [
            (os.POSIX_SPAWN_DUP2, self._input, 0),
            (os.POSIX_SPAWN_DUP2, self._entrance, 1),
            (os.POSIX_SPAWN_DUP2, self._entrance, 2),
        ]


class EndMark:
    """`<end SECRET CODE>`, printed after a script to know when all of its output was read, and how it ended."""

    def __init__(self) -> None:
        self.beginning = f"<end {os.urandom(16).hex()} ".encode()
        self._held = b""  # output that may be the beginning of the mark

    def after(self, exit_code: int) -> bytes:
        return self.beginning + str(exit_code).encode() + b">"

    def take(self, data: bytes) -> tuple[bytes, int | None]:
        """The output without the mark, and the exit code once the mark was there."""
        data = self._held + data
        before, begun, after = data.partition(self.beginning)
        code, ended, rest = after.partition(b">")
        if ended:
            self._held = b""
            return before + rest, int(code)
        kept = len(data) - len(before) if begun else _beginning_of(self.beginning, data)
        self._held = data[len(data) - kept :]
        return data[: len(data) - kept], None

    def give_up(self) -> bytes:
        """What was held back, when the mark will never come."""
        held, self._held = self._held, b""
        return held


def _set_up(terminal: int) -> None:
    """What is printed arrives as it is: no echo of input, no carriage return added to a newline."""
    settings = termios.tcgetattr(terminal)
    settings[1] &= ~termios.OPOST
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, settings)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))


def _beginning_of(mark: bytes, data: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of `mark`."""
    longest = min(len(mark) - 1, len(data))
    return next((n for n in range(longest, 0, -1) if data.endswith(mark[:n])), 0)
