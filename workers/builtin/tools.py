"""Programs of this machine that the worker itself uses for a job: git, ssh, docker."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from workers.builtin.job_end import JobEnd
from workers.builtin.processes import MARK
from workers.messages import ErrorType

_LOOK: Final = 0.02  # seconds between two looks at a program that runs
_LONGEST_OUTPUT: Final = 64 * 1024


class TookTooLong(Exception):
    """The program did not end in time, and was ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    exit_code: int
    output: str  # standard output and error

    @property
    def last_words(self) -> str:
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return " / ".join(lines[-5:]) or "it said nothing"


def environment(mark: str, **more: str) -> dict[str, str]:
    """Little of our own, in plain English; the mark, so that the program is found when its job ends."""
    user = os.getuid()
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": _home(user),
        MARK: mark,
        **more,
    }
    run = f"/run/user/{user}"
    return variables | ({"XDG_RUNTIME_DIR": run} if Path(run).is_dir() else {})


def run(
    command: Sequence[str],
    variables: Mapping[str, str],
    *,
    timeout: float,
    stdin: IO[bytes] | None = None,
    directory: Path | None = None,
    check: Callable[[], object] = lambda: None,
) -> Ended:
    """Raises TookTooLong, JobEnd if there is no such program, and whatever `check` raises; then it is ended."""
    with tempfile.TemporaryFile() as output:
        process = start(
            command, variables, stdin=stdin or subprocess.DEVNULL, output=output, directory=directory
        )
        deadline = time.monotonic() + timeout
        try:
            while process.poll() is None:
                check()
                if time.monotonic() > deadline:
                    raise TookTooLong(f"{command[0]} did not end within {timeout:.0f} seconds")
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Ended(exit_code=process.returncode, output=_text(output))


def start(
    command: Sequence[str],
    variables: Mapping[str, str],
    *,
    stdin: IO[bytes] | int,
    output: IO[bytes] | int,
    directory: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Raises JobEnd if there is no such program."""
    try:
        return subprocess.Popen(
            command,
            env=dict(variables),
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise JobEnd(
            ErrorType.CONFIGURATION, f"The worker's machine has no program {command[0]!r}: install it there."
        ) from None


def _text(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LONGEST_OUTPUT))
    return file.read().decode(errors="replace")


def _home(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_dir
    except KeyError:
        return "/"
