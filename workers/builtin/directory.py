"""The directory of one job: all that the worker and the runner know of it, so that either may die at any time.

job.json      the order: who asks, with which token, and the plan; without it nothing was begun
lock          held by the runner from before its birth to its death
started.json  the runner's own word that it has begun
spool         the log's records, one wire line each
sent          how much of the spool the server has
cancel        why the job is to be ended
waits/        questions to people, by their keys: KEY.asked, and KEY.answer once there is one
result.json   how it ended; the runner's last word
runner.log    what a failing runner said
reserve       room on the disk for the last word when the disk is full
bin/          the helpers on the job's PATH
scripts/      one of each suite
tests/        repositories, one of each suite that is in one
answers/      what people answered, for the test
home/, tmp/   the job's own
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from workers.builtin.plan import Plan
from workers.builtin.reading import InvalidPlan
from workers.messages import JobRef, Result

BELL: Final = "log"  # the role whose doorbell the runner rings in the job's directory
_RESERVE: Final = 128 * 1024  # bytes: the last records and result.json


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the runner has to do. Either there is a plan, or there is a fault why there is none."""

    job: JobRef
    mark: str  # by which all processes of this job are known
    version: str  # of the worker
    plan: Plan | None = None
    fault_type: str = ""
    fault: str = ""

    @property
    def description(self) -> str:
        return self.plan.description if self.plan else ""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Order:
        plan = value["plan"]
        return cls(
            job=JobRef(**value["job"]),
            mark=value["mark"],
            version=value["version"],
            plan=None if plan is None else Plan.from_json(plan),
            fault_type=value["fault_type"],
            fault=value["fault"],
        )

    def required_plan(self) -> Plan:
        """Raises InvalidPlan."""
        if self.plan is None:
            raise InvalidPlan(self.fault_type, self.fault)
        return self.plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended."""

    result: Result
    error_type: str = ""
    errors: str = ""  # for people; becomes the job's failure comment


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerInfo:
    pid: int
    start_time: int  # clock ticks since boot: with the pid it names one process for good
    cgroup: str = ""  # path of the job's own control group, where there is one


class JobDirectory:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.spool = path / "spool"
        self.sent = path / "sent"
        self.home = path / "home"
        self.tmp = path / "tmp"
        self.bin = path / "bin"
        self.scripts = path / "scripts"
        self.tests = path / "tests"
        self.waits = path / "waits"
        self.runner_log = path / "runner.log"

    @classmethod
    def create(cls, jobs: Path, order: Order) -> JobDirectory:
        """Once job.json is there, the job is ours; killed before that, there is a remainder without an order."""
        directory = cls(jobs / str(order.job.id))
        directory.remove()
        directory.path.mkdir(mode=0o700, parents=True)
        directory._write("job.json", asdict(order), lasting=True)
        return directory

    def script(self, suite: str) -> Path:
        return self.scripts / f"{suite}.sh"

    @property
    def order(self) -> Order | None:
        value = self._read("job.json")
        return None if value is None else Order.from_json(value)

    @property
    def runner(self) -> RunnerInfo | None:
        """None as long as the runner has done nothing."""
        value = self._read("started.json")
        return None if value is None else RunnerInfo(**value)

    def set_runner(self, runner: RunnerInfo) -> None:
        self._write("started.json", asdict(runner))

    @property
    def outcome(self) -> Outcome | None:
        value = self._read("result.json")
        return None if value is None else Outcome(**value)

    def set_outcome(self, outcome: Outcome) -> None:
        """The reserve makes room for it, so that a full disk cannot swallow how the job ended."""
        self.drop_reserve()
        self._write("result.json", asdict(outcome), lasting=True)

    @property
    def cancel_reason(self) -> str | None:
        """None unless the job is to be ended; empty when a person asked for it."""
        value = self._read("cancel")
        return None if value is None else str(value["reason"])

    def set_cancel_reason(self, reason: str) -> None:
        self._write("cancel", {"reason": reason})

    def ask(self, key: str) -> None:
        """A test waits for a person."""
        self.waits.mkdir(exist_ok=True)
        (self.waits / f"{key}.asked").touch()

    def questions(self) -> set[str]:
        """The keys of those that are not answered yet, or whose answers the test does not have yet."""
        return {path.stem for path in self.waits.glob("*.asked")}

    def set_answer(self, key: str, answer: Mapping[str, str]) -> None:
        self._write(f"waits/{key}.answer", dict(answer))

    def answers(self) -> dict[str, dict[str, str]]:
        return {
            key: answer
            for key in self.questions()
            if (answer := self._read(f"waits/{key}.answer")) is not None
        }

    def forget_question(self, key: str) -> None:
        for end in ("asked", "answer"):  # an answer that is left behind has no question any more
            (self.waits / f"{key}.{end}").unlink(missing_ok=True)

    def runner_words(self, longest: int) -> str:
        """The end of what the runner printed, which it does only when something is wrong."""
        try:
            text = self.runner_log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            text = ""
        return text[-longest:].strip() or "it said nothing"

    def reserve(self) -> None:
        with open(self.path / "reserve", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, _RESERVE)

    def drop_reserve(self) -> None:
        (self.path / "reserve").unlink(missing_ok=True)

    def take_lock(self) -> int | None:
        """A descriptor that holds the runner's lock as long as any copy of it is open; None if it is held."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def remove(self) -> None:
        """Everything, also what the job left behind without any rights. Without job.json it is no job any more."""
        (self.path / "job.json").unlink(missing_ok=True)
        _remove(self.path)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            content = (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        value: dict[str, Any] = json.loads(content)
        return value

    def _write(self, name: str, value: dict[str, Any], *, lasting: bool = False) -> None:
        """All of it or nothing, whatever dies; `lasting` outlives a power cut, too."""
        part = self.path / f"{name}.part"
        with open(part, "w", encoding="utf-8", opener=_private) as file:
            json.dump(value, file)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        os.replace(part, self.path / name)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _remove(top: Path) -> None:
    """Level by level: what is deeper is moved up first, so that no depth and no length of a path is too much.

    A job may have taken all rights from its directories; they are its owner's, so they can be given back.
    """
    if not top.exists():
        return
    while entries := _entries(top):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry)
                continue
            for inner in _entries(entry):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner, stat.S_IRWXU)
                    os.rename(inner, top / os.urandom(16).hex())
                else:
                    os.unlink(inner)
            os.rmdir(entry)
    os.rmdir(top)


def _entries(directory: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    os.chmod(directory, stat.S_IRWXU)
    with os.scandir(directory) as entries:
        return list(entries)
