"""The short form of `make chaos`: a minute of it, with a fixed seed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.chaos import servers
from tests.chaos.run import Plan, run
from tests.chaos.stage import ONE_OF_EACH

# Other tests run at the same time.
SHORT = Plan(seed=20261128, seconds=60, rest=2, rate=20, cast=ONE_OF_EACH)
# Each of them more than once in a minute, and on a busy machine once at least.
WANTED = {
    "kill -9 of web",
    "kill -9 of engine",
    "kill -9 of worker",
    "kill -9 of the whole lab",
    "crash of PostgreSQL",
}


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_after_a_minute_of_chaos_everybody_has_heard_what_was_promised() -> None:
    if reason := servers.why_not():
        pytest.skip(reason)

    report = run(SHORT, lambda line: None)

    assert report.is_clean, report.story
    assert report.diary.deeds.keys() >= WANTED


def test_the_command_starts_without_a_lab() -> None:
    told = subprocess.run([sys.executable, "-m", "tests.chaos", "--help"], capture_output=True, text=True)

    assert told.returncode == 0, told.stderr
    assert "--minutes" in told.stdout
