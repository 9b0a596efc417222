"""A job's terminal, read into its log."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from workers.builtin import signals
from workers.builtin.executors.base import Executor
from workers.builtin.journal import Journal
from workers.builtin.lines import Line, LineCutter
from workers.builtin.signals import Signal

_PIECE_AFTER: Final = 0.05  # seconds that the beginning of a line may wait for its end
_ASK_AGAIN: Final = 0.01  # seconds: a script that has ended, but whose last output is not here yet
_READS_PER_PASS: Final = 16  # of up to 4 KiB each: what a terminal gives at once


class Console:
    """`on_signal` hears of LAVA's signals in the output, with the number of the record that tells of them.

    `wake` is a descriptor that is readable when something else wants attention; it is emptied here.
    """

    def __init__(
        self, executor: Executor, journal: Journal, *, wake: int, on_signal: Callable[[Signal, int], object]
    ) -> None:
        self._executor = executor
        self._journal = journal
        self._wake = wake
        self._on_signal = on_signal
        self._cutter = LineCutter()
        self._piece_due: float | None = None
        self._poll = select.poll()
        self._poll.register(executor, select.POLLIN)
        self._poll.register(wake, select.POLLIN)

    @property
    def is_busy(self) -> bool:
        """As long as a script runs, and until all that it printed was read."""
        return self._executor.is_busy

    @property
    def exit_code(self) -> int | None:
        return self._executor.exit_code

    def start(self, suite: str) -> None:
        self._executor.start(suite)

    def attend(self, longest: float) -> None:
        """Wait for something to happen, at most so many seconds, then put what the terminal has into the log."""
        wait = longest
        if self._piece_due is not None:
            wait = min(wait, self._piece_due - time.monotonic())
        if self._executor.exit_code is not None and self.is_busy:
            wait = min(wait, _ASK_AGAIN)
        self._poll.poll(max(wait, 0.0) * 1000 + 1)
        with suppress(BlockingIOError):
            os.read(self._wake, 1024)
        self._read()
        self._journal.flush()

    def end_line(self) -> None:
        """What comes next is not the rest of a line that is open now."""
        self._take(self._cutter.finish())
        self._piece_due = None

    def _read(self) -> None:
        any_line_ended = False
        for _ in range(_READS_PER_PASS):
            data = self._executor.read()
            if not data:
                break
            lines = self._cutter.feed(data)
            self._take(lines)
            any_line_ended = any_line_ended or bool(lines)
        self._show_piece(is_new=any_line_ended)

    def _take(self, lines: Sequence[Line]) -> None:
        texts: list[str] = []
        for line in lines:
            texts.append(line.text)
            if signals.MARKER in line.whole:
                self._journal.output(texts)
                texts = []
                self._tell_signals(line.whole)
        self._journal.output(texts)

    def _tell_signals(self, line: str) -> None:
        for signal in signals.find(line):
            number = self._journal.next_number
            self._journal.say("debug", f"Received signal: <{signal.name}> {signal.text}")
            self._on_signal(signal, number)

    def _show_piece(self, *, is_new: bool) -> None:
        """A prompt, or whatever else waits for the end of its line, is shown after a short while."""
        if not self._cutter.has_piece:
            self._piece_due = None
        elif self._piece_due is None or is_new:
            self._piece_due = time.monotonic() + _PIECE_AFTER
        elif time.monotonic() >= self._piece_due:
            self._journal.piece(self._cutter.take_piece())
            self._piece_due = None
