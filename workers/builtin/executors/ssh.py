"""The ssh executor: commands on another machine."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from workers.builtin import tools
from workers.builtin.directory import JobDirectory
from workers.builtin.executors.base import Task
from workers.builtin.executors.far import Far, find_script
from workers.builtin.executors.terminal import Pipes
from workers.builtin.job_end import JobEnd
from workers.messages import ErrorType

_CONTROL: Final = (
    "ssh"  # the socket of the one connection, in the job's directory: short, whatever that is called
)
_KNOWN_HOSTS: Final = "known_hosts"
_GUARD_LOG: Final = "guard.log"
_READY, _GONE = "ready", "gone"
_CONNECTION_TIMEOUT: Final = 20
_LEAVE_LIMIT: Final = 30.0  # seconds for the last processes and the directory over there
_LOOK: Final = 0.02
_STRICTNESS: Final = {"strict": "yes", "accept-new": "accept-new", "ignore": "no"}
# What is wrong with the device's dictionary or the machine's own settings, not with the network.
_MISCONFIGURED: Final = re.compile(
    r"Host key verification failed|Permission denied|no matching .* (found|method)|Bad configuration|"
    r"Bad owner or permissions|UNPROTECTED PRIVATE KEY|not accessible",
    re.IGNORECASE,
)


class Ssh(Far):
    """One connection for the whole job.

    A guard over there waits for the end of its input, which comes with the end of the runner or of the connection,
    however that happens; then it ends what the job left running and removes its directory.
    """

    # The process that holds the connection writes what all others receive. A terminal of ours that is full would
    # hold it up, and with it the calls whose answers we wait for before we read on.
    wire = Pipes

    def __init__(self, task: Task) -> None:
        super().__init__(task, _root(task.settings, task.mark))
        self._settings = task.settings
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> str:
        return _place(self._settings)

    @classmethod
    def clear(cls, settings: Mapping[str, Any], mark: str, directory: JobDirectory) -> str:
        """Over a connection of its own."""
        place, root = _place(settings), _root(settings, mark)
        _write_known_hosts(settings, directory.path)
        command = [*_ssh(settings), *_remote(settings, _clearing(mark, root))]
        variables = tools.environment(mark)
        limit = _LEAVE_LIMIT + _connection_timeout(settings)
        try:
            ended = tools.run(command, variables, timeout=limit, directory=directory.path)
        except (tools.TookTooLong, JobEnd) as error:
            return f"What the job left on {place} could not be removed: {error}"
        if _GONE in ended.output.split():
            return ""
        return f"What the job left on {place} could not be removed: {ended.last_words}"

    def _arrive(self) -> None:
        self._task.journal.say("info", f"Connecting to {self.place}")
        self._task.journal.flush()
        _write_known_hosts(self._settings, self._directory.path)
        timeout = _connection_timeout(self._settings)
        master = [*_ssh(self._settings), "-M", "-S", _CONTROL, "-N", "-f", "--", str(self._settings["host"])]
        try:
            ended = tools.run(master, self._variables, timeout=timeout + 5, check=self._task.check)
        except tools.TookTooLong:
            self.is_lost = True
            message = f"{self.place} does not answer within {timeout} seconds"
            raise JobEnd(ErrorType.INFRASTRUCTURE, message) from None
        if ended.exit_code:
            self.is_lost = True
            is_wrong = _MISCONFIGURED.search(ended.output)
            raise JobEnd(
                ErrorType.CONFIGURATION if is_wrong else ErrorType.INFRASTRUCTURE,
                f"No connection to {self.place}: {ended.last_words}",
            )
        self._post_guard()

    def _post_guard(self) -> None:
        root = shlex.quote(self.root)
        clearing = _clearing(self._task.mark, self.root)
        script = f"mkdir -m 700 {root} && echo {_READY} && cat > /dev/null\n{clearing}"
        with open(_GUARD_LOG, "wb") as log:
            self._guard = tools.start(
                self._command(script), self._variables, stdin=subprocess.PIPE, output=log
            )
        deadline = time.monotonic() + _LEAVE_LIMIT
        while _READY not in (said := _guard_words()):
            self._task.check()
            if _GONE in said or self._guard.poll() is not None or time.monotonic() > deadline:
                raise JobEnd(
                    ErrorType.INFRASTRUCTURE,
                    f"The directory {self.root} could not be made on {self.place}: {' '.join(said)}",
                )
            time.sleep(_LOOK)

    def _command(self, script: str, *, terminal: bool = False) -> list[str]:
        way = ["-S", _CONTROL, "-tt" if terminal else "-T"]
        return [*_ssh(self._settings), *way, *_remote(self._settings, script)]

    def _leave(self) -> str:
        if self._guard is None:
            return ""
        if not self.is_lost and self._relieve_guard(self._guard):
            return ""
        return self.clear(self._settings, self._task.mark, self._directory)

    def _relieve_guard(self, guard: subprocess.Popen[bytes]) -> bool:
        """Whether nothing is left over there."""
        if guard.stdin is not None:
            with suppress(OSError):
                guard.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            guard.wait(_LEAVE_LIMIT)
        return _GONE in _guard_words()


def _guard_words() -> list[str]:
    return Path(_GUARD_LOG).read_text(encoding="utf-8", errors="replace").split()


def _clearing(mark: str, root: str) -> str:
    """Says that all is gone, or nothing."""
    path = shlex.quote(root)
    remove = f"{{ chmod -R u+rwX {path}; rm -rf {path}; }} 2>/dev/null"
    return f"{find_script(mark, root)}\nkill_all; [ ! -e {path} ] || {remove}; [ -e {path} ] || echo {_GONE}"


def _root(settings: Mapping[str, Any], mark: str) -> str:
    return f"{str(settings.get('directory', '/tmp')).rstrip('/')}/lava-lite-{mark}"


def _place(settings: Mapping[str, Any]) -> str:
    place = f"{settings['user']}@{settings['host']}" if "user" in settings else str(settings["host"])
    return f"{place} (port {settings['port']})" if "port" in settings else place


def _connection_timeout(settings: Mapping[str, Any]) -> int:
    return int(settings.get("connection_timeout", _CONNECTION_TIMEOUT))


def _write_known_hosts(settings: Mapping[str, Any], directory: Path) -> None:
    if "known_hosts" in settings:
        (directory / _KNOWN_HOSTS).write_text(f"{settings['known_hosts'].strip()}\n", encoding="utf-8")


def _ssh(settings: Mapping[str, Any]) -> list[str]:
    """To be run in the job's directory."""
    strictness = settings.get("host_key", "strict")
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": _connection_timeout(settings),
        "ServerAliveInterval": 10,
        "ServerAliveCountMax": 3,
        "StrictHostKeyChecking": _STRICTNESS[strictness],
        "UpdateHostKeys": "no",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ControlPersist": "no",
        "LogLevel": "ERROR",
        "EscapeChar": "none",
    }
    if strictness == "ignore":
        options["UserKnownHostsFile"] = "/dev/null"
    elif "known_hosts" in settings:
        options |= {"UserKnownHostsFile": _KNOWN_HOSTS, "GlobalKnownHostsFile": "/dev/null"}
    if "identity_file" in settings:
        options["IdentitiesOnly"] = "yes"
    command = ["ssh", "-F", "/dev/null"]
    for name, value in {**settings.get("options", {}), **options}.items():
        command += ["-o", f"{name}={value}"]
    for key, option in (("identity_file", "-i"), ("port", "-p"), ("user", "-l")):
        if key in settings:
            command += [option, str(settings[key])]
    return command


def _remote(settings: Mapping[str, Any], script: str) -> list[str]:
    return ["--", str(settings["host"]), f"exec /bin/sh -c {shlex.quote(script)}"]
