"""Other processes that work on the database of a test, as the other processes of a lab do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import django
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).parent.parent


def start(module: str, *arguments: str) -> subprocess.Popen[str]:
    """`python -m module arguments` in the data directory and, if it calls `join_the_lab`, on the test's database."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "lava_lite.settings",
        "LAVA_LITE_DATA": str(settings.DATA),
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
    }
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(module: str, *arguments: str, timeout: float = 240) -> str:
    """What it wrote to its standard output. AssertionError if it failed or took longer than `timeout` seconds."""
    with start(module, *arguments) as child:
        try:
            output, _ = child.communicate(timeout=timeout)
        finally:
            child.kill()
    assert child.returncode == 0, f"{module} ended with {child.returncode}"
    return output


def join_the_lab() -> None:
    """Called first in such a process."""
    settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
    django.setup()
