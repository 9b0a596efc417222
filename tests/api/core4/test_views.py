"""core4's calls over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import throttle
from accounts.models import Scope, Token
from events import publisher
from jobs.history import queue
from jobs.states import State
from tests import build

pytestmark = pytest.mark.django_db

LOGIN, ROLES, HISTORY = "/core4/api/login", "/core4/api/v1/roles", "/core4/api/v1/jobs/history"
NEW_USER = {
    "name": "test",
    "realname": "Test User",
    "email": "test@plan-net.com",
    "password": "very secret",
    "role": ["standard_user"],
    "perm": ["api://core4.api.v1.request.queue.history.*"],
}


def log_in(anyone: APIClient, name: str = "alice", password: str = build.PASSWORD) -> Any:
    return anyone.get(LOGIN, {"username": name, "password": password})


def as_user(anyone: APIClient, secret: str) -> APIClient:
    anyone.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return anyone


@pytest.mark.parametrize("path", [LOGIN, f"{LOGIN}/", "/api/login"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_name_and_a_password_give_a_token_to_read_for_eight_hours(
    path: str, method: str, alice: User, anyone: APIClient
) -> None:
    answer = getattr(anyone, method)(path, {"username": "alice", "password": build.PASSWORD})

    body = answer.json()
    token = Token.objects.get()
    assert answer.status_code == body["code"] == 200
    assert (body["message"], len(body["_id"])) == ("OK", 24)
    assert build.user_of(body["data"]["token"]) == alice
    assert token.scope == Scope.READ
    assert token.expires is not None
    assert timedelta(hours=7) < token.expires - timezone.now() <= timedelta(hours=8)
    assert answer["Cache-Control"] == "no-store"


def test_a_superuser_gets_a_token_with_which_users_can_be_made(admin: User, anyone: APIClient) -> None:
    log_in(anyone, "admin")

    assert Token.objects.get().scope == Scope.FULL


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_wrong_password_is_refused_alike_for_known_and_unknown_names(
    name: str, alice: User, anyone: APIClient
) -> None:
    answer = log_in(anyone, name, "wrong")

    body = answer.json()
    assert answer.status_code == body["code"] == 401
    assert body["error"] == "There is no user of this name with this password."
    assert not Token.objects.exists()


def test_whoever_guesses_has_to_wait_even_with_the_right_password(alice: User, anyone: APIClient) -> None:
    for _ in range(throttle.MOST_FAILURES):
        assert log_in(anyone, password="wrong").status_code == 401

    refused = log_in(anyone)

    assert refused.status_code == 429
    assert refused["Retry-After"] == "60"
    assert not Token.objects.exists()


def test_somebody_elses_guesses_keep_nobody_out(alice: User, bob: User, anyone: APIClient) -> None:
    for _ in range(throttle.MOST_FAILURES):
        log_in(anyone, password="wrong")

    assert log_in(anyone, "bob").status_code == 200
    from_elsewhere = {"username": "alice", "password": build.PASSWORD}
    assert anyone.get(LOGIN, from_elsewhere, REMOTE_ADDR="192.0.2.1").status_code == 200


def test_tokens_that_have_expired_do_not_pile_up(alice: User, anyone: APIClient) -> None:
    log_in(anyone)
    Token.objects.update(expires=timezone.now())

    log_in(anyone)

    assert Token.objects.count() == 1


def test_an_administrator_makes_a_user_who_has_no_more_rights_than_others(
    admin: User, anyone: APIClient
) -> None:
    token = log_in(anyone, "admin").json()["data"]["token"]

    answer = as_user(anyone, token).post(ROLES, NEW_USER)

    data, made = answer.json()["data"], User.objects.get(username="test")
    assert answer.status_code == 200
    assert data["etag"]
    assert data["ignored"] == {"role": NEW_USER["role"], "perm": NEW_USER["perm"]}
    assert "not given here" in data["note"]
    assert (made.get_full_name(), made.email) == ("Test User", "test@plan-net.com")
    assert made.check_password("very secret")
    assert (made.is_superuser, made.is_staff, made.get_all_permissions()) == (False, False, set())
    assert not made.groups.exists()
    assert build.audit_trail() == ["admin: test: Added"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "admin"}, "name: this name is taken"),
        ({"password": "short"}, "password: This password is too short"),
        ({"name": "a/b"}, "name: Enter a valid username"),
        ({"email": "nowhere"}, "email: Enter a valid email address"),
        ({"is_superuser": True}, "is_superuser: expected one of name, realname"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_with_a_user_is_said(
    change: dict[str, object], words: str, admin: User, anyone: APIClient
) -> None:
    answer = as_user(anyone, Token.objects.issue(admin)).post(ROLES, NEW_USER | change)

    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert User.objects.count() == 1


@pytest.mark.parametrize("who", ["nobody", "alice", "an administrator who may only read"])
def test_nobody_else_makes_users(who: str, admin: User, alice: User, anyone: APIClient) -> None:
    secrets = {
        "alice": Token.objects.issue(alice),
        "an administrator who may only read": Token.objects.issue(admin, scope=Scope.READ),
    }
    client = as_user(anyone, secrets[who]) if who in secrets else anyone

    answer = client.post(ROLES, NEW_USER)

    assert answer.status_code in (401, 403)
    assert answer.json()["code"] == answer.status_code
    assert not User.objects.filter(username="test").exists()


def test_the_history_is_paged_as_core4_does(alice: User, anyone: APIClient) -> None:
    build.job(submitter=alice, state=State.FINISHED)
    publisher.run_once([])
    queue.run_once()
    token = Token.objects.issue(alice, scope=Scope.READ)

    pages = [anyone.get(HISTORY, {"token": token, "per_page": 3, "page": page}).json() for page in (0, 1, -1)]

    first, last, _ = pages
    assert set(first) == {
        "_id",
        "code",
        "count",
        "data",
        "message",
        "page",
        "page_count",
        "per_page",
        "timestamp",
        "total_count",
    }
    assert [list(row) for row in first["data"]] == [
        ["created", "total"],
        ["created", "total", "running"],
        ["created", "total", "running"],
    ]
    assert (first["count"], first["page"], first["page_count"], first["total_count"]) == (3, 0, 2, 4.0)
    assert [row["total"] for row in last["data"]] == [1]
    assert pages[2]["data"] == last["data"]


def test_a_wrong_token_in_the_address_is_refused(anyone: APIClient) -> None:
    answer = anyone.get(HISTORY, {"token": "zzzz"})

    assert answer.status_code == 401
    assert answer.json()["error"] == "Invalid token."


@pytest.mark.parametrize("path", ["/core4/api/v1/queue", "/core4/api/"])
def test_what_is_not_there_is_said_in_core4s_shape(path: str, anyone: APIClient) -> None:
    answer = anyone.get(path)

    assert answer.status_code == answer.json()["code"] == 404
