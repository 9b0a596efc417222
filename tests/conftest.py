"""The cast and the stage of every test.

alice owns it, bob is in her group, mallory is a stranger, admin may do everything. SQLite is used by default, in a
real file as in a real lab; PostgreSQL where DATABASE_URL names one. Each test has a data directory of its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.db import connection
from hypothesis import settings as of_hypothesis
from pytest_django import Settings

from events import outbox
from events.models import Event
from tests import build, dealing, emptying
from tests.events import checking

# How long an example takes says how busy the machine is, and nothing of what is tested.
of_hypothesis.register_profile("lab", deadline=None)
of_hypothesis.load_profile("lab")


# A shell ignores Ctrl-C for what it begins in the background, and so would everything that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

FIXTURES_OF_DATABASE = {"db", "transactional_db", "django_db_setup"}


# What takes long begins first, so that none of it runs alone at the end: about how many seconds each.
SECONDS = {"chaos": 100, "long": 25, "lab": 4, "browser": 2}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes far longer than most tests, and begins before them")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, for `--numprocesses auto`
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a test that starts a lab waits for it most of the time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or fixtures & FIXTURES_OF_DATABASE:
            item.add_marker("database")  # before `-m` chooses
    yield
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = dealing.deal(items, workers, seconds=_seconds, company=_company)


def _seconds(item: pytest.Item) -> int:
    return max((SECONDS[marker] for marker in SECONDS if item.get_closest_marker(marker)), default=0)


def _company(item: pytest.Item) -> object:
    """What shares the lab of its package stays together; a test with a lab of its own goes wherever there is time."""
    return item if item.get_closest_marker("chaos") else item.path.parent


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """A file and not SQLite's memory: other threads and processes open it, and its locks are the real ones."""
    database = django_settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def emptied_quickly() -> Iterator[None]:
    with emptying.quickly():
        yield


@pytest.fixture(autouse=True)
def data(tmp_path: Path, settings: Settings) -> Path:
    """The data directory of this test alone."""
    settings.DATA = tmp_path
    settings.LOGS = tmp_path / "logs"
    settings.RUN = tmp_path / "run"
    cache.clear()
    return tmp_path


@pytest.fixture(autouse=True)
def undescribed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is recorded, whatever the test is about, and is not as the catalogue says: there must be nothing."""
    record_all, found = outbox.record_all, list[str]()

    def checked(*args: Any, **kwargs: Any) -> list[Event]:
        events = record_all(*args, **kwargs)
        for event in events:
            found.extend(checking.faults(event))
        return events

    monkeypatch.setattr(outbox, "record_all", checked)
    yield found
    assert found == [], (
        "list what is new in events/payloads.py, then: .venv/bin/python -m tests.events.schemas"
    )


@pytest.fixture
def group(db: None) -> Group:
    return build.group("kernel")


@pytest.fixture
def alice(group: Group) -> User:
    return build.user("alice", group)


@pytest.fixture
def bob(group: Group) -> User:
    return build.user("bob", group)


@pytest.fixture
def mallory(db: None) -> User:
    return build.user("mallory")


@pytest.fixture
def admin(db: None) -> User:
    return build.admin()


@pytest.fixture
def on_postgresql(db: None) -> None:
    """For what only PostgreSQL can show: several writers at once."""
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: set DATABASE_URL=postgres://user@host:5432/name")
