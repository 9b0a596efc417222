"""The database of a test at an earlier state of the tables, and back again."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

OF_POSTGRESQL = (
    """SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale,
              is_nullable, column_default, is_identity
       FROM information_schema.columns WHERE table_schema = current_schema()""",
    "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
       FROM pg_constraint WHERE connamespace = current_schema()::regnamespace""",
)

Target = tuple[str, str | None]  # an app, and its step or None for no table at all


class SingleSteps(MigrationLoader):
    """As if no steps had ever been put together."""

    def load_disk(self) -> None:
        super().load_disk()
        single = {key: step for key, step in self.disk_migrations.items() if not step.replaces}
        self.disk_migrations = single


@pytest.fixture
def latest(transactional_db: None) -> Iterator[None]:
    """The tables as they are now, whatever happens."""
    yield
    upgrade()


def upgrade() -> None:
    """What the start of a lab does to its tables."""
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def migrate(*targets: Target) -> None:
    """There by the steps that a new lab takes."""
    MigrationExecutor(connection).migrate(list(targets))


def migrate_singly(*targets: Target) -> None:
    """There step by step, as a lab of that time came there: it knew nothing of what was put together later."""
    for app, name in together():
        MigrationRecorder(connection).record_unapplied(app, name)
    executor = MigrationExecutor(connection)
    executor.loader = SingleSteps(connection)
    executor.migrate(list(targets))


def together() -> dict[tuple[str, str], tuple[str, str]]:
    """Each step that was put together of single ones, and the last of these."""
    steps = MigrationLoader(None).disk_migrations
    return {key: step.replaces[-1] for key, step in steps.items() if step.replaces}


def tables() -> set[tuple[object, ...]]:
    """All that the database was told to hold, each by its name first; the order of a table's columns is left out."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, type, sql FROM sqlite_master")
            return {(name, kind, _words(sql or "")) for name, kind, sql in cursor.fetchall()}
        found = set()
        for question in OF_POSTGRESQL:
            cursor.execute(question)
            found |= set(cursor.fetchall())
        return found


def _words(sql: str) -> tuple[str, ...]:
    """A column that was added later stands elsewhere."""
    return tuple(sorted(re.findall(r"\w+|[^\w\s]", sql)))
