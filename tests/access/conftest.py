"""One stage for all of these tests, as building it takes longer than looking at it; each undoes what it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from pytest_django import DjangoDbBlocker, Settings

from tests import build
from tests.access.world import World, build_world


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of all of these tests."""
    return tmp_path_factory.mktemp("stage")


@pytest.fixture(autouse=True)
def data(stage: Path, settings: Settings) -> Path:
    settings.DATA = stage
    settings.LOGS = stage / "logs"
    settings.RUN = stage / "run"
    cache.clear()
    return stage


@pytest.fixture(scope="package")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker, stage: Path) -> Iterator[World]:
    logs, django_settings.LOGS = django_settings.LOGS, stage / "logs"
    with django_db_blocker.unblock(), build.rolled_back():
        yield build_world()
    django_settings.LOGS = logs
