"""A new lab makes its tables at once; an older one comes to the same tables step by step."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tests import migrating
from tests.migrating import latest

__all__ = ["latest"]

TOGETHER = migrating.together()
APPS = sorted({app for app, _ in TOGETHER})
NOTHING = [(app, None) for app in APPS]
FIRST_DAY = [(app, "0001_initial") for app in APPS]
HALF_WAY = [
    ("accounts", "0002_rights"),
    ("devices", "0004_retry"),
    ("events", "0002_retention"),
    ("jobs", "0009_attempts"),
]


def test_the_steps_put_together_make_the_tables_that_the_single_ones_make(latest: None) -> None:
    migrating.migrate(*NOTHING)
    migrating.migrate(*TOGETHER)
    at_once = migrating.tables()
    migrating.migrate(*NOTHING)

    migrating.migrate_singly(*TOGETHER.values())

    assert migrating.tables() == at_once
    assert {str(name).partition("_")[0] for name, *_ in at_once} > set(APPS)


@pytest.mark.parametrize("then", [FIRST_DAY, HALF_WAY], ids=["first day", "half way"])
def test_a_lab_of_an_earlier_version_gets_the_tables_of_a_new_one(
    then: list[migrating.Target], latest: None
) -> None:
    new = migrating.tables()
    migrating.migrate(*NOTHING)
    migrating.migrate_singly(*then)

    migrating.upgrade()

    assert migrating.tables() == new
    assert set(TOGETHER) <= set(MigrationRecorder(connection).applied_migrations())
