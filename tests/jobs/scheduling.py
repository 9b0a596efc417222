"""A scheduler in a process of its own; it writes how many jobs got a device.

Without an argument it makes one pass when it is told to go; with `until-empty`, pass after pass until no job is left.
"""

from __future__ import annotations

import logging
import sys
import time

from tests import children

UNTIL_EMPTY = "until-empty"
PAUSE = 0.01  # seconds after a pass that found nothing to do


def main() -> None:
    children.join_the_lab()
    given = _passes() if sys.argv[1:] == [UNTIL_EMPTY] else _one_pass()
    sys.stdout.write(f"{given}\n")


def _one_pass() -> int:
    from jobs import scheduler

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    return scheduler.run_once()


def _passes() -> int:
    from jobs import scheduler
    from jobs.models import Job

    logging.disable(logging.INFO)
    given = 0
    while Job.objects.unfinished().exists():
        number = scheduler.run_once()
        given += number
        if not number:
            time.sleep(PAUSE)
    return given


if __name__ == "__main__":
    main()
