"""A supervisor in a process of its own, over roles that write down what happens to them.

The role "web!3" ignores SIGTERM and has 3 seconds to end; "web?" fails as soon as it is started.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import eventually, is_alive

PROGRAM = """
import logging, os, signal, sys, threading, time
from pathlib import Path
from lava_lite.supervisor import Role, Supervisor

journal = Path(sys.argv[1])

def note(line):
    with journal.open("a") as file:
        file.write(line + "\\n")

def role(word):
    fails = word.endswith("?")
    name, _, patience = word.strip("?").partition("!")

    def run():
        ended = threading.Event()
        if patience:
            signal.signal(signal.SIGTERM, lambda *_: note(f"{name} ignores"))
        else:
            signal.signal(signal.SIGTERM, lambda *_: ended.set())
        note(f"{name} {os.getpid()}")
        if fails:
            raise RuntimeError("it fails at its start")
        while not ended.wait(0.02):
            pass
        note(f"{name} ended")
    return Role(name=name, run=run, patience=float(patience or 10))

logging.basicConfig(level=logging.INFO, format="%(message)s")
Supervisor([role(word) for word in sys.argv[2:]]).run(lambda: note("started"))
note("over")
"""


class Family:
    def __init__(self, directory: Path, *roles: str) -> None:
        self.journal = directory / "journal"
        self.journal.touch()
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.journal), *roles],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert eventually(lambda: "started" in self.lines)
        assert eventually(lambda: all(self.pids(role.rstrip("!?0123456789.")) for role in roles))

    @property
    def lines(self) -> list[str]:
        return self.journal.read_text().splitlines()

    def pids(self, role: str) -> list[int]:
        """Every process that was this role, the latest last."""
        words = [line.split() for line in self.lines]
        return [int(word[1]) for word in words if word[0] == role and word[-1].isdigit()]

    def all_pids(self) -> list[int]:
        return [int(line.split()[1]) for line in self.lines if line.split()[-1].isdigit()]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(15)


Start = Callable[..., Family]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    families: list[Family] = []

    def begin(*roles: str) -> Family:
        families.append(Family(tmp_path, *roles))
        return families[-1]

    yield begin
    for family in families:
        family.process.kill()
        family.process.wait(10)
        assert family.process.stderr is not None
        family.process.stderr.close()
        assert eventually(lambda family=family: not any(map(is_alive, family.all_pids())))  # type: ignore[misc]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_it_ends_the_roles_last_one_first_and_returns(
    start: Start, number: signal.Signals
) -> None:
    family = start("web", "engine", "worker")

    assert family.end(number) == 0

    assert family.lines[-4:] == ["worker ended", "engine ended", "web ended", "over"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_role_that_died_is_started_again_and_the_others_are_left_alone(
    start: Start, number: signal.Signals
) -> None:
    family = start("web", "engine")
    others = family.pids("engine")

    os.kill(family.pids("web")[0], number)

    assert eventually(lambda: len(family.pids("web")) == 2)
    assert is_alive(family.pids("web")[1])
    assert family.pids("engine") == others


def test_the_roles_die_with_a_killed_supervisor(start: Start) -> None:
    family = start("web", "engine", "worker")

    family.end(signal.SIGKILL)

    assert len(family.all_pids()) == 3
    assert eventually(lambda: not any(map(is_alive, family.all_pids())))


def test_a_role_that_fails_at_its_start_is_tried_again_less_and_less_often(start: Start) -> None:
    family = start("web?", "engine")
    began = time.monotonic()

    assert eventually(lambda: len(family.pids("web")) == 5)

    assert time.monotonic() - began > 0.5  # 0 + 0.1 + 0.2 + 0.4 s of waiting
    assert family.end() == 0


def test_a_role_that_does_not_end_is_killed_after_its_patience(start: Start) -> None:
    family = start("web", "worker!0.5")

    assert family.end() == 0

    assert family.lines[-3:] == ["worker ignores", "web ended", "over"]
    assert not is_alive(family.pids("worker")[0])


def test_a_second_ctrl_c_waits_for_nobody(start: Start) -> None:
    family = start("web!60", "engine!60", "worker!60")
    family.process.send_signal(signal.SIGINT)
    assert eventually(lambda: "worker ignores" in family.lines)

    began = time.monotonic()

    assert family.end(signal.SIGINT) == 0
    assert time.monotonic() - began < 10.0
    assert not any(map(is_alive, family.all_pids()))


def test_ctrl_c_in_the_terminal_reaches_the_supervisor_alone(start: Start) -> None:
    family = start("web", "worker")

    os.killpg(family.process.pid, signal.SIGINT)

    assert family.process.wait(15) == 0
    assert family.lines[-3:] == ["worker ended", "web ended", "over"]


def test_a_process_list_shows_which_role_a_process_has(start: Start) -> None:
    family = start("web")

    comm = Path(f"/proc/{family.pids('web')[0]}/comm").read_text()

    assert comm == "lavalite-web\n"
