"""A doctor is shown labs that lack something."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from events import publisher
from events.models import Event
from lava_lite import doctor
from lava_lite.health import checks
from tests import build
from tests.lab import Lab, eventually, free_port

COMMAND = Path(sys.executable).with_name("lava-lite")


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAVA_LITE_DATA", str(tmp_path))
    monkeypatch.setenv("PORT", str(free_port()))
    monkeypatch.setenv("EVENT_SOCKET", f"tcp://127.0.0.1:{free_port()}")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    tmp_path.chmod(0o700)


def examined(
    *words: str, environment: dict[str, str] | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "doctor", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**(environment or os.environ), **more},
    )


def test_a_directory_where_no_lab_was_yet_is_in_order(ports: None, tmp_path: Path) -> None:
    done = examined("--data", str(tmp_path / "new"))

    assert (done.returncode, done.stderr) == (0, "")
    assert "is not there yet" in done.stdout
    assert "lava-lite up" in done.stdout
    assert not (tmp_path / "new").exists()


def test_a_setting_that_cannot_be_used_is_named(ports: None, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("PROT: 8001\n")

    done = examined("--json")

    last = json.loads(done.stdout)[-1]
    assert done.returncode == 1
    assert (last["what"], last["level"]) == ("settings", "bad")
    assert "there is no setting 'PROT'" in last["text"]
    assert "docs/settings.md" in last["remedy"]


def test_secrets_that_others_can_read_are_told_with_the_remedy(tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    key.write_text("x")
    key.chmod(0o644)
    tmp_path.chmod(0o777)
    lab = doctor.Lab(data=tmp_path)

    (key_found,) = doctor.secret_key(lab)
    (directory_found,) = doctor.directory(lab)

    assert (key_found.level, key_found.remedy) == ("bad", f"chmod 600 {key}")
    assert (directory_found.level, directory_found.remedy) == ("bad", f"chmod 700 {tmp_path}")


@pytest.mark.parametrize(
    ("mode", "level"), [(0o700, "ok"), (0o750, "warn"), (0o755, "warn"), (0o770, "bad"), (0o722, "bad")]
)
def test_a_directory_is_for_its_owner(tmp_path: Path, mode: int, level: str) -> None:
    tmp_path.chmod(mode)

    assert [finding.level for finding in doctor.directory(doctor.Lab(data=tmp_path))] == [level]


def test_a_file_in_the_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    (finding,) = doctor.directory(doctor.Lab(data=tmp_path / "data"))

    assert finding.level == "bad"


@pytest.mark.parametrize(("free", "level"), [(5e9, "ok"), (5e8, "warn"), (5e7, "bad")])
def test_little_space_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, level: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": free}))

    assert [finding.level for finding in doctor.space(doctor.Lab(data=tmp_path / "not" / "yet"))] == [level]


def test_a_port_that_another_program_has_is_told_with_another_one(ports: None, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = {"LISTEN": "127.0.0.1", "PORT": port}
        lab = doctor.Lab(data=tmp_path, settings=settings)
        # It takes connections and says nothing; there is no need to wait for an answer that never comes.
        lab.__dict__["answer"] = doctor.ClientError("no answer")

        (finding,) = doctor.lab_answers(lab)

    assert finding.level == "bad"
    assert "taken by another program" in finding.text
    assert f"--port {port + 1}" in finding.remedy


def test_a_check_that_fails_is_a_finding_and_the_others_go_on(tmp_path: Path) -> None:
    def secret_key(lab: doctor.Lab) -> doctor.Checks:
        raise OSError("odd disk")
        yield

    (finding,) = doctor._carefully(secret_key, doctor.Lab(data=tmp_path))

    assert (finding.what, finding.level) == ("secret key", "bad")
    assert "OSError: odd disk" in finding.text


def test_a_damaged_database_is_told(ports: None, tmp_path: Path) -> None:
    (tmp_path / "lava_lite.sqlite3").write_bytes(b"this is no database" * 100)

    rows = {row["what"]: row for row in json.loads(examined("--json").stdout)}

    assert rows["database"]["level"] == "bad"
    assert "file is not a database" in rows["database"]["text"]


def test_an_empty_database_lacks_its_migrations(ports: None, tmp_path: Path) -> None:
    (tmp_path / "lava_lite.sqlite3").touch()

    rows = {row["what"]: row for row in json.loads(examined("--json").stdout)}

    assert rows["migrations"]["level"] == "bad"
    assert "not applied yet" in rows["migrations"]["text"]


def test_a_served_lab_is_asked_what_it_needs_behind_https(ports: None, tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    key.touch(mode=0o600)
    key.write_text("too short for a served lab")

    served, plain = (json.loads(examined("--json", SERVED=word).stdout) for word in ("true", "false"))

    assert any(row["what"] == "check" and "SECRET_KEY" in row["text"] for row in served)
    assert not any("SECRET_KEY" in row["text"] for row in plain)


def test_what_others_can_read_is_told_once(ports: None, tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    key.write_text("x" * 60)
    key.chmod(0o644)

    rows = json.loads(examined("--json").stdout)

    assert [row["what"] for row in rows if str(key) in row["text"]] == ["secret key"]


@pytest.mark.django_db(transaction=True)
def test_a_transport_that_takes_no_events_is_told_with_what_is_wrong(settings: Settings) -> None:
    settings.EVENT_AMQP_ENABLED = True
    settings.EVENT_AMQP_URL = f"amqp://guest:hunter2@127.0.0.1:{free_port()}/"
    settings.EVENT_SOCKET = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        transports = [stack.enter_context(closing(transport)) for transport in publisher.configured()]
        publisher.prepare(transports)
        build.device()
        publisher.run_once(transports)

    down, well = checks.transports()

    assert (down.level, well.level) == ("warn", "ok")
    assert "amqp pulp.api.v2 takes none since" in down.text
    assert "2 wait" in down.text
    assert "Connection refused" in down.text
    assert "hunter2" not in down.text
    assert "2 so far" in well.text


@pytest.mark.django_db(transaction=True)
def test_a_transport_that_nobody_drives_is_behind(settings: Settings) -> None:
    publisher.prepare(publisher.configured())
    build.device()
    publisher.number()
    assert [finding.level for finding in checks.transports()] == ["ok"]

    Event.objects.update(time=timezone.now() - 2 * checks.BEHIND)

    (finding,) = checks.transports()
    assert finding.level == "warn"
    assert "2 events behind" in finding.text


@pytest.mark.lab
def test_a_running_lab_is_healthy_and_one_that_ended_too(lab: Lab) -> None:
    # The lab says that it runs when its pages answer; its worker comes a moment later.
    assert eventually(lambda: "local is online" in examined(environment=lab.environment).stdout)

    running = examined(environment=lab.environment)
    lab.stop()
    ended = examined(environment=lab.environment)

    assert (running.returncode, running.stderr) == (0, "")
    assert {line.split()[0] for line in running.stdout.splitlines()} == {"ok"}
    assert f"answers at {lab.url}" in running.stdout
    assert "local is online" in running.stdout
    assert ended.returncode == 0
    assert f"its port {lab.port} is free" in ended.stdout
