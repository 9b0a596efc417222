from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from accounts.models import Scope, Token
from tests import build

TOKEN = "/api/v0.2/token/"


@pytest.mark.parametrize("form", ["json", "multipart"])
def test_a_name_and_a_password_give_a_token_that_works(alice: User, anyone: APIClient, form: str) -> None:
    answer = anyone.post(TOKEN, {"username": "alice", "password": build.PASSWORD}, format=form)

    secret = answer.json()["token"]
    whoami = anyone.get("/api/v0.2/system/whoami/", HTTP_AUTHORIZATION=f"Token {secret}")
    assert answer.status_code == 200
    assert whoami.json() == {"user": "alice"}


def test_a_second_token_leaves_the_first_one_valid(alice: User, anyone: APIClient) -> None:
    credentials = {"username": "alice", "password": build.PASSWORD}
    first, second = (anyone.post(TOKEN, credentials).json()["token"] for _ in range(2))

    assert first != second
    assert build.user_of(first) == build.user_of(second) == alice


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_wrong_credentials_are_refused_alike_for_known_and_unknown_names(
    alice: User, anyone: APIClient, name: str
) -> None:
    answer = anyone.post(TOKEN, {"username": name, "password": "wrong"})

    assert answer.status_code == 400
    assert answer.json() == {"non_field_errors": ["Unable to log in with provided credentials."]}


def test_who_may_not_log_in_gets_no_token(alice: User, anyone: APIClient) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)

    answer = anyone.post(TOKEN, {"username": "alice", "password": build.PASSWORD})

    assert answer.status_code == 400
    assert not Token.objects.exists()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["username", "password"]),
        ({"username": "alice"}, ["password"]),
        ({"username": "al\0ice", "password": "x"}, ["username"]),
        ({"username": "x" * 10, "password": "\0"}, ["password"]),
        ({"username": ["alice"], "password": {}}, ["username", "password"]),
    ],
)
def test_what_is_missing_or_broken_is_named(anyone: APIClient, body: Any, fields: list[str]) -> None:
    answer = anyone.post(TOKEN, body)

    assert answer.status_code == 400
    assert list(answer.json()) == fields


def test_a_token_is_not_given_by_get(anyone: APIClient) -> None:
    assert anyone.get(TOKEN).status_code == 405


@pytest.mark.parametrize(
    ("scope", "answers"),
    [
        (Scope.READ, [200, 200, 403, 403]),
        (Scope.SUBMIT, [200, 200, 201, 200]),
        (Scope.FULL, [200, 200, 201, 200]),
    ],
    ids=lambda value: getattr(value, "label", ""),
)
def test_a_token_does_no_more_than_its_scope(
    scope: Scope, answers: list[int], alice: User, anyone: APIClient
) -> None:
    job = build.job(submitter=alice)
    anyone.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.issue(alice, scope=scope)}")
    definition = {"definition": build.definition()}

    found = [
        anyone.get("/api/v0.2/jobs/").status_code,
        anyone.post("/api/v0.2/jobs/validate/", definition).status_code,
        anyone.post("/api/v0.2/jobs/", definition).status_code,
        anyone.get(f"/api/v0.2/jobs/{job.pk}/cancel/").status_code,
    ]

    assert found == answers


def test_a_token_that_is_too_small_says_what_it_takes(alice: User, anyone: APIClient) -> None:
    anyone.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.issue(alice, scope=Scope.READ)}")

    answer = anyone.post("/api/v0.2/jobs/", {"definition": build.definition()})

    assert answer.json() == {"detail": "This token is for read only; this takes one for submit."}
