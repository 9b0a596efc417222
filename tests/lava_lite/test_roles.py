import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_django import Settings

from lava_lite import roles
from tests.lab import COMMAND, Lab, eventually

PROGRAM = """
import sys, threading
from lava_lite import roles

def steady(stop):
    print("ready", flush=True)
    stop.wait()
    print("steady ended", flush=True)

def fails(stop):
    if len(sys.argv) > 1:
        raise OSError("it fails")
    stop.wait()

try:
    roles._work_until_told({"steady": steady, "shaky": fails})
    print("over", flush=True)
except roles.RoleFailed as error:
    print(error, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_works_of_a_role(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        process.send_signal(number)
        output, _ = process.communicate(timeout=10)

    assert output == "steady ended\nover\n"
    assert process.returncode == 0


def test_a_work_that_fails_ends_the_role_with_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "fails"], capture_output=True, text=True, timeout=10, check=False
    )

    assert done.stdout == "ready\nsteady ended\nthe shaky ended by itself\n"
    assert "OSError: it fails" in done.stderr


@contextmanager
def alone(lab: Lab, role: str) -> Iterator["subprocess.Popen[bytes]"]:
    """One role as a process of its own; it must end cleanly."""
    with lab.errors.open("a") as errors:
        process = subprocess.Popen([COMMAND, role], env=lab.environment, stderr=errors)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.lab
def test_the_roles_also_run_as_commands_of_their_own(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.start()
    lab.stop()
    definition = Path(__file__).parents[2].joinpath("examples", "hello.yaml").read_text()
    body = json.dumps({"definition": definition}).encode()

    with alone(lab, "web"), alone(lab, "engine"), alone(lab, "worker"):
        assert eventually(lambda: answers(lab))
        status, answer = lab.request("POST", "/api/v0.2/jobs/", body, "application/json")
        assert status == 201, answer

        assert eventually(lambda: json.loads(lab.get("/job/2/log-tail?start=0")[1])["is_finished"], 40)


def answers(lab: Lab) -> bool:
    try:
        return lab.get("/")[0] == 200
    except OSError:
        return False


def test_the_worker_role_needs_no_django(tmp_path: Path) -> None:
    program = "import sys; import workers.builtin.worker, lava_lite.roles, lava_lite.cli; print('django' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout == "False\n"


@pytest.mark.parametrize(("named", "runs"), [([], False), (["print_foo"], True)], ids=["none", "one"])
def test_only_an_engine_with_plugins_follows_events_for_them(
    named: list[str], runs: bool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(roles, "_work_until_told", started.extend)
    settings.PLUGINS = named

    roles.engine()

    assert ("plugins" in started) is runs
    assert "publisher" in started
