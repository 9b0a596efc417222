"""The searches of one server: a few at once, each in a process of its own, of which one is kept for the next search."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from jobs.logs.search import Query
from jobs.logs.search_process import SearchEnded, SearchProcess


class Busy(Exception):
    """As many searches are under way as may be."""


class Searchers:
    """May be used by many threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._running = 0
        self.spare: SearchProcess | None = None  # waits for the next search

    def begin(self, directory: Path, query: Query) -> Search:
        """A search of the log in this directory, which must be ended. Busy: none can begin now."""
        with self._lock:
            if self._running >= self._most:
                raise Busy
            self._running += 1
            spare, self.spare = self.spare, None
        try:
            return Search(self, _asked(spare, directory, query))
        except BaseException:
            self._leave(None)
            raise

    def close(self) -> None:
        """End the process that is kept for the next search."""
        with self._lock:
            spare, self.spare = self.spare, None
        if spare is not None:
            spare.end()

    def _leave(self, process: SearchProcess | None) -> None:
        """A search is over; `process` could do another one."""
        with self._lock:
            self._running -= 1
            if process is not None and self.spare is None:
                process, self.spare = None, process
        if process is not None:
            process.end()


class Search:
    """A search that is under way."""

    def __init__(self, searchers: Searchers, process: SearchProcess) -> None:
        self._searchers = searchers
        self._process: SearchProcess | None = process
        self._is_answered = False

    def answer(self, seconds: float) -> bytes | None:
        """What was found, as JSON; None while that takes longer than so many seconds. Raises SearchEnded."""
        if self._process is None:
            raise SearchEnded
        answer = self._process.answer(seconds)
        self._is_answered = answer is not None
        return answer

    def end(self) -> None:
        """Nobody waits for it any more; a search that has no answer yet is broken off."""
        process, self._process = self._process, None
        if process is None:
            return
        if not self._is_answered:
            process.end()
        self._searchers._leave(process if self._is_answered else None)


def _asked(spare: SearchProcess | None, directory: Path, query: Query) -> SearchProcess:
    """A process that was asked, the spare one if it is of any use."""
    if spare is not None:
        try:
            if spare.is_fresh:
                spare.ask(directory, query)
                return spare
        except SearchEnded:
            pass
        spare.end()
    process = SearchProcess()
    process.ask(directory, query)
    return process
