from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postgresql
from tests.lab import Lab
from tests.postgresql import PostgreSQLLab
from tests.statements.visitors import Person


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab for all tests that leave it as it was."""
    running = Lab(tmp_path_factory.mktemp("lab"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="package")
def postgresql_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQLLab]:
    if reason := postgresql.why_not():
        pytest.skip(reason)
    with postgresql.database() as database:
        running = PostgreSQLLab(tmp_path_factory.mktemp("lab"), database)
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="package")
def administrator(lab: Lab) -> Person:
    person = Person(lab)
    person.log_in()
    return person
