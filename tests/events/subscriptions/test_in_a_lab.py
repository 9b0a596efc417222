"""A whole lab, and a program that consumes its events, both of which die meanwhile."""

from __future__ import annotations

import json
import subprocess
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests import build
from tests.lab import COMMAND, Lab, eventually, lab

__all__ = ["lab"]

pytestmark = pytest.mark.lab

FILTER = "job.# step.#"


class Consumer:
    """`lava-lite events consume bridge`, which appends to a file what it prints, an event at a time."""

    def __init__(self, lab: Lab, out: Path) -> None:
        words = [COMMAND, "events", "consume", "bridge", "--json", "--batch", "1"]
        with out.open("a") as file:
            self._process = subprocess.Popen(
                words,
                env=lab.environment | {"LAVA_LITE_TOKEN": lab.token},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.DEVNULL,
            )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(20)


def posted(lab: Lab, path: str, body: dict[str, Any]) -> Any:
    status, answer = lab.request("POST", path, json.dumps(body).encode(), kind="application/json")
    assert status == 201, answer
    return json.loads(answer)


def run_a_job(lab: Lab) -> int:
    number: int = posted(lab, "/api/v1/jobs/", {"definition": build.definition(device_type="local")})["id"]
    return number


def consumed(out: Path) -> list[dict[str, Any]]:
    whole, _, _ = out.read_text().rpartition("\n")  # a line may be on its way still
    return [json.loads(line) for line in whole.splitlines()]


def has_ended(out: Path, job: int) -> bool:
    ends = [event for event in consumed(out) if event["data"].get("state") == "Finished"]
    return job in [event["data"]["job"] for event in ends]


def test_a_consumer_and_a_server_that_are_killed_lose_nothing(lab: Lab, tmp_path: Path) -> None:
    out = tmp_path / "consumed.jsonl"
    begun = posted(lab, "/api/v1/subscriptions/", {"name": "bridge", "filter": FILTER})["sequence"]
    first = Consumer(lab, out)
    run_a_job(lab)
    assert eventually(lambda: out.read_text(), 60)

    first.kill()
    job = run_a_job(lab)
    second = Consumer(lab, out)
    lab.kill("web")

    try:
        assert eventually(lambda: has_ended(out, job), 120)
    finally:
        second.kill()
    numbers = [int(event["sequence"]) for event in consumed(out)]
    told = [number for number, _ in groupby(numbers)]  # one that came twice came so before the next
    _, history = lab.get(f"/api/v1/events/?since={begun}&filter={quote(FILTER)}&limit=500")
    wanted = [int(event["sequence"]) for event in json.loads(history)["events"]]
    assert told == wanted[: len(told)]


def test_a_command_runs_for_each_event_and_one_that_fails_gets_it_again(lab: Lab, tmp_path: Path) -> None:
    environment = lab.environment | {"LAVA_LITE_TOKEN": lab.token}

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, "events", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
        )

    assert typed("subscribe", "bridge", "--filter", "job.submitted job.completed").returncode == 0
    job = run_a_job(lab)
    waited = subprocess.run(
        [COMMAND, "job", "wait", str(job)], env=environment, capture_output=True, timeout=90
    )
    assert waited.returncode == 0

    failed = typed("consume", "bridge", "--once", "--exec", "cat > failed.json; exit 3")
    done = typed("consume", "bridge", "--once", "--exec", "cat >> done.jsonl; echo >> done.jsonl")

    def lag() -> int:
        """When all is fetched: what is not for it may still come after the job."""
        assert typed("consume", "bridge", "--once", "--exec", "true").returncode == 0
        return int(json.loads(typed("subscriptions", "--json").stdout)[0]["lag"])

    of_failed = json.loads((tmp_path / "failed.json").read_text())
    of_done = [json.loads(line) for line in (tmp_path / "done.jsonl").read_text().splitlines()]
    assert failed.returncode == 1
    assert f"Event {int(of_failed['sequence'])} is not acknowledged" in failed.stderr
    assert done.returncode == 0
    assert of_done[0] == of_failed
    types = [event["type"] for event in of_done if event["data"]["job"] == job]
    assert types == ["lava_lite.job.submitted", "lava_lite.job.completed"]
    assert eventually(lambda: lag() == 0)
