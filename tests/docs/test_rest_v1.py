"""What docs/rest-v1.md shows is typed into a shell here, in its order, against a running lab."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.docs.tables import DOCS
from tests.lab import Lab

pytestmark = pytest.mark.lab

PAGE = (DOCS / "rest-v1.md").read_text()
ADDRESS = "http://127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def run(lab: Lab, command: str) -> Any:
    """The JSON that a command prints."""
    typed = command.replace(ADDRESS, lab.url).replace("PASSWORD", lab.password)
    done = subprocess.run(
        ["bash", "-c", typed.replace("curl ", "curl --silent --show-error ", 1)],
        cwd=DOCS.parent,
        env={**os.environ, "TOKEN": lab.token},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run_program(program: str, address: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, address], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


def test_the_page_can_be_followed_from_its_first_command_to_its_last(lab: Lab) -> None:
    login, submit, results, steps, answer, say, take_out, free, availability, history, use, refused = blocks(
        "sh"
    )
    wait, read_all = blocks("python")

    assert run(lab, login)["scope"] == "submit"
    job = run(lab, submit)
    assert run_program(wait, f"{lab.url}/api/v1/jobs/{job['id']}/").split()[0] in ("pass", "fail")
    found = run(lab, results.replace("/jobs/2/", f"/jobs/{job['id']}/"))
    assert {item["result"] for item in found["items"]} <= {"fail", "unknown"}
    assert run(lab, steps.replace("/jobs/2/", f"/jobs/{job['id']}/"))["items"]
    assert run(lab, answer.replace("/jobs/2/", f"/jobs/{job['id']}/"))["status"] == 409  # it asked nothing
    assert run(lab, say.replace("/jobs/2/", f"/jobs/{job['id']}/"))["type"] == "custom.reviewed"
    assert f"{job['id']} " in run_program(read_all, f"{lab.url}/api/v1/jobs/?state=Finished&limit=1")
    assert run(lab, history)["code"] == 200
    assert run(lab, use)["device"] == "local-01"
    assert run(lab, take_out)["health_reason"] == "the fan is loud"
    run_program(wait, f"{lab.url}/api/v1/jobs/1/")  # the first one of every lab has the device until it ends
    assert run(lab, free)["closed_since"] is None
    assert run(lab, availability)["maintenance"] == 1
    assert run(lab, refused)["faults"]
