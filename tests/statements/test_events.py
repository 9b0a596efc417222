"""Who subscribes hears of everything, once and in order, whichever database the lab has."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.events.subscriber import Heard, printing, read
from tests.lab import Lab, eventually
from tests.statements.visitors import Person, has_ended, submit

pytestmark = pytest.mark.lab

SITE = "/admin/devices/device/"
WHOLE_LIFE = [
    ("testjob", "job.submitted", "Submitted"),
    ("device", "device.changed", "Reserved"),
    ("testjob", "job.scheduled", "Scheduled"),
    ("device", "device.changed", "Running"),
    ("testjob", "job.started", "Running"),
    ("device", "device.changed", "Idle"),
    ("testjob", "job.completed", "Finished"),
]


class Ears:
    """A subscriber in another process, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.heard: list[Heard] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.heard.append(read(line))

    def of(self, key: str, value: Any) -> list[Heard]:
        return [each for each in self.heard if each.data.get(key) == value]


@contextmanager
def listening(lab: Lab, person: Person) -> Iterator[Ears]:
    """A SUB socket hears nothing before it is connected: a device is changed until that is heard of."""
    with printing(lab.zmq) as process:
        ears = Ears(process)
        assert any(is_heard(ears, person, number) for number in range(20)), "nothing is heard"
        yield ears


def is_heard(ears: Ears, person: Person, number: int) -> bool:
    change_health(person, "local-03", "good", f"try {number}")
    return eventually(lambda: ears.heard, 0.5)


def change_health(person: Person, device: str, action: str, reason: str) -> None:
    """As an administrator does it in the list of the admin site: choose, say why, confirm."""
    chosen = {"action": action, "_selected_action": device}
    status, page = person.send(SITE, SITE, **chosen)
    assert (status, 'name="reason"' in page) == (200, True)
    status, page = person.send(SITE, SITE, **chosen, confirmed="yes", reason=reason)
    assert (status, device in page) == (200, True)


@pytest.mark.parametrize("name", ["lab", "postgresql_lab"], ids=["SQLite", "PostgreSQL"])
def test_a_subscriber_hears_a_whole_job_and_a_device_put_into_maintenance_in_the_admin_site(
    name: str, request: pytest.FixtureRequest
) -> None:
    lab: Lab = request.getfixturevalue(name)
    person = Person(lab)
    person.log_in()
    assert has_ended(lab, 1)

    with listening(lab, person) as ears:
        number = submit(lab, "heard of", "echo hello", "lava-test-case greeting --result pass")
        assert has_ended(lab, number)
        change_health(person, "local-01", "maintenance", "new power supply")
        change_health(person, "local-01", "good", "has it")
        assert eventually(lambda: ears.of("reason", "has it")), ears.heard

    life = ears.of("job", number)
    assert [(each.kind, each.data["event"], each.data["state"]) for each in life] == WHOLE_LIFE
    assert life[-1].data["health"] == "Complete"
    told = [each.data["job_sequence"] for each in life if each.kind == "testjob"]
    assert told == sorted(set(told))
    assert [(each.data["health"], each.data["reason"]) for each in ears.of("device", "local-01")[-2:]] == [
        ("Maintenance", "new power supply"),
        ("Good", "has it"),
    ]
    sequences = [each.data["sequence"] for each in ears.heard]
    assert sequences == sorted(set(sequences))  # in order; LAVA's dialect has no word for steps


@pytest.mark.parametrize("name", ["lab", "postgresql_lab"], ids=["SQLite", "PostgreSQL"])
def test_a_subscriber_hears_what_a_test_and_a_program_say_of_their_own(
    name: str, request: pytest.FixtureRequest
) -> None:
    lab: Lab = request.getfixturevalue(name)
    person = Person(lab)
    person.log_in()

    with listening(lab, person) as ears:
        number = submit(lab, "flashing", """lava-test-event 'flashed: {"boards": 3}'""")
        assert has_ended(lab, number)
        body = json.dumps({"name": "reviewed", "message": "looks good"}).encode()
        status, answer = lab.request("POST", f"/api/v1/jobs/{number}/events/", body, "application/json")
        assert status == 201, answer
        assert eventually(lambda: ears.of("name", "reviewed")), ears.heard

    said = [each for each in ears.of("job", number) if each.kind == "event"]
    assert [(each.data["event"], each.data["message"], each.data.get("data")) for each in said] == [
        ("custom.flashed", 'flashed: {"boards": 3}', {"boards": 3}),
        ("custom.reviewed", "looks good", None),
    ]
