"""The tests of what is in the database once more, on PostgreSQL, where one answers. Run: python -m tests.on_postgresql"""

from __future__ import annotations

import os
import subprocess
import sys

from tests import postgresql

# What asks no database is the same on every one. The others start processes and browsers of their own, which have the
# database that they need.
CHOSEN = "database and not lab and not browser and not chaos"

# Commits need not outlive a crash of the machine; all else about them is as in a lab.
QUICK = "-c synchronous_commit=off"


def main() -> int:
    if reason := postgresql.why_not():
        print(f"Left out: the tests on PostgreSQL ({reason}).")  # noqa: T201
        return 0
    environment = {**os.environ, "DATABASE_URL": f"{postgresql.SERVER}/lava_lite", "PGOPTIONS": QUICK}
    return subprocess.call([sys.executable, "-m", "pytest", "-m", CHOSEN, *sys.argv[1:]], env=environment)


if __name__ == "__main__":
    sys.exit(main())
