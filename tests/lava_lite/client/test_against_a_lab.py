"""A new user's first hour with the command line, against a whole lab."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import Lab, lab

__all__ = ["lab"]

pytestmark = pytest.mark.lab

COMMAND = Path(sys.executable).with_name("lava-lite")
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"

Type = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def type_(lab: Lab, tmp_path: Path) -> Type:
    """Type a command, as whoever has logged in."""
    environment = {**lab.environment, "XDG_CONFIG_HOME": str(tmp_path / "config")}

    def type_(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *words], env=environment, input=stdin, capture_output=True, text=True, timeout=90
        )

    return type_


def log_in(type_: Type, user: str, password: str) -> None:
    done = type_("token", "login", "--user", user, "--password-stdin", stdin=f"{password}\n")
    assert done.returncode == 0, done.stderr


def test_a_job_is_run_and_found_out_about(lab: Lab, type_: Type) -> None:
    log_in(type_, "admin", lab.password)

    ran = type_("job", "run", str(EXAMPLES / "failing.yaml"))
    number = ran.stderr.split()[1].rstrip(":")
    logged = type_("job", "log", number)
    shown = type_("job", "show", number, "--json")
    failed = type_("job", "results", number, "--result", "fail", "--suite", "0_storage", "--json")
    listed = type_("job", "list", "--outcome", "fail", "--json")

    assert ran.returncode == 1
    assert "ERROR: block 23: checksum" in ran.stdout
    assert logged.stdout == ran.stdout
    assert json.loads(shown.stdout)["reason"] in ran.stderr
    assert [row["name"] for row in json.loads(failed.stdout)] == ["checksums"]
    assert [row["id"] for row in json.loads(listed.stdout)] == [int(number)]


def test_a_definition_is_changed_and_run_again(lab: Lab, type_: Type) -> None:
    log_in(type_, "admin", lab.password)
    text = type_("job", "definition", "1").stdout

    faulty = type_("job", "submit", "-", stdin=text.replace("visibility: public", "visibility: pubic"))
    mended = type_("job", "submit", "-", stdin=text)
    number, address = mended.stdout.split()
    ended = type_("job", "wait", number)

    assert (faulty.returncode, faulty.stdout) == (2, "")
    assert faulty.stderr.startswith("standard input:")
    assert "visibility" in faulty.stderr
    assert address == f"{lab.url}/job/{number}/"
    assert (ended.returncode, ended.stdout) == (0, f"{number}\tpass\n")


def test_a_job_is_canceled_and_says_why(lab: Lab, type_: Type) -> None:
    log_in(type_, "admin", lab.password)
    number = type_("job", "submit", str(EXAMPLES / "one-minute.yaml")).stdout.split()[0]

    canceled = type_("job", "cancel", number, "--reason", "seen enough")
    ended = type_("job", "wait", number)

    assert canceled.returncode == 0
    assert (ended.returncode, ended.stdout) == (4, f"{number}\tcanceled: seen enough\n")


def test_a_group_is_run_and_followed(lab: Lab, type_: Type) -> None:
    log_in(type_, "admin", lab.password)

    ran = type_("job", "run", str(EXAMPLES / "two-roles.yaml"))
    first = ran.stderr.split()[1].rstrip(":")
    second = f"{first.removesuffix('.0')}.1"
    shown = type_("job", "show", second)

    assert (ran.returncode, first[-2:]) == (0, ".0")
    assert {line.partition(" | ")[0] for line in ran.stdout.splitlines()} == {first, second}
    assert re.search(rf"^{first} \| I am the server of this group", ran.stdout, re.MULTILINE)
    assert re.search(rf"^{second} \| I am a client, as job \d+, and I say hello", ran.stdout, re.MULTILINE)
    assert "role\tclient\n" in shown.stdout


def test_a_group_is_canceled_by_the_number_of_one_of_its_jobs(lab: Lab, type_: Type) -> None:
    log_in(type_, "admin", lab.password)
    text = (EXAMPLES / "two-roles.yaml").read_text().replace("uname -a", "sleep 60")

    submitted = type_("job", "submit", "-", stdin=text)
    first, _, second, _ = submitted.stdout.split()
    canceled = type_("job", "cancel", second, "--reason", "seen enough")
    ended = type_("job", "wait", first, second)

    assert canceled.returncode == 0
    assert (ended.returncode, ended.stdout) == (
        4,
        f"{first}\tcanceled: seen enough\n{second}\tcanceled: seen enough\n",
    )


def test_a_device_is_held_for_longer_and_given_back(lab: Lab, type_: Type) -> None:
    log_in(type_, "admin", lab.password)

    held = type_(
        "device", "reserve", "local-02", "--for", "1h", "--purpose", "looking around", "--wait", "--json"
    )
    number = str(json.loads(held.stdout)["id"])
    extended = type_("reservation", "extend", number, "--by", "30min", "--json")
    listed = type_("reservation", "list")
    released = type_("reservation", "release", number, "--json")

    assert json.loads(held.stdout)["device"] == "local-02"
    assert json.loads(extended.stdout)["deadline"] > json.loads(held.stdout)["deadline"]
    assert listed.stdout.split("\t")[:4] == [number, "Running", "local-02", "admin"]
    assert json.loads(released.stdout)["health"] == "Complete"


def test_devices_are_taken_out_and_put_back(lab: Lab, type_: Type) -> None:
    log_in(type_, "admin", lab.password)

    half = type_("device", "maintenance", "local-01", "nosuch", "--reason", "new cables")
    none = type_("device", "list", "--health", "Maintenance")
    out = type_("device", "maintenance", "local-01", "local-02", "--reason", "new cables")
    shown = type_("device", "show", "local-01")
    back = type_("device", "good", "local-01", "local-02", "--json")

    assert (half.returncode, none.stdout) == (5, "")
    assert out.returncode == 0
    assert "reason\tnew cables\nby\tadmin\n" in shown.stdout
    assert [row["health"] for row in json.loads(back.stdout)] == ["Good", "Good"]


def test_a_user_is_added_and_may_do_what_his_token_may(lab: Lab, type_: Type) -> None:
    log_in(type_, "admin", lab.password)
    added = type_("user", "add", "alice")
    changed = type_("user", "password", "alice")
    old, new = (done.stdout.rpartition("\t")[2].strip() for done in (added, changed))

    wrong = type_("token", "login", "--user", "alice", "--password-stdin", stdin=f"{old}\n")
    log_in(type_, "alice", new)
    who = type_("whoami", "--json")
    secret = type_("token", "add", "reads only", "--scope", "read").stdout.strip()
    type_("token", "login", "--with-token", stdin=secret)
    refused = type_("job", "submit", str(EXAMPLES / "hello.yaml"))
    users = type_("user", "list")

    assert wrong.returncode == 5
    assert json.loads(who.stdout)["user"] == "alice"
    assert (refused.returncode, users.returncode) == (5, 5)


def test_whoever_is_locked_out_gets_in_without_a_server(lab: Lab, type_: Type) -> None:
    lab.stop()
    rescued = type_("user", "password", "admin", "--local")
    lab.start()

    log_in(type_, "admin", rescued.stdout.rpartition("\t")[2].strip())

    assert json.loads(type_("whoami", "--json").stdout)["is_superuser"]


def test_a_server_is_examined_from_outside(lab: Lab, type_: Type) -> None:
    log_in(type_, "admin", lab.password)

    done = type_("doctor", "--server", lab.url)

    assert done.returncode == 0
    assert {line.split()[0] for line in done.stdout.splitlines()} == {"ok"}
    assert "good for admin" in done.stdout


def test_a_job_is_waited_for_and_its_events_are_followed(lab: Lab, type_: Type) -> None:
    log_in(type_, "admin", lab.password)
    number = type_("job", "submit", str(EXAMPLES / "one-minute.yaml")).stdout.split()[0]

    running = type_("events", "wait", "job", number, "--state", "Running", "--timeout", "60")
    late = type_("events", "wait", "job", number, "--timeout", "0.5")
    type_("job", "cancel", number)
    missed = type_("events", "wait", "job", number, "--state", "Running", "--timeout", "60")
    with subprocess.Popen(
        [COMMAND, "events", "tail", "--since", "0", "--filter", f"job.# job={number}"],
        env=lab.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as tail:
        assert tail.stdout is not None
        types = [tail.stdout.readline().split("\t")[2] for _ in range(3)]
        tail.send_signal(signal.SIGINT)

    assert (running.returncode, running.stdout) == (0, f"{number}\tRunning\n")
    assert (late.returncode, missed.returncode, tail.returncode) == (124, 7, 130)
    assert types == ["job.submitted", "job.scheduled", "job.started"]
