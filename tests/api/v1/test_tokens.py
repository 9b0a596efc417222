from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Scope, Token
from tests import build
from tests.api.conftest import Login

TOKENS = "/api/v1/tokens/"
LOGIN = f"{TOKENS}login/"


def test_a_token_is_made_and_its_secret_shown_once(alice: User, login: Login) -> None:
    client = login(alice)

    made = client.post(TOKENS, {"description": "CI", "scope": "submit", "days": 30})

    token = Token.objects.get(description="CI")
    assert made.status_code == 201
    assert build.user_of(made.json()["secret"]) == alice
    assert (made.json()["id"], made.json()["scope"], token.scope) == (token.pk, "submit", Scope.SUBMIT)
    assert token.expires is not None
    assert timedelta(days=29) < token.expires - timezone.now() <= timedelta(days=30)
    assert "secret" not in client.get(TOKENS).json()["items"][0]
    assert "alice: CI: Token for submit" in build.audit_trail()


def test_a_token_lasts_until_the_time_that_is_given(alice: User, login: Login) -> None:
    made = login(alice).post(TOKENS, {"expires": "2999-01-01T00:00:00Z"}).json()

    assert (made["expires"], made["scope"]) == ("2999-01-01T00:00:00Z", "full")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "everything"}, "scope"),
        ({"days": 0}, "days"),
        ({"days": 100_000}, "days"),
        ({"expires": "1999-01-01T00:00:00Z"}, "expires"),
        ({"expires": "2999-01-01T00:00:00Z", "days": 3}, "days"),
        ({"descripton": "x"}, "descripton"),
    ],
)
def test_a_token_that_cannot_be_is_refused(
    alice: User, login: Login, body: dict[str, object], field: str
) -> None:
    answer = login(alice).post(TOKENS, body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_everybody_sees_and_revokes_only_tokens_of_their_own(
    alice: User, mallory: User, login: Login
) -> None:
    Token.objects.issue(alice, description="CI")
    token = Token.objects.get(description="CI")
    stranger = login(mallory)

    assert "CI" not in [each["description"] for each in stranger.get(TOKENS).json()["items"]]
    assert stranger.delete(f"{TOKENS}{token.pk}/").status_code == 404
    assert login(alice).delete(f"{TOKENS}{token.pk}/").status_code == 204
    assert not Token.objects.filter(pk=token.pk).exists()
    assert "alice: CI: Revoked" in build.audit_trail()


def test_a_name_and_a_password_make_a_token(alice: User, anyone: APIClient) -> None:
    body = {"username": "alice", "password": build.PASSWORD, "description": "laptop", "scope": "read"}

    answer = anyone.post(LOGIN, body)

    assert (answer.status_code, answer.json()["scope"]) == (201, "read")
    assert build.user_of(answer.json()["secret"]) == alice


@pytest.mark.parametrize(
    "body", [{"username": "alice", "password": "x"}, {"username": "no", "password": "x"}]
)
def test_a_wrong_password_and_a_wrong_name_are_answered_alike(
    alice: User, anyone: APIClient, body: dict[str, str]
) -> None:
    answer = anyone.post(LOGIN, body, HTTP_AUTHORIZATION="Token stale")

    assert answer.status_code == 401
    assert answer.json()["detail"] == "There is no user of this name with this password."
    assert answer["WWW-Authenticate"]


def test_nobody_logs_in_who_may_not(alice: User, anyone: APIClient) -> None:
    alice.is_active = False
    alice.save()

    assert anyone.post(LOGIN, {"username": "alice", "password": build.PASSWORD}).status_code == 401
