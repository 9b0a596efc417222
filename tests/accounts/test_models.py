"""Users' tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import Token, digest, make_secret
from tests import build

pytestmark = pytest.mark.django_db


def test_a_token_acts_for_its_user(alice: User, bob: User) -> None:
    secret = Token.objects.issue(alice, description="laptop")
    Token.objects.issue(bob)

    assert build.user_of(secret) == alice


def test_a_secret_is_plain_enough_for_an_address_and_long_enough_to_be_one() -> None:
    secrets = {make_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert all(len(secret) == 64 and secret.isascii() and secret.isalnum() for secret in secrets)


def test_the_secret_itself_is_not_stored(alice: User) -> None:
    secret = Token.objects.issue(alice, description="laptop")

    (row,) = Token.objects.values()
    assert secret not in str(row)
    assert row["digest"] == digest(secret)


@pytest.mark.parametrize("wrong", ["", "x", "\0", "\ud800", "a" * 10_000], ids=lambda text: repr(text[:8]))
def test_an_unknown_secret_is_nobody_s(wrong: str, alice: User) -> None:
    Token.objects.issue(alice)

    assert build.user_of(wrong) is None


def test_an_expired_token_is_nobody_s(alice: User) -> None:
    now = timezone.now()
    over = Token.objects.issue(alice, expires=now - timedelta(seconds=1))
    valid = Token.objects.issue(alice, expires=now + timedelta(hours=1))

    assert build.user_of(over) is None
    assert build.user_of(valid) == alice


def test_a_revoked_token_is_nobody_s(alice: User) -> None:
    secret = Token.objects.issue(alice)
    Token.objects.all().delete()

    assert build.user_of(secret) is None


def test_a_user_who_may_not_log_in_has_no_tokens_that_work(alice: User) -> None:
    secret = Token.objects.issue(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)

    assert build.user_of(secret) is None


def test_the_last_use_is_noted_to_the_minute(alice: User) -> None:
    secret = Token.objects.issue(alice)
    build.user_of(secret)
    first = Token.objects.get().last_used
    assert first is not None

    build.user_of(secret)
    assert Token.objects.get().last_used == first

    Token.objects.update(last_used=first - timedelta(minutes=2))
    build.user_of(secret)
    assert Token.objects.get().last_used >= first


def test_a_token_is_shown_by_its_description(alice: User) -> None:
    assert str(Token(user=alice, description="laptop")) == "laptop"
    assert str(Token(user=alice)) == "token of alice"
