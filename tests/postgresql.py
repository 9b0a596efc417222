"""A lab of several writers at once: on a PostgreSQL database that exists for one test run only."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.lab import Lab

# Where databases may be made; `.ci/run` and `make test` find the usual one by themselves.
SERVER = os.environ.get("TEST_POSTGRESQL") or "postgres://postgres@127.0.0.1:5432"


class PostgreSQLLab(Lab):
    """Its data directory holds logs and keys, and no database."""

    def __init__(self, directory: Path, database: str) -> None:
        super().__init__(directory)
        self.database = database

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "DATABASE_URL": f"{SERVER}/{self.database}"}

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(f"{SERVER}/{self.database}", autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()


def why_not() -> str | None:
    """What keeps these tests from running here."""
    try:
        with psycopg.connect(f"{SERVER}/postgres", connect_timeout=3):
            return None
    except psycopg.OperationalError as error:
        return f"needs PostgreSQL: {SERVER} ({str(error).splitlines()[0]}); TEST_POSTGRESQL names another"


@contextmanager
def database() -> Iterator[str]:
    """The name of a new, empty database; it is gone afterwards."""
    name = sql.Identifier(f"lava_lite_{uuid.uuid4().hex[:12]}")
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield name.as_string(connection).strip('"')
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
