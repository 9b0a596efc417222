"""What docs/log-tail.md shows of the lines of a log and of its search is typed into a shell here."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from jobs import logs
from jobs.log_search_views import searchers
from jobs.logs import Record
from jobs.states import State
from tests import build
from tests.docs.tables import DOCS
from tests.serving import Site, do

PAGE = (DOCS / "log-tail.md").read_text().split("## Lines, their times and levels")[1]
SHOWN = re.compile(r"```sh\n(?P<command>curl .*?)```(?:\n\n```json\n(?P<answer>.*?)```)?", re.DOTALL)


@pytest.fixture
def number(site: Site) -> Iterator[int]:
    """Of the job whose log is shown."""

    def write() -> int:
        running = build.job(state=State.RUNNING, device="qemu02")
        greeting, fault = ("target", "hello from the device"), ("error", "it does not boot")
        lines = [*[("info", "one")] * 16, greeting, *[("debug", "more")] * 110, fault]
        records = [Record(time=datetime(2026, 3, 1), level=level, message=line) for level, line in lines]
        logs.append(running.log_directory(), 0, records)
        return int(running.pk)

    yield do(write)
    searchers.close()


def typed(command: str, site: Site, number: int) -> dict[str, Any]:
    command = command.replace("curl ", "curl --silent --show-error --fail ")
    command = command.replace(":8000/job/2/", f":{site.port}/job/{number}/")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_each_command_answers_with_the_keys_that_are_shown(site: Site, number: int) -> None:
    lines, search, next_error = SHOWN.finditer(PAGE)

    found = typed(lines["command"], site, number)
    assert found.keys() == json.loads(lines["answer"]).keys()
    assert found["levels"] == "iii"

    hits = typed(search["command"], site, number)
    assert hits.keys() == json.loads(search["answer"]).keys()
    assert [(hit["line"], hit["text"]) for hit in hits["hits"]] == [(17, "hello from the device")]
    assert hits["hits"][0].keys() == json.loads(search["answer"])["hits"][0].keys()

    assert [hit["line"] for hit in typed(next_error["command"], site, number)["hits"]] == [128]
