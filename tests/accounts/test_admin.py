"""Tokens in the admin site."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import Token
from tests import build

ADD = reverse("admin:accounts_token_add")
LIST = reverse("admin:accounts_token_changelist")


def secret_shown(html: str) -> str:
    found = re.search(r'id="secret">(\w+)<', html)
    assert found
    return found[1]


def test_a_new_token_is_shown_once_and_opens_the_lab_for_its_user(
    client: Client, admin: User, alice: User
) -> None:
    client.force_login(admin)

    answer = client.post(ADD, {"user": alice.pk, "description": "laptop", "scope": "3"})

    secret = secret_shown(answer.content.decode())
    assert build.user_of(secret) == alice
    assert "no-store" in answer["Cache-Control"]
    assert secret not in client.get(LIST).content.decode()


def test_staff_make_tokens_for_themselves_only(client: Client, staff: User, admin: User) -> None:
    client.force_login(staff)

    answer = client.post(ADD, {"user": admin.pk, "description": "a way up", "scope": "3"})

    assert "Select a valid choice" in answer.content.decode()
    assert not Token.objects.exists()


def test_staff_see_their_own_tokens_only(client: Client, staff: User, alice: User) -> None:
    Token.objects.issue(alice, description="of alice")
    Token.objects.issue(staff, description="of mallory")
    client.force_login(staff)

    page = client.get(LIST).content.decode()

    assert "of mallory" in page
    assert "of alice" not in page


def test_the_owner_of_a_token_cannot_be_changed(client: Client, admin: User, alice: User) -> None:
    Token.objects.issue(alice)
    token = Token.objects.get()
    client.force_login(admin)

    client.post(
        reverse("admin:accounts_token_change", args=[token.pk]),
        {"user": admin.pk, "description": "x", "scope": "1"},
    )

    token.refresh_from_db()
    assert (token.user, token.description) == (alice, "x")


def test_the_list_of_tokens_takes_as_many_queries_for_twenty_as_for_one(
    client: Client, admin: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        Token.objects.issue(build.user(f"user{number}"))
    client.force_login(admin)

    with django_assert_max_num_queries(5):
        assert client.get(LIST).status_code == 200
