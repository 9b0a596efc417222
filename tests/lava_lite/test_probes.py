"""What probes are told: of a lab in order, of one whose loops hang, and of a database that is away."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dj_database_url
import pytest
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import ConnectionHandler
from pytest_django import Settings

from accounts.models import Token
from core import beats
from core.beats import Pulse
from core.daemon import Daemon
from core.doorbell import Doorbell
from events import publisher
from events.models import Event
from events.transports.memory import Memory
from lava_lite.client.findings import Finding, bad, ok, warn
from lava_lite.health import checks, probes
from lava_lite.health.probes import Ready
from tests import build
from tests.lab import Lab, eventually, free_port
from tests.serving import Site

HERE = ("127.0.0.1", 4711)
ELSEWHERE = ("203.0.113.9", 4711)


def asked(
    app: Any, *, client: tuple[str, int] = HERE, method: str = "GET", **headers: str
) -> tuple[int, str]:
    """Status and body."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("a probe has no body")

    named = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "method": method, "client": client, "headers": named, "query_string": b""}
    asyncio.run(probes.reading(app)(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


def ready(*findings: Finding) -> Ready:
    return Ready(lambda: findings)


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run directory where every loop has made a pass just now."""
    settings.RUN = tmp_path
    monkeypatch.setattr(beats, "EVERY", 0.05)
    for name in checks.expected_loops():
        Pulse(tmp_path, name, poll=0.05).beat()
    return tmp_path


@contextmanager
def looping(directory: Path, name: str, pass_once: Callable[[], object]) -> Iterator[None]:
    stop = threading.Event()

    def work() -> None:
        with Doorbell(directory, "engine") as bell:
            Daemon(name, bell, poll=0.05, stop=stop, before_pass=lambda: None).run(pass_once)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def levels() -> dict[str, str]:
    """Of the loops, by the first word of what is said."""
    return {finding.text.split()[0]: finding.level for finding in checks.loops()}


def texts() -> str:
    return " ".join(finding.text for finding in checks.loops())


# What is told to whom


def test_anybody_hears_that_the_process_lives() -> None:
    assert asked(probes.healthz, client=ELSEWHERE) == (200, "ok\n")


def test_a_probe_may_ask_by_head() -> None:
    assert asked(probes.healthz, method="HEAD") == (200, "")


def test_nothing_can_be_posted_to_a_probe() -> None:
    assert asked(probes.healthz, method="POST")[0] == 405


def test_a_warning_leaves_the_lab_ready() -> None:
    status, body = asked(
        ready(ok("loop", "scheduler goes on"), warn("worker", "qemu01 is offline", "start it"))
    )

    assert status == 200
    assert json.loads(body)["status"] == "warn"


def test_one_bad_check_makes_it_red() -> None:
    status, body = asked(ready(bad("loop", "scheduler is stuck", "restart"), ok("loop", "publisher goes on")))

    assert status == 503
    assert json.loads(body)["checks"] == {"loop": "bad"}


def test_a_stranger_sees_colours_only() -> None:
    _, body = asked(ready(bad("loop", "zmq push tcp://10.0.0.7:5501 is stuck", "restart")), client=ELSEWHERE)

    assert json.loads(body) == {"status": "bad", "checks": {"loop": "bad"}}


def test_a_visitor_by_a_proxy_on_this_machine_is_a_stranger() -> None:
    _, body = asked(ready(bad("loop", "scheduler is stuck", "restart")), x_forwarded_for="203.0.113.9")

    assert "findings" not in json.loads(body)


@pytest.mark.parametrize(("is_staff", "sees"), [(True, True), (False, False)])
def test_a_token_of_staff_opens_the_details(transactional_db: None, is_staff: bool, sees: bool) -> None:
    alice = build.user("alice")
    alice.is_staff = is_staff
    alice.save()
    secret = Token.objects.issue(alice)

    _, body = asked(ready(ok("loop", "fine")), client=ELSEWHERE, authorization=f"Bearer {secret}")

    assert ("findings" in json.loads(body)) is sees


def test_a_token_that_opens_nothing_is_refused(transactional_db: None) -> None:
    status, body = asked(ready(), client=ELSEWHERE, authorization="Bearer nonsense")

    assert status == 401
    assert "unknown, expired or revoked" in body


# Loops


def test_loops_that_make_passes_are_in_order(run: Path) -> None:
    assert set(levels().values()) == {"ok"}


def test_a_loop_that_hangs_turns_red_and_is_named(run: Path, settings: Settings) -> None:
    settings.STUCK_AFTER = 0
    hanging = threading.Event()

    with looping(run, "scheduler", hanging.wait):
        assert eventually(lambda: levels()["scheduler"] == "bad")
        hanging.set()
        assert eventually(lambda: levels()["scheduler"] == "ok")


def test_a_loop_whose_passes_all_fail_turns_red_and_says_why(run: Path, settings: Settings) -> None:
    settings.STUCK_AFTER = 0

    def fail() -> None:
        raise OSError("no such board")

    with looping(run, "scheduler", fail):
        assert eventually(lambda: levels()["scheduler"] == "bad")

    assert "its passes fail: OSError: no such board" in texts()


def test_a_loop_that_never_began_is_red(run: Path) -> None:
    next(run.glob("beat.retention*")).unlink()

    assert levels()["retention"] == "bad"


def test_where_no_engine_ever_ran_that_is_a_warning(settings: Settings, tmp_path: Path) -> None:
    settings.RUN = tmp_path

    (finding,) = checks.loops()

    assert finding.level == "warn"


class Blocked(Memory):
    """Takes events, and does not come back from it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.freed = threading.Event()

    def send(self, events: Any) -> None:
        self.freed.wait()


def test_a_transport_that_hangs_turns_red_and_holds_up_no_other(
    transactional_db: None, run: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked, free = Blocked("blocked"), Memory("free")
    monkeypatch.setattr(publisher, "configured", lambda: [blocked, free])
    monkeypatch.setattr(publisher, "POLL_SECONDS", 0.05)
    for loop in checks.ENGINE_LOOPS:
        Pulse(run, loop, poll=60.0).beat()  # those that do not run here
    settings.STUCK_AFTER = 1
    wanted = {**levels(), "blocked": "bad", "free": "ok"}
    stop = threading.Event()

    def work() -> None:
        publisher.run(stop)
        connections.close_all()

    engine = threading.Thread(target=work)

    engine.start()
    try:
        assert eventually(lambda: "stuck" in texts() and levels() == wanted)
    finally:
        blocked.freed.set()
        stop.set()
        engine.join(10)


# The database


def test_a_database_that_answers_is_in_order(site: Site, run: Path) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{site.port}/readyz") as response:
        told = json.load(response)

    assert told["checks"]["database"] == "ok"
    assert told["checks"]["migrations"] == "ok"


def test_a_database_of_a_newer_version_is_told_though_it_was_in_order_before(db: None) -> None:
    (before,) = checks.migrations()

    MigrationRecorder(connection).record_applied("jobs", "9999_of_tomorrow")

    (after,) = checks.migrations()
    assert (before.level, after.level) == ("ok", "bad")
    assert "jobs.9999_of_tomorrow" in after.text


def test_what_was_applied_is_looked_through_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    (before,) = checks.migrations()
    monkeypatch.setattr(MigrationLoader, "build_graph", None)

    assert list(checks.migrations()) == [before]


def test_a_database_that_is_away_turns_it_red(
    transactional_db: None, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody_there = dj_database_url.parse(f"postgres://postgres@127.0.0.1:{free_port()}/lab")
    monkeypatch.setattr(checks, "connection", ConnectionHandler({"default": nobody_there})["default"])

    status, body = asked(Ready())

    assert (status, json.loads(body)["checks"]["database"]) == (503, "bad")
    assert json.loads(body)["checks"]["loop"] == "ok"


def test_a_database_that_hangs_is_answered_for_in_time(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()
    monkeypatch.setattr(probes, "PATIENCE", 0.05)

    status, body = asked(Ready(lambda: [ok("database", str(hanging.wait(5)))]))
    hanging.set()

    assert (status, json.loads(body)["checks"]["database"]) == (503, "bad")


def test_events_without_numbers_are_told(run: Path, settings: Settings, db: None) -> None:
    settings.STUCK_AFTER = 0
    build.device()
    Event.objects.update(sequence=None)

    (finding,) = checks.unnumbered()

    assert finding.level == "bad"


@pytest.mark.lab
def test_a_lab_whose_engine_hangs_is_not_ready_until_it_goes_on(tmp_path: Path) -> None:
    lab = Lab(tmp_path, STUCK_AFTER="1")
    lab.start()
    try:
        assert eventually(lambda: lab.get("/readyz")[0] == 200)
        engine = lab.pids()["engine"]

        os.kill(engine, signal.SIGSTOP)
        assert eventually(lambda: b"publisher is stuck" in lab.get("/readyz")[1])
        assert lab.get("/readyz")[0] == 503
        assert lab.get("/healthz") == (200, b"ok\n")

        os.kill(engine, signal.SIGCONT)
        assert eventually(lambda: lab.get("/readyz")[0] == 200)
    finally:
        lab.stop()
