"""Whoever guesses at a password has to wait, at every door that takes one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from accounts.throttle import MOST_FAILURES
from tests import build

pytestmark = pytest.mark.django_db

Door = Callable[[Client, str, str], HttpResponse]


def _form(address: str) -> Door:
    return lambda client, name, password: client.post(address, {"username": name, "password": password})


def _json(address: str) -> Door:
    return lambda client, name, password: client.post(
        address, {"username": name, "password": password}, content_type="application/json"
    )


LETS_IN = {  # by door: the answer to the right password, to a wrong one, and to who has to wait
    "page": (_form("/login/"), 302, 200, 200),
    "admin site": (_form("/admin/login/"), 302, 200, 200),
    "v0.2": (_json("/api/v0.2/token/"), 200, 400, 429),
    "v1": (_json("/api/v1/tokens/login/"), 201, 401, 429),
    "core4": (_json("/core4/api/login"), 200, 401, 429),
}
DOORS = pytest.mark.parametrize(("door", "good", "wrong", "waits"), LETS_IN.values(), ids=LETS_IN)


@DOORS
def test_after_some_wrong_passwords_the_right_one_has_to_wait_too(
    door: Door, good: int, wrong: int, waits: int, client: Client, admin: User
) -> None:
    for _ in range(MOST_FAILURES):
        assert door(client, "admin", "wrong").status_code == wrong

    assert door(client, "admin", build.PASSWORD).status_code == waits

    cache.clear()  # as a minute does
    assert door(client, "admin", build.PASSWORD).status_code == good


def test_guesses_at_one_door_close_the_others(client: Client, admin: User) -> None:
    for _ in range(MOST_FAILURES):
        _form("/login/")(client, "admin", "wrong")

    assert _json("/api/v1/tokens/login/")(client, "admin", build.PASSWORD).status_code == 429


def test_the_guesses_at_one_name_keep_no_other_out(client: Client, admin: User, bob: User) -> None:
    for _ in range(MOST_FAILURES):
        _form("/login/")(client, "admin", "wrong")

    assert _form("/login/")(client, "bob", build.PASSWORD).status_code == 302


def test_the_page_says_why_it_lets_nobody_in(client: Client, alice: User) -> None:
    for _ in range(MOST_FAILURES):
        _form("/login/")(client, "alice", "wrong")

    html = _form("/login/")(client, "alice", build.PASSWORD).content.decode()

    assert "There were too many wrong passwords for this name; wait a minute." in html
