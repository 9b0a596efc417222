"""A fresh clone, and the README's main command on it: a running lab with a job to watch.

Run: python -m tests.bare_start. It installs what the lab needs, so it wants a package index that answers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.lab import FOREIGN, Lab, eventually

ROOT = Path(__file__).resolve().parent.parent
MOST_SECONDS = 60.0
FIRST_OUTPUT = b"Hello! This job runs on"


class ClonedLab(Lab):
    """Started with `make run` in a clone; its data is where the README says."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.clone = directory / "clone"
        self.data = self.clone / "data"
        subprocess.run(["git", "clone", "--quiet", ROOT, self.clone], check=True)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return {**inherited, "PORT": str(self.port), "EVENT_SOCKET": self.zmq}

    def launch(self) -> subprocess.Popen[str]:
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                ["make", "run"],
                cwd=self.clone,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        return self.process


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        lab = ClonedLab(Path(directory))
        began = time.monotonic()
        lab.start()
        running = time.monotonic() - began
        has_output = eventually(lambda: FIRST_OUTPUT in lab.get("/job/1/log-tail?start=0")[1], 30)
        printed = time.monotonic() - began
        assert lab.process is not None
        os.killpg(lab.process.pid, signal.SIGINT)  # as Ctrl-C does
        code = lab.process.wait(30)
        print(  # noqa: T201
            f"make run in a fresh clone: the lab after {running:.1f} s, the first line of the first job after"
            f" {printed:.1f} s; Ctrl-C ended it with code {code}"
        )
        if not has_output or printed > MOST_SECONDS or f"{lab.url}/job/1/" not in lab.banner:
            print(lab.banner, lab.errors.read_text(), file=sys.stderr)  # noqa: T201
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
