"""One stage for all of these tests, as building it takes longer than looking at it; each undoes what it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings

from accounts.models import Token
from tests import build
from tests.access.world import CAST, World, build_world


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


Doors = dict[str, dict[str, Client]]  # by what opens them, then by who of the cast stands there


@pytest.fixture(scope="package")
def doors(world: World, django_db_blocker: DjangoDbBlocker) -> Doors:
    """For each of the cast a browser that is logged in, and a program with a token.

    What they show is in their headers, so that nothing which is answered changes who they are.
    """
    with django_db_blocker.unblock():
        return {
            "session": {name: Client(headers=_cookie(name)) for name in CAST},
            "token": {name: Client(headers=_token(name)) for name in CAST},
        }


def _cookie(name: str) -> dict[str, str]:
    if name == "anonymous":
        return {}
    client = Client()
    client.force_login(build.user(name))
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}


def _token(name: str) -> dict[str, str]:
    if name == "anonymous":
        return {}
    return {"Authorization": f"Token {Token.objects.issue(build.user(name))}"}
