"""What the executors share whose commands run elsewhere: on another machine, in a container.

All that is needed over there is a POSIX shell with its usual tools (those of busybox are enough). The files of the
job are copied over; one terminal, for the whole job, belongs to a small driver that runs one script after the other;
what the scripts start is found again by its mark and by its directory.
"""

from __future__ import annotations

import os
import shlex
import signal
import tarfile
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from workers.builtin import tools
from workers.builtin.executors.base import LANGUAGE, Executor, Task
from workers.builtin.executors.terminal import COLUMNS, ROWS, EndMark, Terminal, Wire
from workers.builtin.job_end import JobEnd
from workers.builtin.processes import MARK
from workers.messages import ErrorType

COPY_LIMIT: Final = 600.0  # seconds
CALL_LIMIT: Final = 30.0  # seconds for a small thing that is done over there
_LOOK: Final = 0.02

# pids: those of the job. Where grep knows no -z, each environment is looked through by itself.
# The first to be killed must not leave the others time to fork away, so all are stopped before.
_FIND: Final = r"""
marked() {
    if printf 'a\0b' | grep -qzxF b 2>/dev/null; then
        grep -lszxF "$mark" /proc/[0-9]*/environ
        return
    fi
    for file in /proc/[0-9]*/environ; do
        if { tr '\0' '\n' < "$file"; } 2>/dev/null | grep -qxF "$mark"; then echo "$file"; fi
    done
}
pids() {
    {
        marked | sed 's|^/proc/\([0-9]*\)/.*|\1|'
        ls -ld /proc/[0-9]*/cwd 2>/dev/null | sed -n "s|.* /proc/\([0-9]*\)/cwd -> $root\(/.*\)*\$|\1|p"
    } | sort -un
}
send() {
    found=$(pids)
    [ -z "$found" ] || kill "-$1" $found 2>/dev/null
    echo $found
}
kill_all() {
    known=none
    for round in 1 2 3 4 5 6 7 8; do
        found=$(send STOP)
        [ "$found" != "$known" ] || break
        known=$found
    done
    for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -n "$(send KILL)" ] || return 0
        sleep 0.1 2>/dev/null || sleep 1
    done
    return 1
}
"""
_DRIVER: Final = r"""
stty -opost -echo rows "$3" cols "$4" 2>/dev/null
root=$1 end=$2
. "$root/environment"
# An open end of its own, so that it never reads the end of a writer instead of a line.
exec 3<> "$root/next"
printf '%s0>' "$end"
while read -r suite <&3; do
    (cd "$root/home" && exec /bin/sh -e "$root/scripts/$suite.sh" 3<&-)
    printf '%s%s>' "$end" "$?"
done
"""


class Far(Executor):
    """A subclass says how to get there."""

    wire: type[Wire] = Terminal  # on which the program runs that opens the terminal over there

    def __init__(self, task: Task, root: str) -> None:
        self.root = root
        self.processes = _FarProcesses(self)
        self._task = task
        self._directory = task.directory
        self._terminal = self.wire()
        self._mark = EndMark()
        self.is_lost = False
        self._is_open = False

    @property
    @abstractmethod
    def place(self) -> str:
        """What it is called in a message: `alice@board`."""

    @abstractmethod
    def _arrive(self) -> None:
        """Make the way, and the directory over there. Raises JobEnd."""

    @abstractmethod
    def _leave(self) -> str:
        """End what runs there and remove the directory; what went wrong, or an empty text."""

    @abstractmethod
    def _command(self, script: str, *, terminal: bool = False) -> list[str]:
        """What to run here to run a script of /bin/sh there."""

    def __enter__(self) -> Self:
        os.chdir(self._directory.path)
        try:
            self._arrive()
            self._copy()
            self._open_terminal()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def fileno(self) -> int:
        return self._terminal.fileno()

    def start(self, suite: str) -> None:
        self.exit_code = None
        self.is_busy = True
        ended = self.call(f"echo {suite} > {shlex.quote(self.root)}/next")
        if ended.exit_code:
            raise self._broken(ended.last_words)

    def give(self, name: str, text: str) -> None:
        path = shlex.quote(f"{self.root}/{name}")
        directory = shlex.quote(os.path.dirname(f"{self.root}/{name}"))
        script = (
            f"mkdir -p {directory} && printf %s {shlex.quote(text)} > {path}.part && mv {path}.part {path}"
        )
        ended = self.call(script)
        if ended.exit_code:
            raise self._broken(ended.last_words)

    def read(self) -> bytes:
        if self.is_lost:
            return b""
        data = self._terminal.read()
        if not data and self._terminal.exit_code is not None:
            raise self._broken("the terminal there has ended")
        output, code = self._mark.take(data)
        if code is not None:
            self.exit_code = code
            self.is_busy = False
        return output

    def call(self, script: str, *, stdin: IO[bytes] | None = None, limit: float = CALL_LIMIT) -> tools.Ended:
        """Run a script there. Raises JobEnd."""
        return self._run(self._command(script), stdin=stdin, limit=limit)

    def call_for_processes(self, script: str) -> tools.Ended | None:
        """A script that knows the job's processes; None if there is no way there any more."""
        if self.is_lost:
            return None
        text = find_script(self._task.mark, self.root) + script
        with suppress(JobEnd, tools.TookTooLong):
            return tools.run(self._command(text), self._variables, timeout=CALL_LIMIT)
        return None

    @property
    def _variables(self) -> dict[str, str]:
        return tools.environment(self._task.mark, TERM="dumb")

    def _run(
        self, command: list[str], *, stdin: IO[bytes] | None = None, limit: float = CALL_LIMIT
    ) -> tools.Ended:
        try:
            return tools.run(command, self._variables, timeout=limit, stdin=stdin, check=self._task.check)
        except tools.TookTooLong as error:
            raise self._broken(str(error)) from None

    def _broken(self, why: str) -> JobEnd:
        self.is_lost = True
        self.is_busy = False
        return JobEnd(ErrorType.INFRASTRUCTURE, f"{self.place} is not to be reached any more: {why}")

    def _copy(self) -> None:
        here = self._directory
        (here.path / "environment").write_text(_exports(self._task, self.root), encoding="utf-8")
        (here.path / "driver").write_text(_DRIVER, encoding="utf-8")
        archive = here.path / "files.tar"
        names = [here.bin.name, here.scripts.name, here.tests.name, "environment", "driver"]
        _pack(archive, here.path, names)
        with open(archive, "rb") as file:
            ended = self.call(self._unpacking(), stdin=file, limit=COPY_LIMIT)
        archive.unlink()
        if ended.exit_code:
            raise JobEnd(
                ErrorType.INFRASTRUCTURE,
                f"The files of the job could not be copied to {self.place}: {ended.last_words}",
            )

    def _unpacking(self) -> str:
        return f"cd {shlex.quote(self.root)} && tar xf - && mkdir home tmp && mkfifo next"

    def _open_terminal(self) -> None:
        self._terminal.open()
        self._is_open = True
        words = [self.root, self._mark.beginning.decode(), str(ROWS), str(COLUMNS)]
        script = f"exec /bin/sh {shlex.quote(f'{self.root}/driver')} {shlex.join(words)}"
        self._terminal.spawn(self._command(script, terminal=True), self._variables)
        deadline = time.monotonic() + CALL_LIMIT
        self.is_busy = True
        said = b""
        while self.is_busy:
            self._task.check()
            data = self._terminal.read()
            if time.monotonic() > deadline or (not data and self._terminal.exit_code is not None):
                raise self._broken(f"no terminal was opened there: {said.decode(errors='replace').strip()}")
            output, code = self._mark.take(data)
            self.is_busy = code is None
            said += output
            time.sleep(_LOOK)

    def _end(self) -> None:
        if self._is_open:
            self._terminal.close()
            self._is_open = False
        if trouble := self._leave():
            self._task.journal.say("warning", trouble)
        self._task.processes.kill()


class _FarProcesses:
    def __init__(self, far: Far) -> None:
        self._far = far

    def find(self) -> list[str]:
        return self._told("pids")

    def signal(self, number: signal.Signals) -> list[str]:
        return self._told(f"send {number.name.removeprefix('SIG')}")

    def kill(self, between: Callable[[], object] = lambda: None) -> bool:
        ended = self._far.call_for_processes("kill_all")
        between()
        return ended is None or ended.exit_code == 0

    def _told(self, script: str) -> list[str]:
        ended = self._far.call_for_processes(script)
        return ended.output.split() if ended is not None and ended.exit_code == 0 else []


def find_script(mark: str, root: str) -> str:
    """The functions `pids`, `send SIGNAL` and `kill_all` of a job, for a shell over there."""
    return f"mark={shlex.quote(f'{MARK}={mark_there(mark)}')} root={shlex.quote(root)}\n{_FIND}"


def mark_there(mark: str) -> str:
    """Another one than here: over there may be this machine, too."""
    return f"{mark}-there"


def _exports(task: Task, root: str) -> str:
    variables: Mapping[str, Any] = {
        **LANGUAGE,
        "LAVA_JOB_ID": task.job_id,
        **task.environment,
        "HOME": f"{root}/home",
        "TMPDIR": f"{root}/tmp",
        MARK: mark_there(task.mark),
    }
    lines = [
        f"export {name}={shlex.quote(str(value))}" for name, value in variables.items() if name != "PATH"
    ]
    path = shlex.quote(task.environment["PATH"]) if "PATH" in task.environment else '"$PATH"'
    return "\n".join([*lines, f"export PATH={shlex.quote(root)}/bin:{path}"]) + "\n"


def _pack(archive: Path, directory: Path, names: list[str]) -> None:
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in names:
            if (directory / name).exists():
                tar.add(directory / name, arcname=name, filter=_nobodys)


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whose they are here means nothing over there."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
