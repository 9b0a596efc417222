"""The pages of a user's own account: tokens, password, groups, and the login."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import Scope, Token
from devices.models import DeviceRight, DeviceTypeRight, Right
from tests import build

pytestmark = pytest.mark.django_db

NEW_TOKEN = {"description": "CI of the kernel tree", "scope": Scope.SUBMIT.value, "days": "90"}


@pytest.fixture
def alices(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def make(client: Client, **fields: str) -> str:
    """A token by the form; the secret that the answer shows."""
    html = client.post("/tokens/", {**NEW_TOKEN, **fields}).content.decode()
    shown = re.search(r'id="secret"[^>]*>(\w+)<', html)
    assert shown is not None
    return shown[1]


def test_a_new_token_works_as_it_was_asked_for(alices: Client, alice: User) -> None:
    secret = make(alices)

    token = Token.of(secret)
    assert token is not None
    assert (token.user, token.description, token.scope) == (alice, "CI of the kernel tree", Scope.SUBMIT)
    assert token.expires is not None
    assert abs(token.expires - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    assert LogEntry.objects.get().get_change_message() == "Token for submit"


def test_a_token_without_an_end_never_ends(alices: Client) -> None:
    make(alices, days="")

    assert Token.objects.get().expires is None


def test_the_secret_is_shown_once_with_commands_and_kept_nowhere(alices: Client) -> None:
    response = alices.post("/tokens/", NEW_TOKEN)
    html = response.content.decode()
    found = re.search(r'id="secret"[^>]*>(\w+)<', html)
    assert found is not None
    secret = found[1]

    assert f"Authorization: Token {secret}" in html.replace("&quot;", '"')
    assert f"--token {secret} lab" in html
    assert f"LAVA_LITE_TOKEN={secret}" in html
    assert "no-store" in response.headers["Cache-Control"]
    assert secret not in page(alices, "/tokens/")
    assert secret not in str([session.get_decoded() for session in Session.objects.all()])


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"description": ""}, "This field is required"),
        ({"description": "x" * 201}, "at most 200 characters"),
        ({"scope": "9"}, "Select a valid choice"),
        ({"days": "0"}, "greater than or equal to 1"),
        ({"days": "soon"}, "Enter a whole number"),
        ({"days": "99999"}, "less than or equal to 3650"),
    ],
)
def test_a_token_that_is_asked_for_wrongly_is_not_made(
    alices: Client, fields: dict[str, str], complaint: str
) -> None:
    response = alices.post("/tokens/", {**NEW_TOKEN, **fields})

    assert response.status_code == 400
    assert complaint in response.content.decode()
    assert not Token.objects.exists()


def test_a_user_sees_the_own_tokens_only(alices: Client, alice: User, bob: User) -> None:
    Token.objects.issue(alice, description="nightly")
    Token.objects.issue(alice, description="old", expires=timezone.now() - timedelta(days=1))
    Token.objects.issue(bob, description="of bob")

    html = page(alices, "/tokens/")

    assert "nightly" in html
    assert "ended" in html
    assert "of bob" not in html


def test_a_token_is_revoked_after_a_question(alices: Client, alice: User) -> None:
    secret = Token.objects.issue(alice, description="nightly")
    address = f"/tokens/{Token.objects.get().pk}/revoke/"

    assert "Revoke this token?" in page(alices, address)
    assert Token.of(secret) is not None
    response = alices.post(address, follow=True)

    assert "Revoked: nightly." in response.content.decode()
    assert Token.of(secret) is None
    assert LogEntry.objects.get().get_change_message() == "Revoked"


def test_somebody_else_s_token_is_not_found(alices: Client, bob: User) -> None:
    Token.objects.issue(bob)
    address = f"/tokens/{Token.objects.get().pk}/revoke/"

    page(alices, address, 404)
    assert alices.post(address).status_code == 404
    assert Token.objects.exists()


def test_a_token_number_that_fits_in_no_column_is_not_found(alices: Client) -> None:
    page(alices, f"/tokens/{10**40}/revoke/", 404)


@pytest.mark.parametrize("address", ["/tokens/", "/account/", "/account/password/", "/tokens/1/revoke/"])
def test_a_visitor_logs_in_first_and_comes_back(client: Client, address: str) -> None:
    assert client.get(address).headers["Location"] == f"/login/?next={address}"
    assert client.post(address).headers.get("Location", "/login/").startswith("/login/")


@pytest.mark.parametrize("number", [1, 9])
def test_the_page_of_tokens_asks_as_often_for_many_as_for_one(
    alices: Client, alice: User, number: int, django_assert_num_queries
) -> None:
    for _ in range(number):
        Token.objects.issue(alice)

    with django_assert_num_queries(3):  # session, user, tokens
        page(alices, "/tokens/")


# Account


def test_the_account_tells_what_each_group_gives(alices: Client, group: Group) -> None:
    build.device("board-1")
    DeviceTypeRight.objects.create(group=group, device_type_id="qemu", right=Right.SUBMIT)
    DeviceRight.objects.create(group=group, device_id="board-1", right=Right.CHANGE)

    text = re.sub(r"<[^>]+>", "", page(alices, "/account/"))

    assert "kernel" in text
    assert "submit all devices of type qemu" in text
    assert "change the device board-1" in text


def test_the_account_of_somebody_in_no_group_says_what_that_means(client: Client, mallory: User) -> None:
    client.force_login(mallory)

    assert "You are in no group." in page(client, "/account/")


def test_a_password_is_changed_by_who_knows_the_old_one(alices: Client, alice: User) -> None:
    new = {"new_password1": "battery staple horse", "new_password2": "battery staple horse"}

    refused = alices.post("/account/password/", {"old_password": "guess", **new})
    changed = alices.post("/account/password/", {"old_password": build.PASSWORD, **new}, follow=True)

    assert "not changed" in refused.content.decode()
    assert "Your password was changed." in changed.content.decode()
    alice.refresh_from_db()
    assert alice.check_password("battery staple horse")
    assert LogEntry.objects.get().get_change_message() == "Changed the own password"


# Login


def log_in(client: Client, to: str, password: str = build.PASSWORD) -> str:
    """Where it leads, or the page that says why not."""
    response = client.post("/login/", {"username": "alice", "password": password, "next": to})
    return response.headers.get("Location", response.content.decode())


@pytest.mark.parametrize(
    ("to", "leads_to"),
    [
        ("", "/"),
        ("/devices/?health=bad", "/devices/?health=bad"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_the_login_leads_back_within_this_lab_only(
    client: Client, alice: User, to: str, leads_to: str
) -> None:
    assert log_in(client, to) == leads_to


def test_a_wrong_password_is_told_with_what_to_do(client: Client, alice: User) -> None:
    html = log_in(client, "/devices/", "guess")

    assert "an administrator can set a new password" in html
    assert '<input type="hidden" name="next" value="/devices/">' in html


def test_who_is_logged_in_already_is_told_so(alices: Client) -> None:
    html = page(alices, "/login/?next=/devices/")

    assert "You are logged in as alice." in html
    assert '<a href="/devices/">Go on</a>' in html
