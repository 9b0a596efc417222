"""A lab to look at: its pages are served, and nothing in it moves by itself, since no engine and no worker runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import COMMAND, FOREIGN, eventually, free_port

KINDS = ("full", "empty")
PATIENCE = 60.0  # seconds, on a busy machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    url: str
    places: dict[str, int | str]  # names for the jobs and the like in addresses
    sessions: dict[str, str]  # by user name; "" is anonymous
    tokens: dict[str, str]


@contextmanager
def serving(directory: Path, kind: str) -> Iterator[Lab]:
    """`kind` is one of KINDS."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)},
        "LAVA_LITE_DATA": str(directory),
        "PORT": str(port),
    }
    contents = subprocess.run(
        [sys.executable, "-m", "tests.gallery.contents", kind],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    )
    with (directory / "errors.txt").open("w") as errors:
        web = subprocess.Popen([COMMAND, "web"], env=environment, stdout=errors, stderr=errors)
    try:
        url = f"http://127.0.0.1:{port}"
        assert eventually(lambda: _answers(url), PATIENCE), (directory / "errors.txt").read_text()
        yield Lab(url=url, **json.loads(contents.stdout))
    finally:
        web.terminate()
        web.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/login/", timeout=10):
            return True
    except OSError:  # nobody listens, or it takes its time
        return False
