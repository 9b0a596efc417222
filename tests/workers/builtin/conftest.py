from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core import yaml
from tests.workers.builtin.lab_server import LabServer
from workers.builtin.config import WorkerConfig
from workers.builtin.directory import JobDirectory
from workers.builtin.processes import MARK, JobProcesses, Process, send_signal
from workers.builtin.worker import Worker


@pytest.fixture
def lab() -> Iterator[LabServer]:
    lab = LabServer()
    yield lab
    lab.go_down()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Of a worker. Whatever a test does, nothing that its jobs started is left behind."""
    path = tmp_path / "worker"
    yield path
    left = marked_processes(path)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    for runner in runners(path):
        os.kill(runner, signal.SIGKILL)
    assert not left
    shutil.rmtree(path, ignore_errors=True)


def marked_processes(directory: Path) -> set[int]:
    """Those whose environment says that a job of this worker started them."""
    home = f"HOME={directory}/jobs/".encode()
    return {pid for pid in _pids() if MARK.encode() in (text := _read(pid, "environ")) and home in text}


def processes_of(directory: Path, job_id: int) -> JobProcesses:
    """All that this machine runs for a job, the worker's own tools included; asked before the job is forgotten."""
    order = JobDirectory(directory / "jobs" / str(job_id)).order
    assert order is not None
    return JobProcesses(mark=order.mark)


def runners(directory: Path) -> set[int]:
    wanted = f"{directory}/jobs/".encode()
    return {
        pid
        for pid in _pids()
        if b"workers.builtin.runner" in (text := _read(pid, "cmdline")) and wanted in text
    }


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


@dataclass
class ThreadedWorker:
    config: WorkerConfig
    stop_event: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=Worker(self.config).run, args=(self.stop_event,))
        self.thread.start()

    def stop(self) -> None:
        self.stop_event.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def start_worker(lab: LabServer, directory: Path) -> Iterator[Callable[..., ThreadedWorker]]:
    """A worker in a thread of this process. Unless told otherwise it ends its jobs when the test ends."""
    workers: list[ThreadedWorker] = []

    def start(**options: Any) -> ThreadedWorker:
        defaults: dict[str, Any] = {"token": "worker-token", "end_jobs_on_stop": True, "ping_interval": 1.0}
        config = WorkerConfig(url=lab.url, name="w1", directory=directory, **(defaults | options))
        workers.append(ThreadedWorker(config))
        lab.wait_until(lambda: lab.sockets)
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


_WORKER_PROGRAM = """
import signal, sys, threading
from pathlib import Path
from workers.builtin.config import WorkerConfig
from workers.builtin.worker import Worker
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
Worker(WorkerConfig(
    url=sys.argv[1], name="w1", directory=Path(sys.argv[2]), token="worker-token",
    ping_interval=1.0, end_jobs_on_stop=True,
)).run(stop)
"""


@pytest.fixture
def start_worker_process(lab: LabServer, directory: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A worker that can be killed."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(**environment: str) -> subprocess.Popen[bytes]:
        lab.wait_until(lambda: not lab.sockets)
        process = subprocess.Popen(
            [sys.executable, "-c", _WORKER_PROGRAM, lab.url, str(directory)], env=os.environ | environment
        )
        processes.append(process)
        lab.wait_until(lambda: lab.sockets)
        return process

    yield start
    for process in processes:
        process.terminate()
        process.wait(30)


def kill_runner(directory: Path, job_id: int) -> None:
    runner = JobDirectory(directory / "jobs" / str(job_id)).runner
    assert runner is not None
    send_signal(Process(runner.pid, runner.start_time), signal.SIGKILL)
    deadline = time.monotonic() + 5
    while runner.pid in runners(directory):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def definition(*steps: str, job_timeout: int = 60, action_timeout: int = 60, **keys: Any) -> str:
    """A job with one suite `0_suite`."""
    return jobs_definition([list(steps)], job_timeout=job_timeout, action_timeout=action_timeout, **keys)


def jobs_definition(
    suites: list[list[str]], *, job_timeout: int = 60, action_timeout: int = 60, **keys: Any
) -> str:
    definitions = [
        {
            "from": "inline",
            "name": "suite",
            "path": "inline/suite.yaml",
            "repository": {"metadata": {"name": "suite"}, "run": {"steps": steps}},
        }
        for steps in suites
    ]
    return yaml.dump(
        {
            "job_name": "test",
            "timeouts": {"job": {"seconds": job_timeout}, "action": {"seconds": action_timeout}},
            "actions": [{"test": {"definitions": definitions}}],
            **keys,
        }
    )
