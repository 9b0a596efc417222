"""Debian's `lava-worker`, unmodified, started as its service starts it: with an address, a name and a token."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import uuid
from contextlib import closing, suppress
from pathlib import Path

from tests.lab import eventually, is_alive

COMMAND = "/usr/bin/lava-worker"
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # Debian's Python, not the one that runs the tests
MARK = "LAVA_LITE_RING"  # in the environment of the worker and of all that it starts


class LavaWorker:
    """One worker with a directory of its own; `killed` and started again it finds there what it was doing."""

    def __init__(self, directory: Path, url: str, name: str, *options: str) -> None:
        self.name = name
        self.directory = directory
        self.directory.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self._log = self.directory / "worker.log"
        self._mark = f"{MARK}={uuid.uuid4()}"
        self._command = [
            *(COMMAND, "--name", name, "--url", url),
            *("--worker-dir", str(self.directory), "--log-file", str(self._log), "--level", "DEBUG"),
            *options,
        ]

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def environment(self) -> dict[str, str]:
        mark, _, value = self._mark.partition("=")
        return {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", mark: value}

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, *, says: str = "") -> None:
        """`says`: the line that somebody at its terminal types when it asks."""
        with (self.directory / "output").open("ab") as output:
            self.process = subprocess.Popen(
                self._command,
                cwd="/",
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        assert self.process.stdin is not None
        with self.process.stdin as terminal:
            terminal.write(f"{says}\n".encode())

    def kill(self) -> None:
        """kill -9 of the worker alone: what it started goes on, as when its service is restarted."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill_runs(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal the processes that run its jobs, as if the kernel or an administrator did."""
        for pid in self._runs():
            with suppress(ProcessLookupError):
                os.killpg(pid, number)

    def stop(self) -> None:
        """End it and all that it started; a run first gets the time to end its guest."""
        if self.is_alive:
            self.kill()
        self.kill_runs(signal.SIGTERM)
        eventually(lambda: not (self._runs() or self._marked()), 5, pause=0.1)
        self.kill_runs()
        for pid in self._marked():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _runs(self) -> list[int]:
        """Those that it has written down and that are still there. Each leads a process group."""
        database = self.directory / "db.sqlite3"
        if not database.exists():
            return []
        with closing(sqlite3.connect(database, timeout=20)) as connection:
            return [
                pid for (pid,) in connection.execute("SELECT pid FROM jobs WHERE pid > 0") if is_alive(pid)
            ]

    def _marked(self) -> list[int]:
        """All others that came of it: a run writes its title over its environment, and its guest does not."""
        mark = self._mark.encode()
        pids = [int(directory.name) for directory in Path("/proc").glob("[0-9]*")]
        return [pid for pid in pids if mark in _environment(pid).split(b"\0") and is_alive(pid)]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has ended
        return b""
