"""The short form of `make chaos`: a minute of it, with a fixed seed."""

from __future__ import annotations

import pytest

from tests.chaos import servers
from tests.chaos.run import run

SECONDS = 60
SEED = 20261128
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

    report = run(SECONDS, SEED, lambda line: None)

    assert report.is_clean, report.story
    assert report.diary.deeds.keys() >= WANTED
