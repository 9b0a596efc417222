"""The container executor: each job in a fresh container, by docker's command line or podman's."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from workers.builtin import tools
from workers.builtin.directory import JobDirectory
from workers.builtin.executors.base import Task
from workers.builtin.executors.far import Far
from workers.builtin.job_end import JobEnd
from workers.messages import ErrorType

_ROOT: Final = "/lava-lite"
_LABEL: Final = "lava-lite.job"  # its value is the mark of the job
_LOG: Final = "container.log"
_READY: Final = "lava-lite-ready"
_NO_SHELL: Final = (126, 127)  # how `run` ends when the image does not have what is to be run
_REMOVE_LIMIT: Final = 60.0  # seconds
_LOOKS: Final = 3  # a daemon may be making the container just now
_PAUSE: Final = 0.5
_LOOK: Final = 0.02


class Container(Far):
    """The first process of the container waits for the end of its input, which comes with the end of the runner,
    however that happens; then the container ends, and is removed. Its label finds it where that was not enough.
    """

    program: str

    def __init__(self, task: Task) -> None:
        super().__init__(task, _ROOT)
        self._name = f"lava-lite-{task.mark}"
        self._settings = task.settings
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> str:
        return f"the container of {self._settings['image']}"

    @classmethod
    def clear(cls, settings: Mapping[str, Any], mark: str, directory: JobDirectory) -> str:
        trouble = ""
        for look in range(_LOOKS):
            if look:
                time.sleep(_PAUSE)
            trouble = cls._remove(mark)
        return f"The container of the job could not be removed: {trouble}" if trouble else ""

    @classmethod
    def _remove(cls, mark: str) -> str:
        """What went wrong, or an empty text if there is none any more."""
        variables = tools.environment(mark)
        listing = [cls.program, "ps", "--all", "--quiet", "--filter", f"label={_LABEL}={mark}"]
        try:
            found = tools.run(listing, variables, timeout=_REMOVE_LIMIT)
            if found.exit_code or not found.output.split():
                return found.last_words if found.exit_code else ""
            removing = [cls.program, "rm", "--force", "--volumes", *found.output.split()]
            tools.run(removing, variables, timeout=_REMOVE_LIMIT)
            left = tools.run(listing, variables, timeout=_REMOVE_LIMIT)
        except (tools.TookTooLong, JobEnd) as error:
            return str(error)
        return left.last_words if left.exit_code or left.output.split() else ""

    def _arrive(self) -> None:
        image = str(self._settings["image"])
        self._task.journal.say("info", f"Starting a container of {image}")
        self._task.journal.flush()
        with open(_LOG, "wb") as log:
            self._guard = tools.start(
                self._running(image), self._variables, stdin=subprocess.PIPE, output=log
            )
        while _READY not in (said := Path(_LOG).read_text(encoding="utf-8", errors="replace")):
            self._task.check()
            if self._guard.poll() is not None:
                raise self._refused(image, self._guard.returncode, said)
            time.sleep(_LOOK)
        made = self._run(self._inside(f"mkdir {_ROOT} && chmod 777 {_ROOT}", "--user", "0"))
        if made.exit_code:
            raise JobEnd(ErrorType.CONFIGURATION, f"{_ROOT} cannot be made in {image}: {made.last_words}")

    def _refused(self, image: str, exit_code: int, said: str) -> JobEnd:
        words = tools.Ended(exit_code=exit_code, output=said).last_words
        error_type = ErrorType.CONFIGURATION if exit_code in _NO_SHELL else ErrorType.INFRASTRUCTURE
        return JobEnd(error_type, f"No container of {image} could be started: {words}")

    def _running(self, image: str) -> list[str]:
        # Its first process would not mind being asked politely.
        command = [
            self.program,
            "run",
            "--interactive",
            "--rm",
            "--stop-signal=SIGKILL",
            f"--name={self._name}",
        ]
        command += [f"--label={_LABEL}={self._task.mark}", f"--label={_LABEL}-id={self._task.job_id}"]
        command.append(f"--pull={self._settings.get('pull', 'missing')}")
        for name, value in self._settings.get("options", {}).items():
            option = f"--{name.replace('_', '-')}"
            command += [f"{option}={one}" for one in (value if isinstance(value, list) else [value])]
        return [*command, "--entrypoint=/bin/sh", image, "-c", f"echo {_READY}; cat > /dev/null"]

    def _command(self, script: str, *, terminal: bool = False) -> list[str]:
        return self._inside(script, *(["--tty"] if terminal else []))

    def _inside(self, script: str, *options: str) -> list[str]:
        return [self.program, "exec", "--interactive", *options, self._name, "/bin/sh", "-c", script]

    def _leave(self) -> str:
        if self._guard is None:
            return ""
        trouble = self._remove(self._task.mark)
        return f"The container of the job could not be removed: {trouble}" if trouble else ""


class Docker(Container):
    program = "docker"


class Podman(Container):
    program = "podman"
