"""What a lab needs for itself alone: its data directory and its ports. All is claimed before anything is started."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK_NAME = "lab.lock"
# When a lab is killed, its processes hold the lock until they have noticed.
PATIENCE = 5.0
BACKLOG = 1024


class NotStarted(Exception):
    """The lab cannot be started; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The lock on a data directory: held until it is let go, or every process that inherited it has ended."""

    descriptor: int

    def release(self) -> None:
        os.close(self.descriptor)


def claim_directory(directory: Path, address: str) -> Lock:
    """Make the directory if it is missing and lock it for a lab at `address`. NotStarted if it cannot be had."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NotStarted(unusable(directory, error)) from error
    try:
        _lock(descriptor, directory)
        _describe(descriptor, address)
    except OSError as error:
        os.close(descriptor)
        raise NotStarted(unusable(directory, error)) from error
    except BaseException:
        os.close(descriptor)
        raise
    return Lock(descriptor=descriptor)


def running_lab(directory: Path) -> str | None:
    """The address of the lab that runs on this data directory."""
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return str(_read(descriptor).get("address", "")) or None
    finally:
        os.close(descriptor)
    return None


def unusable(directory: Path, error: OSError) -> str:
    """What to say of a data directory that cannot be written."""
    return (
        f"The data directory {directory} cannot be used: {error.strerror}.\n"
        "Mend that, or name another one: lava-lite up --data DIRECTORY (or LAVA_LITE_DATA=DIRECTORY make run)"
    )


def _lock(descriptor: int, directory: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = _read(descriptor)
            if _is_alive(holder.get("pid")) or time.monotonic() > deadline:
                raise NotStarted(_taken(directory, holder)) from None
            time.sleep(0.05)


def _taken(directory: Path, holder: dict[str, Any]) -> str:
    pid, address = holder.get("pid", "unknown"), holder.get("address", "an unknown address")
    return (
        f"A lab is running on the data directory {directory} already: process {pid}, {address}\n"
        f"Use that one, or stop it (Ctrl-C where it runs, or kill {pid}), "
        "or start a second lab on a directory and ports of its own:\n"
        "  EVENT_SOCKET=tcp://127.0.0.1:5501 lava-lite up --data DIRECTORY --port 8001"
    )


def _describe(descriptor: int, address: str) -> None:
    text = json.dumps({"pid": os.getpid(), "address": address}).encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)


def _read(descriptor: int) -> dict[str, Any]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        # Its holder has locked it and not written yet.
        return {}
    return holder if isinstance(holder, dict) else {}


def _is_alive(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def listen(host: str, port: int) -> socket.socket:
    """The socket that browsers and clients connect to. NotStarted if the address cannot be had."""
    remedy = f"PORT={port + 1} make run, or lava-lite up --port {port + 1}"
    listener = _bind(host, port, f"Port {port}", remedy)
    # Else the end of each answer waits 40 ms for the client to acknowledge its beginning.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def check_event_socket(address: str) -> None:
    """NotStarted if the ZMQ socket could not be bound to its address later."""
    scheme, _, rest = address.partition("://")
    if scheme != "tcp":
        return
    host, _, text = rest.rpartition(":")
    if not text.isdigit():
        raise NotStarted(f"EVENT_SOCKET: expected tcp://ADDRESS:PORT, got {address!r}")
    port = int(text)
    remedy = f"EVENT_SOCKET={scheme}://{host}:{port + 1} make run"
    host = "" if host == "*" else host.strip("[]")
    _bind(host, port, f"Port {port} for events (EVENT_SOCKET)", remedy).close()


def _bind(host: str, port: int, what: str, remedy: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"{what} on {host or 'this machine'} is taken by another program. Choose another: {remedy}"
        else:
            text = f"{what} on {host or 'this machine'} cannot be used: {error.strerror}. Choose another: {remedy}"
        raise NotStarted(text) from error
