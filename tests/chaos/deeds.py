"""What is done to a lab: by several who work at the same time, each through a pack of deeds that the seed shuffles."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from tests.chaos.listeners import Listener
from tests.chaos.messages import Subscriber, Webhook
from tests.chaos.servers import PostgreSQL, RabbitMQ
from tests.events.cable import Cable
from tests.lab import ROLES, SUPERVISOR, Lab, eventually, is_alive

LONGEST_TROUBLE = 4.0  # seconds that something is stopped, held or away

_NEVER = threading.Event()

Deed = tuple[str, Callable[[float], object]]  # what it is, and how it is done for so many seconds


@dataclass
class Diary:
    """What was done, and when."""

    lines: list[str] = field(default_factory=list)
    deeds: Counter[str] = field(default_factory=Counter)
    _began: float = field(default_factory=time.monotonic)

    def note(self, deed: str, seconds: float) -> None:
        self.deeds[deed] += 1
        self.say(f"{deed} ({seconds:.1f} s)")

    def say(self, line: str) -> None:
        self.lines.append(f"{time.monotonic() - self._began:7.1f} s  {line}")


class Hand:
    """Does one deed after the other in a thread of its own, each of them once at least, and leaves nothing broken."""

    def __init__(self, deeds: Sequence[Deed], chance: random.Random, diary: Diary, *, rest: float) -> None:
        """`rest`: between two deeds are at most so many seconds."""
        self._rest = rest
        self._deeds = list(deeds)
        self._chance = chance
        self._diary = diary
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wait for what it is at. Raises what has ended it before."""
        self._over.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._go_through()
            while not self._over.is_set():
                self._go_through(until=self._over)
        except Exception as failure:
            self._failure = failure

    def _go_through(self, until: threading.Event = _NEVER) -> None:
        self._chance.shuffle(self._deeds)
        for words, act in self._deeds:
            trouble = self._chance.uniform(0, LONGEST_TROUBLE)
            self._over.wait(self._chance.uniform(0, self._rest))
            if until.is_set():
                return
            self._diary.note(words, trouble)
            act(trouble)


def to_the_lab(lab: Lab, database: PostgreSQL) -> list[Deed]:
    """One at a time: a lab cannot be started while its database is away."""
    kills: list[Deed] = [(f"kill -9 of {role}", partial(_kill, lab, role)) for role in ROLES]
    stops: list[Deed] = [(f"SIGSTOP of {role}", partial(_halt, lab, role)) for role in ROLES]
    return [
        *kills,
        *stops,
        ("kill -9 of the whole lab", partial(_kill_all, lab)),
        ("crash of PostgreSQL", partial(_crash, database)),
    ]


def to_the_broker(broker: RabbitMQ, line: Cable) -> list[Deed]:
    return [
        ("kill -9 of RabbitMQ", partial(_replace, broker)),
        ("cut between lab and RabbitMQ", partial(_cut, line)),
        ("hold between lab and RabbitMQ", partial(_hold, line)),
    ]


def to_listeners(listeners: Sequence[Listener], webhooks: Sequence[Webhook]) -> list[Deed]:
    lines = [(f"cut of {each.name}", f"hold of {each.name}", each.line) for each in listeners]
    lines += [
        (f"cut of {each.name}'s socket", f"hold of {each.name}'s socket", each.socket_line)
        for each in listeners
        if isinstance(each, Subscriber)
    ]
    return [
        *((cut, partial(_cut, line)) for cut, _, line in lines),
        *((hold, partial(_hold, line)) for _, hold, line in lines),
        *((f"{each.name} reads nothing", partial(_sleep, each)) for each in listeners),
        *((f"{each.name} answers 500", partial(_fail, each)) for each in webhooks),
        *((f"{each.name} hangs", partial(_hang, each)) for each in webhooks),
    ]


def _kill(lab: Lab, role: str, _: float) -> None:
    with suppress(KeyError, ProcessLookupError):  # it may be on its way already
        os.kill(lab.pids()[role], signal.SIGKILL)


def _halt(lab: Lab, role: str, seconds: float) -> None:
    with suppress(KeyError, ProcessLookupError):
        pid = lab.pids()[role]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)


def _kill_all(lab: Lab, seconds: float) -> None:
    pids = lab.pids().values()
    lab.kill(SUPERVISOR)
    assert lab.process is not None
    assert lab.process.stdout is not None
    lab.process.stdout.close()
    assert eventually(lambda: not any(map(is_alive, pids))), "roles outlive their lab"
    time.sleep(seconds)
    lab.start()


def _crash(database: PostgreSQL, seconds: float) -> None:
    database.crash()
    time.sleep(seconds)
    database.start()


def _replace(broker: RabbitMQ, seconds: float) -> None:
    broker.kill()
    time.sleep(seconds)
    broker.start()


def _cut(line: Cable, seconds: float) -> None:
    line.cut()
    time.sleep(seconds)
    line.mend()


def _hold(line: Cable, seconds: float) -> None:
    with line.held():
        time.sleep(seconds)


def _sleep(listener: Listener, seconds: float) -> None:
    with listener.asleep():
        time.sleep(seconds)


def _fail(webhook: Webhook, _: float) -> None:
    webhook.fail()


def _hang(webhook: Webhook, _: float) -> None:
    webhook.hang()
