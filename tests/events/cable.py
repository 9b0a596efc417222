"""A line to a server that a test can cut, mend and hold."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

BLOCKED, UNBLOCKED = 60, 61  # RabbitMQ's words to those who publish, of the class connection


class Cable:
    """Forwards a port of this machine to `target`."""

    def __init__(self, target: tuple[str, int], *, buffer: int | None = None) -> None:
        """`buffer`: so many bytes may be on their way in each half, or what the system takes for right."""
        self._target = target
        self._buffer = buffer
        self._flows = threading.Event()
        self._flows.set()
        self._ends: list[tuple[socket.socket, socket.socket]] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.connections = 0  # so many there were
        self._snaps_after: int | None = None

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flows.set()
        self.cut()

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._limit(self._listener)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Whoever is connected is so no longer, and others are refused."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        ends, self._ends = self._ends, []
        for end in (end for pair in ends for end in pair):
            _close(end)

    def snap_after(self, size: int) -> None:
        """Break once, when so many bytes have gone to the server."""
        self._snaps_after = size

    @contextmanager
    def held(self) -> Iterator[None]:
        """Everybody may connect and say what he likes, and nothing of it arrives."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """As RabbitMQ when it is short of memory: it says so, and reads nothing until it has some."""
        self._say(BLOCKED, b"\x06memory")
        with self.held():
            yield
        self._say(UNBLOCKED, b"")

    def _say(self, word: int, arguments: bytes) -> None:
        method = struct.pack(">HH", 10, word) + arguments
        for client, _ in self._ends:
            client.sendall(struct.pack(">BHI", 1, 0, len(method)) + method + b"\xce")

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:  # nobody is there
            _close(client)
            return
        self._limit(server)
        self._ends.append((client, server))
        self.connections += 1
        for work in (self._send, self._answer):
            threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _limit(self, end: socket.socket) -> None:
        if self._buffer is not None:
            # What is accepted has the buffers of who accepts.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer)

    def _send(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                self._flows.wait()
                server.sendall(data[: self._snaps_after])
                if self._snaps(len(data)):
                    _close(client)
                    # Closed with answers unread, it would take back what was sent.
                    server.shutdown(socket.SHUT_WR)
                    return
        _close(client)
        _close(server)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        _close(client)
        _close(server)

    def _snaps(self, size: int) -> bool:
        if self._snaps_after is None:
            return False
        self._snaps_after = max(0, self._snaps_after - size) or None
        return self._snaps_after is None


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
