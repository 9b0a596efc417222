from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User

from tests import build
from tests.api.conftest import Login

USERS = "/api/v1/users/"


def test_a_superuser_makes_a_user_whose_password_is_shown_once(
    admin: User, group: Group, login: Login
) -> None:
    client = login(admin)

    made = client.post(USERS, {"username": "carol", "groups": ["kernel"], "is_staff": True})

    carol = User.objects.get(username="carol")
    assert made.status_code == 201
    assert made["Location"] == f"http://testserver{USERS}carol/"
    assert carol.check_password(made.json()["password"])
    assert (carol.is_staff, made.json()["groups"]) == (True, ["kernel"])
    assert "password" not in client.get(made["Location"]).json()
    assert "admin: carol: Added" in build.audit_trail()


def test_a_password_that_is_given_is_not_shown(admin: User, login: Login) -> None:
    made = login(admin).post(USERS, {"username": "carol", "password": build.PASSWORD})

    assert made.json()["password"] is None
    assert User.objects.get(username="carol").check_password(build.PASSWORD)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "admin"}, "username"),
        ({"username": "carol", "password": "short"}, "password"),
        ({"username": "carol", "groups": ["nosuch"]}, "groups"),
        ({"username": "carol", "email": "x"}, "email"),
        ({"username": "carol", "admin": True}, "admin"),
    ],
)
def test_a_user_who_cannot_be_is_refused(
    admin: User, login: Login, body: dict[str, object], field: str
) -> None:
    answer = login(admin).post(USERS, body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert User.objects.count() == 1


def test_only_what_is_given_of_a_user_changes(admin: User, alice: User, login: Login) -> None:
    client = login(admin)

    changed = client.patch(f"{USERS}alice/", {"email": "alice@example.org"}).json()
    moved = client.patch(f"{USERS}alice/", {"groups": [], "is_active": False}).json()

    assert (changed["email"], changed["groups"]) == ("alice@example.org", ["kernel"])
    assert (moved["email"], moved["groups"], moved["is_active"]) == ("alice@example.org", [], False)
    assert "admin: alice: Changed is_active, groups" in build.audit_trail()


def test_a_new_password_is_made_on_demand(admin: User, alice: User, login: Login) -> None:
    answer = login(admin).patch(f"{USERS}alice/", {"password": None})

    assert User.objects.get(username="alice").check_password(answer.json()["password"])


@pytest.mark.parametrize("field", ["is_active", "is_superuser"])
def test_nobody_shuts_himself_out(admin: User, login: Login, field: str) -> None:
    answer = login(admin).patch(f"{USERS}admin/", {field: False})

    assert answer.status_code == 409
    assert field in answer.json()["detail"]


def test_users_are_listed_and_found_by_a_part_of_their_name(admin: User, alice: User, login: Login) -> None:
    client = login(admin)

    assert [user["username"] for user in client.get(USERS).json()["items"]] == ["admin", "alice"]
    assert [user["username"] for user in client.get(f"{USERS}?q=LIC").json()["items"]] == ["alice"]


@pytest.mark.parametrize("method", ["get", "post", "patch"])
def test_only_a_superuser_looks_after_users(alice: User, login: Login, method: str) -> None:
    alice.is_staff = True
    alice.save()
    address = USERS if method == "post" else f"{USERS}alice/"

    answer = getattr(login(alice), method)(address, {})

    assert answer.status_code == 403
    assert answer.json()["detail"] == "Only a superuser may do this."
