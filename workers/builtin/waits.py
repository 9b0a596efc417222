"""The questions that a job's test has for a person, and the way of the answers to it.

The runner notes each question in the job's directory; the worker asks the server about those that are there, and puts
the answer beside it; the runner gives that to the test. Whoever dies finds everything there when it comes back.
"""

from __future__ import annotations

import re
from typing import Final

from workers.builtin.directory import JobDirectory
from workers.builtin.executors.base import Executor
from workers.builtin.signals import Signal

ASKED: Final = "WAITFORPERSON"
OVER: Final = "WAITOVER"
LOOK: Final = 0.5  # seconds between looks for an answer

_KEY: Final = re.compile(r"[A-Za-z0-9]{1,32}")


class Waits:
    """As the runner sees them; it lives as long as the job, so it knows which are open."""

    def __init__(self, directory: JobDirectory, executor: Executor) -> None:
        self._directory = directory
        self._executor = executor
        self._open: set[str] = set()

    def hear(self, signal: Signal) -> None:
        if not signal.words or not _KEY.fullmatch(key := signal.words[0]):
            return
        if signal.name == ASKED:
            self._directory.ask(key)
            self._open.add(key)
        elif signal.name == OVER:
            self._forget(key)

    @property
    def is_open(self) -> bool:
        return bool(self._open)

    def deliver(self) -> None:
        """Give the test what was answered. Raises JobEnd if there is no way to it."""
        answers = self._directory.answers() if self._open else {}
        for key, answer in answers.items():
            self._executor.give(f"answers/{key}", f"{answer['answer']}\n{answer['comment']}\n")
            self._forget(key)

    def _forget(self, key: str) -> None:
        self._directory.forget_question(key)
        self._open.discard(key)
