"""The session that core4's documentation shows, as it was printed: only the host is another one, and the job."""

from __future__ import annotations

import ast
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import build
from tests.lab import Lab, eventually

pytestmark = pytest.mark.lab

PATIENCE = 30.0  # seconds
ROOT = Path(__file__).resolve().parents[3]
HOST = "devops:5001"

USER = """
from requests import post, get, put

login = get("http://devops:5001/core4/api/login?username=admin&password=hans")
token = login.json()["data"]["token"]

rv = post("http://devops:5001/core4/api/v1/roles",
          headers={"Authorization": "Bearer " + token},
          json={
              "name": "test",
              "realname": "Test User",
              "email": "test@plan-net.com",
              "password": "very secret",
              "role": ["standard_user"],
              "perm": ["api://core4.api.v1.request.queue.history.*"]
          })
assert rv.status_code == 200
etag = rv.json()["data"]["etag"]
"""

HISTORY = """
from requests import post, get, put

user_login = get("http://devops:5001/core4/api/login?username=test&password=very secret")
user_token = user_login.json()["data"]["token"]

rv = get("http://devops:5001/core4/api/v1/jobs/history?token=" + user_token)
url = "http://devops:5001/core4/api/v1/jobs/history?token=" + user_token

rv = get(url + "&page=1")
rv = get(url + "&page=2")
"""

EVENTS = """
from websocket import create_connection
import json

ws = create_connection("ws://devops:5001/core4/api/v1/event?token=" + user_token)
ws.send(json.dumps({"type": "interest", "data": ["queue"]}))
print(ws.recv())
while True:
    print(ws.recv())
"""

SET_PASSWORD = (
    "from django.contrib.auth.models import User; user = User.objects.get(username='admin'); "
    "user.set_password('hans'); user.save()"
)


def typed(lab: Lab, *parts: str, print_last: bool = False) -> list[str]:
    program = "".join(parts).replace(HOST, lab.url.removeprefix("http://"))
    return [sys.executable, "-u", "-c", program + ("\nprint(rv.json())" if print_last else "")]


def run(lab: Lab, *parts: str) -> Any:
    """The answer that the last call of these got."""
    done = subprocess.run(
        typed(lab, *parts, print_last=True), capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout)


def make_administrator(lab: Lab) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", SET_PASSWORD],
        cwd=ROOT,
        env={**os.environ, **lab.environment},
        check=True,
        timeout=PATIENCE,
    )


def enqueue(lab: Lab, visibility: str) -> None:
    definition = build.definition(
        "core4.queue.helper.job.example.DummyJob",
        device_type="local",
        steps=("sleep 3",),
        visibility=visibility,
    )
    body = json.dumps({"definition": definition}).encode()
    status, answer = lab.request("POST", "/api/v0.2/jobs/", body, "application/json")
    assert status == 201, answer


def is_quiet(lab: Lab) -> bool:
    _, body = lab.get("/core4/api/v1/jobs/history")
    rows = json.loads(body)["data"]
    return bool(rows) and rows[0]["total"] == 0


@contextmanager
def listening(lab: Lab) -> Iterator[Iterator[dict[str, Any]]]:
    """What the session prints."""
    with subprocess.Popen(typed(lab, HISTORY, EVENTS), stdout=subprocess.PIPE, text=True) as process:
        lines: queue.Queue[str] = queue.Queue()
        stdout = process.stdout
        assert stdout is not None
        threading.Thread(target=lambda: [lines.put(line) for line in stdout], daemon=True).start()
        try:
            yield iter(lambda: json.loads(lines.get(timeout=PATIENCE)), None)
        finally:
            process.kill()


def until_the_queue_is_empty_again(told: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    frames = []
    was_busy = False
    for frame in told:
        frames.append(frame)
        if frame["name"] == "summary":
            if was_busy and not frame["data"]:
                return frames
            was_busy = was_busy or bool(frame["data"])
    raise AssertionError("the session ended")


def test_the_session_runs_for_a_job_that_one_may_see_and_for_a_hidden_one(lab: Lab) -> None:
    make_administrator(lab)
    assert eventually(lambda: is_quiet(lab), PATIENCE)

    assert run(lab, USER)["code"] == 200
    assert run(lab, HISTORY)["page"] == 2
    with listening(lab) as told:
        assert next(told) == {
            "data": ["queue"],
            "message": "processed interest in ['queue']",
            "type": "interest",
        }
        assert next(told)["data"] == []
        enqueue(lab, "public")
        seen = until_the_queue_is_empty_again(told)
        enqueue(lab, "personal")
        hidden = until_the_queue_is_empty_again(told)

    events = [frame for frame in seen if frame["name"] != "summary"]
    assert [event["name"] for event in events] == [
        "enqueue_job",
        "request_start_job",
        "start_job",
        "complete_job",
    ]
    assert len({event["data"]["_id"] for event in events}) == 1
    assert names_in_summaries(seen) == {"core4.queue.helper.job.example.DummyJob"}
    assert {frame["name"] for frame in hidden} == {"summary"}
    assert names_in_summaries(hidden) == {"UnauthorizedJob"}


def names_in_summaries(frames: list[dict[str, Any]]) -> set[str]:
    summaries = [frame for frame in frames if frame["name"] == "summary"]
    return {row["name"] for summary in summaries for row in summary["data"]}
