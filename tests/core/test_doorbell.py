import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.doorbell import Doorbell, ring

LISTENER = """
import sys
from pathlib import Path
from core.doorbell import Doorbell
with Doorbell(Path(sys.argv[1]), "scheduler") as bell:
    print("listening", flush=True)
    print(bell.wait(30.0), flush=True)
"""


def sockets(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.sock"))


def listener(directory: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENER, str(directory)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    return process


def test_a_ring_ends_the_wait_of_a_listener(tmp_path: Path) -> None:
    with Doorbell(tmp_path, "scheduler") as bell:
        ring(tmp_path, "scheduler")

        assert bell.wait(5.0)


def test_a_wait_without_a_ring_ends_after_its_time(tmp_path: Path) -> None:
    with Doorbell(tmp_path, "scheduler") as bell:
        began = time.monotonic()

        assert not bell.wait(0.05)

        assert 0.04 <= time.monotonic() - began < 10.0


def test_many_rings_are_one_wake_up(tmp_path: Path) -> None:
    with Doorbell(tmp_path, "scheduler") as bell:
        for _ in range(1000):
            ring(tmp_path, "scheduler")

        assert bell.wait(5.0)
        assert not bell.wait(0.0)


def test_a_ring_during_a_wait_wakes_it_long_before_its_time(tmp_path: Path) -> None:
    with Doorbell(tmp_path, "scheduler") as bell:
        threading.Timer(0.05, ring, (tmp_path, "scheduler")).start()
        began = time.monotonic()

        assert bell.wait(30.0)

        assert time.monotonic() - began < 15.0


def test_a_ring_reaches_every_listener_of_its_role_and_nobody_else(tmp_path: Path) -> None:
    with (
        Doorbell(tmp_path, "web") as first,
        Doorbell(tmp_path, "web") as second,
        Doorbell(tmp_path, "web-log") as other,
    ):
        ring(tmp_path, "web")

        assert first.wait(5.0)
        assert second.wait(5.0)
        assert not other.wait(0.0)


def test_one_ring_reaches_the_listeners_of_several_roles(tmp_path: Path) -> None:
    with Doorbell(tmp_path, "web") as web, Doorbell(tmp_path, "engine") as engine:
        ring(tmp_path, "engine", "web")

        assert [engine.wait(0), web.wait(0)] == [True, True]


def test_a_ring_reaches_another_process(tmp_path: Path) -> None:
    with listener(tmp_path) as process:
        ring(tmp_path, "scheduler")

        output, _ = process.communicate(timeout=10)

    assert output == "True\n"
    assert sockets(tmp_path) == []


def test_a_killed_listeners_socket_is_removed_by_the_next_ring(tmp_path: Path) -> None:
    with listener(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert len(sockets(tmp_path)) == 1

    with Doorbell(tmp_path, "scheduler") as bell:
        ring(tmp_path, "scheduler")

        assert bell.wait(5.0)
        assert len(sockets(tmp_path)) == 1


def test_the_socket_of_a_former_process_with_the_same_pid_is_replaced(tmp_path: Path) -> None:
    with Doorbell(tmp_path, "scheduler"):
        name = sockets(tmp_path)[0]
    number = int(name.split(".")[2])
    tmp_path.joinpath(f"scheduler.{os.getpid()}.{number + 1}.sock").touch()

    with Doorbell(tmp_path, "scheduler") as bell:
        ring(tmp_path, "scheduler")

        assert bell.wait(5.0)


def test_ringing_before_anybody_ever_listened_changes_nothing(tmp_path: Path) -> None:
    ring(tmp_path / "missing", "scheduler")

    assert not (tmp_path / "missing").exists()


def test_ringing_survives_a_file_that_is_no_socket(tmp_path: Path) -> None:
    (tmp_path / "scheduler.1.0.sock").mkdir()

    with Doorbell(tmp_path, "scheduler") as bell:
        ring(tmp_path, "scheduler")

        assert bell.wait(5.0)


def test_a_directory_deeper_than_a_socket_path_may_be_works(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-long-name-of-a-directory"] * 8)

    with Doorbell(deep, "scheduler") as bell:
        ring(deep, "scheduler")

        assert len(str(deep)) > 107
        assert bell.wait(5.0)


def test_press_rings_this_bell_alone(tmp_path: Path) -> None:
    with Doorbell(tmp_path, "web") as first, Doorbell(tmp_path, "web") as second:
        first.press()

        assert first.wait(5.0)
        assert not second.wait(0.0)


def test_leaving_takes_the_socket_away_and_leaks_no_descriptor(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")

    with Doorbell(tmp_path, "web") as bell:
        ring(tmp_path, "web")
        bell.drain()

    assert sockets(tmp_path) == []
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_bell_outside_of_its_block_says_so(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path, "web")

    with pytest.raises(RuntimeError, match=r"web doorbell is used outside of its `with` block"):
        bell.fileno()


@pytest.mark.parametrize("role", ["", "a.b", "a/b", "Web", "web\n"])
def test_a_role_that_would_be_an_ambiguous_file_name_is_refused(tmp_path: Path, role: str) -> None:
    with pytest.raises(ValueError, match="role is made of"):
        Doorbell(tmp_path, role)
