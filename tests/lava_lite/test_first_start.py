"""A first start that is killed anywhere is completed by the next one.

The driver loads Django once and forks: one child is killed at a line of `first_start` or after an SQL statement,
the next one starts as if nothing had been, and tells what it found.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lava_lite import first_start

DRIVER = """
import json, os, shutil, signal, sys
from pathlib import Path

data = Path(sys.argv[1])
data.mkdir()
os.environ["LAVA_LITE_DATA"] = str(data)
os.environ["DJANGO_SETTINGS_MODULE"] = "lava_lite.settings"
os.environ.pop("DATABASE_URL", None)
import django
django.setup()
from django.conf import settings
from django.core import management
from django.db import connection
from lava_lite import first_start
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

class Point:
    def __init__(self, at):
        self.at, self.seen, self.places = at, 0, set()
    def passed(self):
        self.seen += 1
        if self.seen == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
    def after_statement(self, execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        self.passed()
        return result
    def at_line(self, frame, event, argument):
        if frame.f_code.co_filename != first_start.__file__:
            return None
        place = (frame.f_code, frame.f_lineno)
        if event == "line" and place not in self.places:
            self.places.add(place)
            self.passed()
        return self.at_line

def start():
    first_start.make_key(data)
    first_start.set_up(data)
    return first_start.secrets_to_show(data)

def untraced(work):
    def run(*arguments, **options):
        # Millions of calls that are none of first_start's.
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return work(*arguments, **options)
        finally:
            sys.settrace(tracer)
    return run

def killed(kind, at):
    point = Point(at)
    if kind == "line":
        management.call_command = untraced(management.call_command)
        sys.settrace(point.at_line)
        start()
        sys.settrace(None)
    else:
        with connection.execute_wrapper(point.after_statement):
            start()
    return {"points": point.seen}

def found():
    unseen = start()
    from accounts.models import Token
    from devices.models import Device, Worker
    from django.contrib.auth.models import Permission, User
    from events.models import Event
    from jobs.models import Job
    admin = User.objects.get()
    return {
        "key": len((data / "secret.key").read_text()) > 40,
        "password": admin.check_password(unseen.password),
        "token": Token.of(unseen.token).user.username,
        "worker": Worker.objects.get().has_token((data / "worker" / "token").read_text()),
        "devices": [str(device) for device in Device.objects.order_by("name")],
        "jobs": [job.description for job in Job.objects.all()],
        "job": unseen.job,
        "events": sorted(Event.objects.values_list("type", flat=True)),
        "permissions": Permission.objects.filter(codename="change_job").count(),
        "left": sorted(path.name for path in data.iterdir() if path.name.endswith(".new")),
    }

def in_child(work, *arguments):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, json.dumps(work(*arguments)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as output:
        text = output.read()
    _, status = os.waitpid(pid, 0)
    return {**json.loads(text or "{}"), "ended": os.waitstatus_to_exitcode(status)}

for line in sys.stdin:
    kind, at = line.split()
    shutil.rmtree(data)
    data.mkdir()
    first = in_child(killed, kind, int(at))
    print(json.dumps([first, in_child(found)]), flush=True)
"""

NEVER = 0
WHOLE = {
    "key": True,
    "password": True,
    "token": "admin",
    "worker": True,
    "devices": ["local-01", "local-02", "local-03"],
    "jobs": ["Hello from your lab"],
    "job": 1,
    "permissions": 1,
    "left": [],
    "ended": 0,
}


class Driver:
    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(directory / "lab")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, kind: str, at: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """What became of the first start that was killed at a point, and what the second one found."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(kind, at, file=self.process.stdin, flush=True)
        first, second = json.loads(self.process.stdout.readline())
        return first, second

    def close(self) -> None:
        self.process.communicate(timeout=20)


@pytest.fixture
def driver(tmp_path: Path) -> Any:
    running = Driver(tmp_path)
    yield running
    running.close()


def test_an_undisturbed_first_start_makes_a_whole_lab(driver: Driver) -> None:
    first, second = driver.ask("line", NEVER)

    assert first["ended"] == 0
    assert {key: second[key] for key in WHOLE} == WHOLE


# Most statements are of migrations, and all alike; most lines are of what the lab begins with.
@pytest.mark.long
@pytest.mark.parametrize(("kind", "chosen"), [("line", 16), ("statement", 10)])
def test_killed_at_any_point_it_is_completed_by_the_next_start(
    driver: Driver, kind: str, chosen: int
) -> None:
    undisturbed, expected = driver.ask(kind, NEVER)
    points = undisturbed["points"]

    for at in range(points, 0, -max(points // chosen, 1)):
        first, second = driver.ask(kind, at)

        assert first["ended"] == -signal.SIGKILL, f"{kind} {at}"
        assert second == expected, f"{kind} {at}"


def test_a_started_lab_is_left_as_it_is(tmp_path: Path) -> None:
    first_start.make_key(tmp_path)
    key = (tmp_path / "secret.key").read_text()

    first_start.make_key(tmp_path)

    assert (tmp_path / "secret.key").read_text() == key


@pytest.mark.django_db
def test_secrets_are_shown_until_they_are_forgotten(tmp_path: Path) -> None:
    first_start.set_up(tmp_path)

    shown = first_start.secrets_to_show(tmp_path)
    assert shown is not None
    assert first_start.secrets_to_show(tmp_path) == shown
    first_start.forget_secrets(tmp_path)

    assert first_start.secrets_to_show(tmp_path) is None


@pytest.mark.django_db
def test_secrets_of_another_database_are_not_shown(tmp_path: Path) -> None:
    first_start.set_up(tmp_path)
    path = tmp_path / "first-start.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "token": "of another lab"}))

    assert first_start.secrets_to_show(tmp_path) is None
    assert not path.exists()


@pytest.mark.django_db
def test_a_lab_that_somebody_uses_gets_nothing_new(tmp_path: Path, admin: object) -> None:
    from devices.models import Device

    first_start.set_up(tmp_path)

    assert not Device.objects.exists()
    assert first_start.secrets_to_show(tmp_path) is None
