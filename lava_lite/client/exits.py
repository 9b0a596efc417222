"""The exit codes of the command line: one table, which the documentation shows."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    FAIL = 1
    USAGE = 2
    INFRASTRUCTURE = 3
    CANCELED = 4
    NOT_ALLOWED = 5
    UNREACHABLE = 6
    MISSED = 7
    TIMEOUT = 124
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS = {
    Exit.OK: "done; the job that was waited for passed",
    Exit.FAIL: "the job failed; `doctor` found something bad; what `events consume` ran for an event failed",
    Exit.USAGE: "the command line, a definition or a setting is wrong, or the job is in no state for that",
    Exit.INFRASTRUCTURE: "the lab failed and not the job",
    Exit.CANCELED: "the job was canceled",
    Exit.NOT_ALLOWED: "there is no such thing, or you may not see it or do that",
    Exit.UNREACHABLE: "no server answers at the address, or it cannot answer now",
    Exit.MISSED: "the job that was waited for ended, and never came to that state",
    Exit.TIMEOUT: "`--timeout` is over; the job goes on",
    Exit.INTERRUPTED: "Ctrl-C; the job goes on",
    Exit.BROKEN_PIPE: "whoever read the output has ended, as `head` does",
}

OUTCOMES = {
    "pass": Exit.OK,
    "fail": Exit.FAIL,
    "infrastructure": Exit.INFRASTRUCTURE,
    "canceled": Exit.CANCELED,
}

# What of several says most about all of them.
_WORST_FIRST = (
    Exit.TIMEOUT,
    Exit.UNREACHABLE,
    Exit.NOT_ALLOWED,
    Exit.USAGE,
    Exit.MISSED,
    Exit.INFRASTRUCTURE,
    Exit.FAIL,
    Exit.CANCELED,
    Exit.OK,
)


def of_outcome(outcome: str | None) -> Exit:
    """That of a job; one that has not ended yet is fine so far."""
    return OUTCOMES.get(outcome or "pass", Exit.FAIL)


def worst(exits: Iterable[Exit]) -> Exit:
    return min(exits, key=_WORST_FIRST.index, default=Exit.OK)
