"""The real lavacli listens to `/ws/`."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from accounts.models import Scope, Token
from events import live
from jobs import lifecycle
from jobs.states import State
from tests import build
from tests.lab import eventually
from tests.serving import PATIENCE, Site, do

LAVACLI = Path(sys.executable).with_name("lavacli")


class Terminal:
    """What a command prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def line(self) -> str:
        return self._lines.get(timeout=PATIENCE).strip()


@contextmanager
def lavacli(site: Site, login: str, *command: str) -> Iterator[Terminal]:
    """Running, and connected to the socket."""
    uri = f"http://{login}127.0.0.1:{site.port}/RPC2"
    process = subprocess.Popen(
        [sys.executable, "-u", LAVACLI, "--uri", uri, "events", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            terminal = Terminal(process)
            assert terminal.line().startswith("Connecting to ")
            yield terminal
        finally:
            process.kill()


def test_it_returns_when_the_job_that_it_waits_for_has_ended(site: Site, alice: User) -> None:
    job = do(lambda: build.job(submitter=alice, state=State.RUNNING, visibility="personal"))
    login = f"alice:{Token.objects.issue(alice, scope=Scope.READ)}@"

    with lavacli(site, login, "wait", "job", str(job.pk), "--state", "FINISHED") as waits:
        assert eventually(lambda: site.listeners == 1)
        do(lambda: lifecycle.finish(job.pk, build.PASSED, worker="worker01"))

        assert waits.process.wait(PATIENCE) == 0


def test_it_prints_what_happens(site: Site, alice: User) -> None:
    do(build.device)

    with lavacli(site, "", "listen") as listens:
        assert eventually(lambda: site.listeners == 1)
        job = do(lambda: build.job(submitter=alice, state=State.SCHEDULED))

        printed = [listens.line().partition(" - ")[2] for _ in range(3)]
        assert printed == [
            f"[{job.pk}] <??> state=Submitted health=Unknown (hello)",
            f"[qemu01] <qemu> state=Reserved health=Good for {job.pk}",
            f"[{job.pk}] <qemu01> state=Scheduled health=Unknown (hello)",
        ]


def test_it_says_why_it_hears_no_more(site: Site, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "WELCOME_SECONDS", 0.05)
    do(build.device)

    with lavacli(site, f"alice:{Token.objects.issue(alice)}@", "listen") as listens:
        assert eventually(lambda: site.listeners == 1)
        Token.objects.all().delete()

        assert listens.line() == "Connection issue: What opened this stream is expired or revoked."
        assert listens.line().startswith("Connecting to ")
        assert listens.line() == "Connection issue: This token is unknown, expired or revoked."
