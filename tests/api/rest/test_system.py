from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.api.conftest import Login

SYSTEM = "/api/v0.2/system"


@pytest.mark.parametrize("path", ["version/", "version", "version/?format=json"])
def test_the_version_is_told_without_a_question_to_the_database(
    anyone: APIClient, path: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        answer = anyone.get(f"{SYSTEM}/{path}", HTTP_AUTHORIZATION="Token any")

    assert (answer.status_code, answer.json()) == (200, {"version": "2023.01"})


def test_whoami_names_the_user_of_a_token(alice: User, login: Login) -> None:
    assert login(alice).get(f"{SYSTEM}/whoami/").json() == {"user": "alice"}


def test_whoami_names_nobody_for_an_anonymous_visitor(anyone: APIClient) -> None:
    assert anyone.get(f"{SYSTEM}/whoami/").json() == {"user": ""}


def test_the_configuration_says_where_events_are_heard(anyone: APIClient, settings: Any) -> None:
    settings.EVENT_SOCKET = "tcp://*:5500"

    shown = anyone.get(f"{SYSTEM}/master_config/").json()

    assert (shown["EVENT_SOCKET"], shown["EVENT_TOPIC"]) == ("tcp://*:5500", "org.lavasoftware")
    assert shown["EVENT_NOTIFICATION"] is True
    assert isinstance(shown["LOG_SIZE_LIMIT"], int)


@pytest.mark.parametrize("path", ["/api/v0.2/", "/api/v0.2"])
def test_the_root_names_collections_that_are_there(
    anyone: APIClient, admin: User, login: Login, path: str
) -> None:
    shown = anyone.get(path).json()

    assert list(shown)[:6] == ["jobs", "devices", "devicetypes", "workers", "aliases", "tags"]
    assert {login(admin).get(address).status_code for address in shown.values()} == {200}
