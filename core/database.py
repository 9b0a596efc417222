"""What the house needs of its database beyond Django's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

PATIENCE_MS = 50


@contextmanager
def impatient() -> Iterator[None]:
    """For a note that nobody waits for: a lock that is not to be had at once raises OperationalError.

    PostgreSQL locks rows, not the database, so there is nothing to be impatient about.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        usual = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")


def without_compiling(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """For a new connection. PostgreSQL takes the rule of who sees a job for dear and compiles it each time it is
    asked, for ten times as long as the answer takes."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET jit = off")
