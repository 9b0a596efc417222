from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from workers.builtin.processes import (
    MARK,
    ControlGroup,
    JobProcesses,
    Process,
    send_signal,
    start_time,
)


@pytest.fixture
def mark() -> str:
    return uuid4().hex


def shell(script: str, mark: str) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], MARK: mark}
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"{script}\necho ready; read line"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "ready" in process.stdout.readline()
    return process


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def close(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


def test_marked_processes_are_found_wherever_they_went(mark: str) -> None:
    process = shell("setsid sh -c 'sleep 100 & sleep 100' </dev/null >/dev/null 2>&1 &", mark)
    job = JobProcesses(mark=mark)
    wait_until(lambda: len(job.find()) >= 3)

    assert job.kill()

    assert job.find() == set()
    close(process)


def test_processes_of_another_mark_are_left_alone(mark: str) -> None:
    process = shell("true", mark + "0")

    assert JobProcesses(mark=mark).find() == set()
    assert JobProcesses(mark=mark).kill()
    assert process.poll() is None
    close(process)


def test_descendants_are_found_without_a_mark(mark: str) -> None:
    process = shell("env -i sleep 100 >/dev/null &", mark)
    job = JobProcesses(mark="none", below=process.pid)
    wait_until(lambda: len(job.find()) == 1)

    assert job.kill()

    assert process.poll() is None
    close(process)


def test_processes_that_fork_all_the_time_are_ended(mark: str) -> None:
    script = "f() { while :; do (sleep 0.01 &) ; done; }; for i in 1 2 3; do f >/dev/null 2>&1 & done"
    process = shell(script, mark)

    assert JobProcesses(mark=mark).kill()

    assert JobProcesses(mark=mark).find() == set()
    close(process)


def test_a_pid_that_was_given_to_another_process_gets_no_signal(mark: str) -> None:
    process = shell("true", mark)
    began = start_time(process.pid)
    assert began is not None

    send_signal(Process(process.pid, began + 1), signal.SIGKILL)
    send_signal(Process(2**22 - 1, 1), signal.SIGKILL)

    assert process.poll() is None
    send_signal(Process(process.pid, began), signal.SIGKILL)
    close(process)
    assert process.returncode == -signal.SIGKILL


def test_a_process_that_is_gone_has_no_start_time(mark: str) -> None:
    process = shell("true", mark)
    close(process)

    assert start_time(process.pid) is None


def test_a_control_group_holds_what_dropped_every_other_sign(mark: str) -> None:
    group = ControlGroup.create(f"lava-lite-test-{mark}")
    if group is None:
        pytest.skip("this machine lets nobody make control groups (cgroup v2)")
    process = shell(f"(echo 0 > {group.entrance}; env -i setsid sleep 100 >/dev/null) &", mark)
    job = JobProcesses(mark="none", cgroup=group)
    wait_until(lambda: len(job.find()) >= 1)

    assert job.kill()

    job.close()
    assert not group.path.exists()
    close(process)
