"""The tests of the server once more, on PostgreSQL, where one answers. Run: python -m tests.on_postgresql"""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg

DEFAULT = "postgres://postgres@127.0.0.1:5432/lava_lite"
# These start processes and browsers of their own, which have the database that they need.
ELSEWHERE = "not lab and not browser and not chaos"


def main() -> int:
    address = os.environ.get("DATABASE_URL") or DEFAULT
    server = address.rpartition("/")[0]
    try:
        psycopg.connect(f"{server}/postgres", connect_timeout=3).close()
    except psycopg.OperationalError as error:
        print(f"Left out: the tests on PostgreSQL, since none answers at {server} ({error}).")  # noqa: T201
        return 0
    command = [sys.executable, "-m", "pytest", "-m", ELSEWHERE, *sys.argv[1:]]
    return subprocess.call(command, env={**os.environ, "DATABASE_URL": address})


if __name__ == "__main__":
    sys.exit(main())
