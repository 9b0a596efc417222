"""The tests of the server once more, on PostgreSQL, where one answers. Run: python -m tests.on_postgresql"""

from __future__ import annotations

import os
import subprocess
import sys

from tests import postgresql

# These start processes and browsers of their own, which have the database that they need.
ELSEWHERE = "not lab and not browser and not chaos"


def main() -> int:
    if reason := postgresql.why_not():
        print(f"Left out: the tests on PostgreSQL ({reason}).")  # noqa: T201
        return 0
    environment = {**os.environ, "DATABASE_URL": f"{postgresql.SERVER}/lava_lite"}
    return subprocess.call([sys.executable, "-m", "pytest", "-m", ELSEWHERE, *sys.argv[1:]], env=environment)


if __name__ == "__main__":
    sys.exit(main())
