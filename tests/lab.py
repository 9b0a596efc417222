"""A whole lab in processes of its own, started as a user starts it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("lava-lite")
SUPERVISOR = "supervisor"
ROLES = ("web", "engine", "worker")
LAST_LINE = "Ctrl-C ends it."
FOREIGN = ("DJANGO_", "LAVA_", "DATABASE_", "EVENT_", "PLUGINS", "PORT", "LISTEN", "SERVED", "DEBUG")


def eventually(condition: Callable[[], object], seconds: float = 15.0, *, pause: float = 0.01) -> bool:
    """Whether it becomes true in time; asked again after each pause."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_alive(pid: int) -> bool:
    """A process that has ended and was not waited for does not count."""
    return stat(pid)[:1] not in ([], ["Z"])


def stat(pid: int) -> list[str]:
    """State, parent and whatever else the system tells after the name of a process; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def children_of(pid: int) -> dict[str, int]:
    """The living children of a process by the name that they show."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name, _, rest = (directory / "stat").read_text().partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            if int(parent) == pid and state != "Z":
                found[name] = int(directory.name)
    return found


class Lab:
    """One data directory with its ports, and the lab that runs there now."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.settings = settings
        self.data = directory / "data"
        self.errors = directory / "errors.txt"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.zmq = f"tcp://127.0.0.1:{free_port()}"
        self.token = ""
        self.password = ""
        self.banner = ""
        self.process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return {
            **inherited,
            "LAVA_LITE_DATA": str(self.data),
            "PORT": str(self.port),
            "EVENT_SOCKET": self.zmq,
            **self.settings,
        }

    def start(self) -> None:
        """Return when the lab says that it runs, with what it showed: `banner`, and at the first start the secrets."""
        self.launch()
        self.banner = self._read_banner()
        if shown := re.search(r"password (\S+)", self.banner):
            self.password = shown[1]
        if shown := re.search(r"API token +(\w+)", self.banner):
            self.token = shown[1]

    def launch(self) -> subprocess.Popen[str]:
        """Start the command and wait for nothing."""
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [COMMAND, "up"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        return self.process

    def _read_banner(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith(LAST_LINE):
                return "".join(lines)
        raise AssertionError(f"the lab did not start:\n{self.errors.read_text()}")

    def pids(self) -> dict[str, int]:
        """By role; the supervisor is one of them. Only those that are alive."""
        assert self.process is not None
        children = children_of(self.process.pid)
        found = {role: children[f"lavalite-{role}"] for role in ROLES if f"lavalite-{role}" in children}
        if self.process.poll() is None:
            found[SUPERVISOR] = self.process.pid
        return found

    def kill(self, role: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Signal a role (or "supervisor"), and return its pid when it has ended."""
        assert eventually(lambda: role in self.pids()), f"there is no {role} to kill"
        pid = self.pids()[role]
        os.kill(pid, number)
        assert eventually(lambda: self._is_gone(pid)), f"the {role} did not end"
        return pid

    def _is_gone(self, pid: int) -> bool:
        assert self.process is not None
        if pid == self.process.pid:
            return self.process.poll() is not None
        return not is_alive(pid)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the lab as a user does; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def restart(self) -> None:
        self.stop()
        self.start()

    def get(self, path: str, *, token: str | None = None) -> tuple[int, bytes]:
        return self.request("GET", path, token=token)

    def request(
        self, method: str, path: str, body: bytes | None = None, kind: str = "", token: str | None = None
    ) -> tuple[int, bytes]:
        """Status and body, with the administrator's token unless another one (or "") is given."""
        request = urllib.request.Request(f"{self.url}{path}", data=body, method=method)
        secret = self.token if token is None else token
        if secret:
            request.add_header("Authorization", f"Token {secret}")
        if kind:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A running lab, a few seconds old; everything of it has ended after the test."""
    running = Lab(tmp_path)
    running.start()
    try:
        yield running
    finally:
        pids = running.pids()
        running.stop()
        assert eventually(lambda: not any(map(is_alive, pids.values())))
