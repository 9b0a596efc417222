"""Doorbells: how one process of a machine tells others that there is something new to look at.

A ring says only "look now", never what happened: the truth is in the database and in the files, and whoever
listens also looks by itself every few seconds. So a lost ring costs time and nothing else.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import re
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

_ROLE = re.compile(r"[a-z0-9_-]+")
_SUFFIX = ".sock"
_numbers = itertools.count()


class Doorbell:
    """A bell that this process listens to, from entering the context until leaving it.

    It is a Unix datagram socket `<role>.<pid>.<number>.sock` in `directory`, which is made if it is missing.
    """

    def __init__(self, directory: Path, role: str) -> None:
        if not _ROLE.fullmatch(role):
            raise ValueError(f"a doorbell's role is made of a-z, 0-9, - and _, not {role!r}")
        self._directory = directory
        self._role = role
        self._name = ""
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._name = f"{self._role}.{os.getpid()}.{next(_numbers)}{_SUFFIX}"
        # A process of a former boot may have had this pid and left its socket behind.
        self._path.unlink(missing_ok=True)
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            with _short_path(self._directory) as short:
                bell.bind(f"{short}/{self._name}")
        except BaseException:
            bell.close()
            raise
        self._socket = bell
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        bell, self._socket = self._socket, None
        if bell is None:
            return
        bell.close()
        with suppress(OSError):
            self._path.unlink()

    def wait(self, timeout: float) -> bool:
        """True at once if it was rung since the last wait or drain; False after `timeout` seconds without a ring."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        if not poll.poll(max(timeout, 0.0) * 1000):
            return False
        self.drain()
        return True

    def fileno(self) -> int:
        """Readable while there is a ring that nobody has drained: for `loop.add_reader` and the like."""
        return self._bell.fileno()

    def drain(self) -> None:
        """Forget the rings so far. Drain before looking, never after: else a ring in between is lost."""
        with suppress(BlockingIOError):
            while True:
                self._bell.recv(1)

    def press(self) -> None:
        """Ring this bell only, from any thread of the process that listens."""
        with _short_path(self._directory) as short:
            _press(f"{short}/{self._name}")

    @property
    def directory(self) -> Path:
        return self._directory

    @property
    def _path(self) -> Path:
        return self._directory / self._name

    @property
    def _bell(self) -> socket.socket:
        if self._socket is None:
            raise RuntimeError(f"the {self._role} doorbell is used outside of its `with` block")
        return self._socket


def ring(directory: Path, *roles: str) -> None:
    """Ring every process that listens for one of these roles, in their order.

    Never raises and never blocks; nobody listening is fine.
    """
    try:
        with _short_path(directory) as short:
            names = [name for name in os.listdir(short) if name.endswith(_SUFFIX)]
            for role in roles:
                for name in names:
                    if name.split(".", 1)[0] == role:
                        _ring_one(f"{short}/{name}")
    except FileNotFoundError:
        return
    except OSError:
        log.debug("The doorbells of %s could not be rung", ", ".join(roles), exc_info=True)


def _ring_one(path: str) -> None:
    try:
        _press(path)
    except OSError as error:
        if error.errno != errno.ECONNREFUSED:
            log.debug("The doorbell %s could not be rung: %s", path, error)
            return
        # Nothing is bound to it any more: its process was killed.
        with suppress(OSError):
            os.unlink(path)


def _press(path: str) -> None:
    # A full buffer means that the bell is ringing already.
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as hand,
        suppress(BlockingIOError),
    ):
        hand.sendto(b"\0", path)


@contextmanager
def _short_path(directory: Path) -> Iterator[str]:
    """Another name of `directory`, short enough for a socket in it: Linux allows 107 bytes for a whole path."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
