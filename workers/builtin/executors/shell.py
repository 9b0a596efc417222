"""The shell executor: commands on this machine, in a pseudo-terminal."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Final, Self

from workers.builtin.executors.base import LANGUAGE, SYSTEM_PATH, Executor, Task
from workers.builtin.executors.terminal import EndMark, Terminal
from workers.builtin.processes import MARK

_DRAIN_LIMIT: Final = 2.0  # seconds: a terminal that somebody has stopped never gives what is in it
_ENTER_GROUP: Final = '{ echo 0 > "$0"; } 2> /dev/null; exec "$@"'


class Shell(Executor):
    """Each script is a session of its own, so that its end sends no hang-up to what it left for the next one."""

    def __init__(self, task: Task) -> None:
        self.root = str(task.directory.path)
        self.processes = task.processes
        self._directory = task.directory
        self._environment = _environment(task)
        self._cgroup = task.processes.cgroup
        self._terminal = Terminal()
        self._mark = EndMark()
        self._exited_at: float | None = None

    def __enter__(self) -> Self:
        for path in (self._directory.home, self._directory.tmp):
            path.mkdir(exist_ok=True)
        os.chdir(self._directory.home)
        self._terminal.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._terminal.close()

    def fileno(self) -> int:
        return self._terminal.fileno()

    def start(self, suite: str) -> None:
        command = ["/bin/sh", "-e", str(self._directory.script(suite))]
        if self._cgroup is not None:
            command = ["/bin/sh", "-c", _ENTER_GROUP, str(self._cgroup.entrance), *command]
        self.exit_code = None
        self.is_busy = True
        self._exited_at = None
        self._mark = EndMark()
        self._terminal.spawn(command, self._environment)

    def give(self, name: str, text: str) -> None:
        path = self._directory.path / name
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)

    def read(self) -> bytes:
        data = self._terminal.read()
        self._notice_exit()
        if self._exited_at is None or not self.is_busy:
            return data
        data, code = self._mark.take(data)
        if code is not None:
            self.is_busy = False
        elif time.monotonic() - self._exited_at > _DRAIN_LIMIT:
            self.is_busy = False
            data += self._mark.give_up()
        return data

    def _notice_exit(self) -> None:
        self.exit_code = self._terminal.exit_code
        if self.is_busy and self.exit_code is not None and self._exited_at is None:
            self._exited_at = time.monotonic()
            self._terminal.say(self._mark.after(self.exit_code))


def _environment(task: Task) -> dict[str, str]:
    """Made from nothing: what the server and the worker have in theirs is none of the job's business."""
    directory = task.directory
    path = task.environment.get("PATH", SYSTEM_PATH)
    return {
        **LANGUAGE,
        "LAVA_JOB_ID": str(task.job_id),
        **task.environment,
        "PATH": f"{directory.bin}:{path}",
        "HOME": str(directory.home),
        "TMPDIR": str(directory.tmp),
        MARK: task.mark,
    }
