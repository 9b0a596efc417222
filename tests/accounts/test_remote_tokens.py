"""Tokens for other servers: kept, replaced and forgotten, and shown to nobody; on the page and in the admin site."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.models import RemoteToken
from tests import build

pytestmark = pytest.mark.django_db

PAGE = "/tokens/remote/"
SECRET = "hunter2x-of-the-store"
ADD = reverse("admin:accounts_remotetoken_add")
LIST = reverse("admin:accounts_remotetoken_changelist")


@pytest.fixture
def alices(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def kept(alice: User) -> RemoteToken:
    return RemoteToken.objects.create(user=alice, name="store", secret=SECRET)


def secret_of(user: User, name: str = "store") -> str:
    return str(RemoteToken.objects.get(user=user, name=name).secret)


def test_a_token_is_kept_and_not_shown_again(alices: Client, alice: User) -> None:
    answer = alices.post(PAGE, {"name": "store", "secret": SECRET}, follow=True)

    html = answer.content.decode()
    assert secret_of(alice) == SECRET
    assert "store" in html
    assert SECRET not in html
    assert "no-cache" in answer["Cache-Control"]
    assert "alice: store: Kept a token for another server" in build.audit_trail()
    assert SECRET not in str(build.audit_trail())


def test_another_of_the_same_name_takes_its_place(alices: Client, alice: User, kept: RemoteToken) -> None:
    html = alices.post(PAGE, {"name": "store", "secret": "the new one"}, follow=True).content.decode()

    assert secret_of(alice) == "the new one"
    assert "Replaced: store" in html
    assert RemoteToken.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"secret": ""}, {"name": "x" * 101}, {"name": "a\x07b"}, {"secret": f"{SECRET}\ntwo"}],
)
def test_what_could_not_stand_in_a_header_is_refused_and_not_shown(
    alices: Client, wrong: dict[str, str]
) -> None:
    answer = alices.post(PAGE, {"name": "store", "secret": SECRET} | wrong)

    assert answer.status_code == 400
    assert SECRET not in answer.content.decode()
    assert not RemoteToken.objects.exists()


def test_it_is_forgotten_after_a_question(alices: Client, kept: RemoteToken) -> None:
    address = f"{PAGE}{kept.pk}/forget/"

    asked = alices.get(address).content.decode()
    assert "Forget this token?" in asked
    assert SECRET not in asked
    assert RemoteToken.objects.exists()

    alices.post(address)
    assert not RemoteToken.objects.exists()
    assert any("store: Forgotten" in line for line in build.audit_trail())


def test_nobody_sees_or_forgets_those_of_others(client: Client, bob: User, kept: RemoteToken) -> None:
    client.force_login(bob)

    assert kept.name not in client.get(PAGE).content.decode().split("<pre")[0].split("<tbody>")[-1]
    assert client.get(f"{PAGE}{kept.pk}/forget/").status_code == 404
    assert client.post(f"{PAGE}{kept.pk}/forget/").status_code == 404
    assert RemoteToken.objects.exists()


def test_a_superuser_keeps_one_for_somebody_and_sees_it_no_more(
    client: Client, admin: User, alice: User
) -> None:
    client.force_login(admin)

    client.post(ADD, {"user": alice.pk, "name": "store", "secret": SECRET})

    assert secret_of(alice) == SECRET
    row = RemoteToken.objects.get()
    for address in (LIST, reverse("admin:accounts_remotetoken_change", args=[row.pk])):
        html = client.get(address).content.decode()
        assert "store" in html
        assert SECRET not in html
    assert SECRET not in str(build.audit_trail())


@pytest.mark.parametrize("wrong", [{"name": "a\x07b"}, {"secret": f"{SECRET}\ntwo"}, {"name": "store"}])
def test_the_admin_site_refuses_what_the_page_does_and_shows_no_secret(
    client: Client, admin: User, alice: User, kept: RemoteToken, wrong: dict[str, str]
) -> None:
    client.force_login(admin)

    answer = client.post(ADD, {"user": alice.pk, "name": "mirror", "secret": SECRET} | wrong)

    assert answer.status_code == 200
    assert SECRET not in answer.content.decode()
    assert RemoteToken.objects.get() == kept


def test_staff_keep_see_and_forget_their_own_only(
    client: Client, staff: User, alice: User, kept: RemoteToken
) -> None:
    client.force_login(staff)

    client.post(ADD, {"user": alice.pk, "name": "mirror", "secret": "x"})
    client.post(LIST, {"action": "forget", "_selected_action": kept.pk, "confirmed": "yes"})

    assert "store" not in client.get(LIST).content.decode()
    assert list(RemoteToken.objects.all()) == [kept]


def test_a_superuser_forgets_one_with_a_reason(client: Client, admin: User, kept: RemoteToken) -> None:
    client.force_login(admin)

    client.post(
        LIST, {"action": "forget", "_selected_action": kept.pk, "confirmed": "yes", "reason": "leaked"}
    )

    assert not RemoteToken.objects.exists()
    assert "admin: store: Forgotten: leaked" in build.audit_trail()
