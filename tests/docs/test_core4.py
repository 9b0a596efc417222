"""What docs/core4.md and docs/events.md show of the sockets is as the lab does it."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from django.contrib.auth.models import User

from api.core4 import dialect, frames
from api.core4.interest import Interest
from api.core4.messages import Message
from events import custom
from events.models import Event
from events.sockets import connection
from jobs import queue_now
from tests import build
from tests.docs.tables import DOCS
from tests.serving import PATIENCE, Site

PAGE = (DOCS / "core4.md").read_text()
SHOWN = [json.loads(shown) for shown in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def test_the_program_that_is_shown_hears_of_the_queue(site: Site, admin: User) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    command = [sys.executable, "-u", "-c", program.replace("PASSWORD", build.PASSWORD.replace(" ", "%20"))]
    with subprocess.Popen([*command, f"127.0.0.1:{site.port}"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        finally:
            process.kill()

    assert [line.get("name", line.get("type")) for line in lines] == ["interest", "summary"]
    assert process.wait(PATIENCE)


@pytest.mark.django_db
def test_the_frames_that_are_shown_have_the_fields_of_real_ones(alice: User) -> None:
    build.job(submitter=alice)
    now = queue_now.of(alice)
    event = Event.objects.get(type="job.submitted")

    said = custom.say("chat", "hello", by="alice", public=True)

    real = [dialect.of_queue(event, now.seen), dialect.summary(now, event.time), dialect.of_channel(said)]

    shown = [frame for frame in SHOWN if "created" in frame]
    assert [set(frame) for frame in shown] == [set(frame) for frame in real]
    assert shown[0]["data"].keys() == real[0]["data"].keys()
    assert shown[1]["data"][0].keys() == real[1]["data"][0].keys()
    assert shown[2]["name"] == real[2]["name"]


def test_what_a_client_is_shown_to_say_is_understood() -> None:
    told = [frames.read(json.dumps(frame)) for frame in SHOWN if "type" in frame]

    assert {type(each) for each in told} == {Interest, Message}


def test_every_code_with_which_a_socket_is_closed_is_explained() -> None:
    explained = set(re.findall(r"^\| (\d{4}) \|", (DOCS / "events.md").read_text(), re.MULTILINE))

    assert {str(code) for _, code in connection.CODES} | {str(connection.FAILED)} <= explained
