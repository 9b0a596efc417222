"""A lab with an unmodified `lava-worker` beside it, and what people do there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.lab import Lab, eventually
from tests.lava_worker import guest
from tests.lava_worker.worker import LavaWorker
from tests.statements.visitors import JSON, job, log

WORKER = "dispatcher01"
DEVICES = ("qemu01", "qemu02", "qemu03", "qemu04")
TO_BOOT = 60.0  # seconds that a guest may need on a busy machine
TO_END = 90.0
NOWHERE = "file:///nowhere/vmlinuz"
SHELL = "Lava-Test Test Definition 1.0"
COUNTED = 60


class Ring:
    def __init__(self, directory: Path, *, log_interval: int = 1, **settings: str) -> None:
        """`log_interval`: seconds between two posts of a job's log; `settings` are the lab's."""
        self.directory = directory
        self.lab = Lab(directory, **settings)
        self.initramfs = directory / "initramfs.gz"
        self._options = ("--job-log-interval", str(log_interval))
        self.worker: LavaWorker

    def start(self) -> None:
        guest.make_initramfs(self.initramfs)
        self.lab.start()
        token = self.administrator("add_workers", {WORKER: DEVICES})[WORKER]
        options = ("--token", token, *self._options)
        self.worker = LavaWorker(self.directory / "worker", self.lab.url, WORKER, *options)
        self.worker.start()

    def stop(self) -> None:
        try:
            if hasattr(self, "worker"):
                self.worker.stop()
        finally:
            self.lab.stop()

    def administrator(self, deed: str, argument: Any) -> Any:
        """What `tests.lava_worker.administrator` answers."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.lava_worker.administrator", deed, json.dumps(argument)],
            env=self.lab.environment,
            text=True,
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(done.stdout)

    def definition(self, name: str, *actions: dict[str, Any], **top: Any) -> str:
        """Of a job that boots the guest and then does `actions`; `top` are keys of the top level."""
        job = {
            "job_name": name,
            "device_type": "qemu",
            "visibility": "public",
            "context": {"arch": "amd64"},
            "timeouts": {"job": {"minutes": 5}, "action": {"minutes": 3}, "connection": {"minutes": 2}},
            "actions": [guest.deploy(self.initramfs), guest.boot(), *actions],
        }
        return str(yaml.safe_dump(job | top, sort_keys=False))

    def submit(self, name: str, *actions: dict[str, Any], **top: Any) -> int:
        """The keywords are those of `definition`."""
        body = json.dumps({"definition": self.definition(name, *actions, **top)}).encode()
        status, answer = self.lab.request("POST", "/api/v0.2/jobs/", body, JSON)
        assert status == 201, answer
        number: int = json.loads(answer)["job_ids"][0]
        return number

    def has_printed(self, number: int, text: str) -> bool:
        return eventually(lambda: text in log(self.lab, number), TO_BOOT, pause=0.1)

    def ended(self, number: int) -> dict[str, Any]:
        """The job when it has ended, as the API shows it."""
        over = eventually(lambda: job(self.lab, number)["state"] == "Finished", TO_END, pause=0.1)
        found = job(self.lab, number)
        assert over, f"{found}\n{log(self.lab, number)[-4000:]}\n{self.worker.log[-4000:]}"
        return found

    def submit_broken(self, name: str, **top: Any) -> int:
        """A job that ends as soon as the dispatcher has looked at it: its kernel is not there."""
        deploy = guest.deploy(self.initramfs)
        deploy["deploy"]["images"]["kernel"]["url"] = NOWHERE
        return self.submit(name, actions=[deploy, guest.boot(), shell("true")], **top)

    def takes_a_job(self) -> bool:
        """Whether the worker lives and does its work."""
        number = self.submit_broken("the next one", lava_lite={"device": DEVICES[0]})
        return self.ended(number)["health"] == "Incomplete" and self.worker.is_alive

    def results(self, number: int) -> list[dict[str, Any]]:
        _, answer = self.lab.get(f"/api/v0.2/jobs/{number}/tests/?limit=1000", token="")
        return list(json.loads(answer)["results"])


def shell(*steps: str, name: str = "smoke") -> dict[str, Any]:
    """The action that runs these steps in the guest, with LAVA's helpers at hand."""
    repository = {"metadata": {"format": SHELL, "name": name}, "run": {"steps": list(steps)}}
    definition = {"from": "inline", "name": name, "path": f"inline/{name}.yaml", "repository": repository}
    return {"test": {"timeout": {"minutes": 2}, "definitions": [definition]}}


@contextmanager
def running(directory: Path, **options: Any) -> Iterator[Ring]:
    """The options are those of Ring."""
    ring = Ring(directory, **options)
    try:
        ring.start()
        yield ring
    finally:
        ring.stop()


def counting() -> dict[str, Any]:
    """Prints numbered lines, for about ten seconds."""
    return shell(f"set +x; for i in $(seq {COUNTED}); do echo counted $i; sleep 0.15; done", name="counting")


def counted(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^counted (\d+)$", text, re.MULTILINE)]


@contextmanager
def another_worker(ring: Ring, name: str, *options: str) -> Iterator[LavaWorker]:
    """One more, which runs already and asks every second; it ends with the block."""
    found = LavaWorker(ring.directory / name, ring.lab.url, name, "--ping-interval", "1", *options)
    try:
        found.start()
        yield found
    finally:
        found.stop()
