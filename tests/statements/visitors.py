"""Who comes to a running lab: programs with a token, people with a session, and who looks into its files."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing, suppress
from datetime import UTC, datetime
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.lab import Lab, eventually

CSRF = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
JSON = "application/json"
TO_END = 60.0  # seconds that a short job may need on a busy machine


def definition(name: str, *steps: str, **top: Any) -> str:
    """Of a job for this machine; `top` are keys of the top level that replace these, or None to leave one out."""
    metadata = {"format": "Lava-Test Test Definition 1.0", "name": "inline"}
    repository = {"metadata": metadata, "run": {"steps": list(steps)}}
    test = {"from": "inline", "name": "inline", "path": "inline/inline.yaml", "repository": repository}
    job = {
        "job_name": name,
        "device_type": "local",
        "visibility": "public",
        "timeouts": {"job": {"minutes": 5}, "action": {"minutes": 5}},
        "actions": [{"test": {"definitions": [test]}}],
    }
    told = {key: value for key, value in (job | top).items() if value is not None}
    return str(yaml.safe_dump(told, sort_keys=False))


def submit(lab: Lab, name: str, *steps: str, **top: Any) -> int:
    """The number of the new job; the keywords are those of `definition`."""
    body = json.dumps({"definition": definition(name, *steps, **top)}).encode()
    status, answer = lab.request("POST", "/api/v0.2/jobs/", body, JSON)
    assert status == 201, answer
    number: int = json.loads(answer)["job_ids"][0]
    return number


def job(lab: Lab, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.get(f"/api/v0.2/jobs/{number}/", token="")[1])
    return found


def log(lab: Lab, number: int, *, attempt: int | None = None) -> str:
    query = "" if attempt is None else f"?attempt={attempt}"
    return lab.get(f"/job/{number}/log{query}", token="")[1].decode()


def log_directory(lab: Lab, number: int) -> Path:
    (found,) = lab.data.glob(f"logs/*/*/*/{number}/1")
    return found


def has_printed(lab: Lab, number: int, text: str) -> bool:
    return eventually(lambda: f"{text}\n" in log(lab, number), TO_END)


def has_ended(lab: Lab, number: int, seconds: float = TO_END) -> bool:
    return eventually(lambda: job(lab, number)["state"] == "Finished", seconds)


def rows(lab: Lab, query: str) -> list[dict[str, Any]]:
    """What the SQLite database of the lab answers."""
    with closing(sqlite3.connect(lab.data / "lava_lite.sqlite3", timeout=20)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def times_of(lab: Lab, number: int) -> dict[str, float]:
    """Unix time of each event of a job, by its type; `free` is when its last device was idle again."""
    events = rows(lab, f"SELECT type, time, data FROM events_event WHERE job_id = {number}")
    found = {event["type"]: _unix(event["time"]) for event in events}
    device = job(lab, number)["actual_device"]
    *_, idle = rows(
        lab,
        "SELECT time FROM events_event WHERE type = 'device.changed'"
        f" AND subject = '{device}' AND json_extract(data, '$.job') = {number}"
        " AND json_extract(data, '$.state') = 'Idle' ORDER BY id",
    )
    return {**found, "free": _unix(idle["time"])}


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def processes_of(lab: Lab) -> dict[int, str]:
    """Command lines of what runs below the data directory: runners, and what jobs have started."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if str(lab.data) in command or os.readlink(directory / "cwd").startswith(str(lab.data)):
                found[int(directory.name)] = command
    return {pid: command for pid, command in found.items() if pid not in lab.pids().values()}


class Person:
    """Somebody with a browser: cookies, and forms that are sent with the token that their page has."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def log_in(self) -> None:
        """As the administrator, on the page that the admin site shows to strangers."""
        address = "/admin/login/?next=/admin/"
        status, page = self.send(address, address, username="admin", password=self._lab.password)
        assert status == 200
        assert "Log out" in page, page

    def get(self, path: str) -> tuple[int, str]:
        return self._open(urllib.request.Request(f"{self._lab.url}{path}"))

    def send(self, page: str, path: str, **fields: Any) -> tuple[int, str]:
        """Open `page`, then send its form to `path`; status and text of the page that it leads to."""
        _, text = self.get(page)
        token = CSRF.search(text)
        assert token is not None, f"{page} has no form: {text}"
        form = urlencode({"csrfmiddlewaretoken": token[1], **fields}, doseq=True).encode()
        return self._open(urllib.request.Request(f"{self._lab.url}{path}", data=form))

    def _open(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self._opener.open(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
