from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from accounts.models import RemoteToken, Scope, Token
from tests.api.conftest import Login

TOKENS = "/api/v1/remote-tokens/"
SECRET = "hunter2x-of-the-store"


def test_a_token_is_kept_and_no_answer_has_it(alice: User, login: Login) -> None:
    client = login(alice)

    made = client.post(TOKENS, {"name": "store", "token": SECRET})

    kept = RemoteToken.objects.get(user=alice)
    assert (made.status_code, made.json()) == (201, {"id": kept.pk, "name": "store"})
    assert kept.secret == SECRET
    assert client.get(TOKENS).json()["items"] == [made.json()]


def test_another_of_the_same_name_takes_its_place(alice: User, login: Login) -> None:
    client = login(alice)
    client.post(TOKENS, {"name": "store", "token": SECRET})

    answer = client.post(TOKENS, {"name": "store", "token": "the new one"})

    assert answer.status_code == 200
    assert RemoteToken.objects.get().secret == "the new one"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "store"}, "token"),
        ({"token": SECRET}, "name"),
        ({"name": "a\x07b", "token": SECRET}, "name"),
        ({"name": "x" * 101, "token": SECRET}, "name"),
        ({"name": "store", "token": f"{SECRET}\ntwo"}, "token"),
        ({"name": "store", "token": 7}, "token"),
        ({"name": "store", "token": SECRET, "nmae": ""}, "nmae"),
    ],
)
def test_a_token_that_cannot_be_is_refused_and_not_repeated(
    alice: User, login: Login, body: dict[str, object], field: str
) -> None:
    answer = login(alice).post(TOKENS, body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert SECRET not in answer.content.decode()


def test_everybody_sees_and_forgets_only_tokens_of_their_own(
    alice: User, mallory: User, login: Login
) -> None:
    token = RemoteToken.objects.create(user=alice, name="store", secret=SECRET)
    stranger = login(mallory)

    assert stranger.get(TOKENS).json()["items"] == []
    assert stranger.delete(f"{TOKENS}{token.pk}/").status_code == 404
    assert login(alice).delete(f"{TOKENS}{token.pk}/").status_code == 204
    assert not RemoteToken.objects.exists()


@pytest.mark.parametrize("scope", [Scope.READ, Scope.SUBMIT])
def test_a_token_of_a_narrower_scope_does_not_reach_them(
    alice: User, anyone: APIClient, scope: Scope
) -> None:
    kept = RemoteToken.objects.create(user=alice, name="store", secret=SECRET)
    anyone.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.issue(alice, scope=scope)}")

    assert anyone.get(TOKENS).status_code == 403
    assert anyone.post(TOKENS, {"name": "x", "token": "y"}).status_code == 403
    assert anyone.delete(f"{TOKENS}{kept.pk}/").status_code == 403
