"""What the README shows is typed into a shell here, against a running lab."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.tables import DOCS
from tests.lab import Lab, eventually

pytestmark = pytest.mark.lab

ROOT = DOCS.parent
ADDRESS = "http://127.0.0.1:8000"
EVENTS = "tcp://127.0.0.1:5500"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands() -> list[str]:
    lines = "\n".join(blocks(ROOT / "README.md", "sh")).splitlines()
    return [line for line in lines if line.startswith("curl ")]


def run(lab: Lab, command: str) -> Any:
    """The JSON that a command of the README prints."""
    done = subprocess.run(
        [
            "bash",
            "-c",
            command.replace(ADDRESS, lab.url).replace("curl ", "curl --silent --show-error --fail ", 1),
        ],
        cwd=ROOT,
        env={**os.environ, "TOKEN": lab.token},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def job(lab: Lab, number: int) -> Any:
    return json.loads(lab.get(f"/api/v0.2/jobs/{number}/")[1])


@pytest.fixture
def subscriber(lab: Lab, tmp_path: Path) -> Iterator[Path]:
    """A file that the README's subscriber prints into."""
    printed = tmp_path / "printed.txt"
    code = blocks(ROOT / "README.md", "python")[0].replace(EVENTS, lab.zmq)
    with printed.open("w") as output:
        process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=output)
    try:
        yield printed
    finally:
        process.kill()
        process.wait()


def test_curl_alone_submits_follows_and_cancels(lab: Lab) -> None:
    submit, follow, cancel = commands()

    assert run(lab, submit)["job_ids"] == [2]
    assert eventually(lambda: "120 steps, one each half second" in run(lab, follow)["content"])
    run(lab, cancel)

    assert eventually(lambda: job(lab, 2)["health"] == "Canceled")
    assert run(lab, follow)["is_finished"] is True


def test_the_subscriber_prints_the_whole_life_of_a_job(lab: Lab, subscriber: Path) -> None:
    submit, _, cancel = commands()
    # A SUB socket hears nothing before it is connected: jobs are submitted until one is heard of.
    assert any(_is_heard(run(lab, submit), subscriber) for _ in range(10))

    number = run(lab, submit)["job_ids"][0]
    run(lab, cancel.replace("/jobs/2/", f"/jobs/{number}/"))

    assert eventually(lambda: _states(subscriber, number)[-1:] == ["Finished"])
    assert _states(subscriber, number)[0] == "Submitted"


def test_the_program_of_the_quickstart_prints_a_log_to_its_end(lab: Lab) -> None:
    program = next(block for block in blocks(DOCS / "quickstart.md", "python") if "log-tail" in block)

    printed = subprocess.run(
        [sys.executable, "-c", program, f"{lab.url}/job/1/log-tail"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert printed.stderr == ""
    assert printed.stdout == lab.get("/job/1/log")[1].decode()
    assert "That was all." in printed.stdout


def test_make_knows_the_two_commands() -> None:
    makefile = (ROOT / "Makefile").read_text()

    for command in ("make run", "make test"):
        assert command in blocks(ROOT / "README.md", "sh")[0]
        assert f"\n{command.removeprefix('make ')}:" in makefile


def _is_heard(answer: Any, printed: Path) -> bool:
    return eventually(lambda: bool(_states(printed, answer["job_ids"][0])), seconds=1.0)


def _states(printed: Path, number: int) -> list[str]:
    """Those of a job, as the subscriber has printed them."""
    whole_lines = printed.read_text().rpartition("\n")[0].splitlines()
    frames = [literal_eval(line) for line in whole_lines]
    told = [json.loads(payload) for topic, *_, payload in frames if topic.endswith(b".testjob")]
    return [each["state"] for each in told if each["job"] == number]
