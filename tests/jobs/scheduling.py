"""A scheduler in a process of its own: one pass when it is told to go; it writes how many jobs got a device."""

from __future__ import annotations

import sys

from tests import children


def main() -> None:
    children.join_the_lab()
    from jobs import scheduler

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(f"{scheduler.run_once()}\n")


if __name__ == "__main__":
    main()
