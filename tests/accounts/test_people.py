"""Users, groups and the audit trail in the admin site: nobody gives a right that they lack, and nothing is forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts import audit, lifecycle
from accounts.models import Token
from accounts.rights import NotAllowed
from devices import lifecycle as devices
from devices.models import DeviceRight, DeviceTypeRight, Right
from devices.states import DeviceHealth
from jobs import lifecycle as jobs
from tests import build

USERS = reverse("admin:auth_user_changelist")
GROUPS = reverse("admin:auth_group_changelist")
TOKENS = reverse("admin:accounts_token_changelist")
AUDIT = reverse("admin:admin_logentry_changelist")
NO_RIGHTS = {
    f"device_{kind}rights-{number}": "0"
    for kind in ("", "type_")
    for number in ("TOTAL_FORMS", "INITIAL_FORMS")
}


@pytest.fixture
def site(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def staff(mallory: User, client: Client) -> Client:
    """mallory looks after users and groups, and is no superuser."""
    mallory.is_staff = True
    mallory.save()
    mallory.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    client.force_login(mallory)
    return client


def act(site: Client, address: str, action: str, *rows: Any, **fields: Any) -> Any:
    form = {"action": action, "_selected_action": [row.pk for row in rows], "confirmed": "yes", **fields}
    return site.post(address, form, follow=True)


def delete(site: Client, address: str, *rows: Any) -> Any:
    return act(site, address, "delete_selected", *rows, post="yes")


def change(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_a_new_user_gets_a_password_that_the_validators_accept(site: Client) -> None:
    form = {"username": "carol", "usable_password": "true"}
    add = reverse("admin:auth_user_add")

    weak = site.post(add, {**form, "password1": "password", "password2": "password"})
    site.post(add, {**form, "password1": build.PASSWORD, "password2": build.PASSWORD})

    assert "too common" in weak.content.decode()
    assert User.objects.get(username="carol").check_password(build.PASSWORD)


def test_deactivating_somebody_ends_their_login_and_their_tokens(site: Client, alice: User) -> None:
    secret = Token.objects.issue(alice)
    hers = Client()
    hers.force_login(alice)

    answer = act(site, USERS, "deactivate", alice, reason="has left")

    assert said(answer) == ["Deactivated: alice"]
    assert Token.of(secret) is None
    assert hers.get(reverse("submit")).status_code == 302
    assert LogEntry.objects.get(object_id=str(alice.pk)).get_change_message() == "Deactivated: has left"


def test_activating_somebody_lets_them_and_their_tokens_in_again(site: Client, alice: User) -> None:
    secret = Token.objects.issue(alice)
    act(site, USERS, "deactivate", alice)

    act(site, USERS, "activate", alice)

    assert build.user_of(secret) == alice


def test_deactivating_asks_for_a_reason_first(site: Client, alice: User) -> None:
    answer = site.post(USERS, {"action": "deactivate", "_selected_action": [alice.pk]})

    assert "Their jobs and history stay." in answer.content.decode()
    alice.refresh_from_db()
    assert alice.is_active


def test_the_last_superuser_is_not_deactivated(site: Client, admin: User, alice: User) -> None:
    answer = act(site, USERS, "deactivate", admin, alice)

    assert "this is the last superuser who may log in" in said(answer)[0]
    assert User.objects.filter(is_active=True).count() == 2


def test_the_last_superuser_is_not_demoted(site: Client, admin: User) -> None:
    answer = site.post(change(admin), {"is_staff": "on"}, follow=True)

    assert "Make somebody else a superuser first" in said(answer)[0]
    admin.refresh_from_db()
    assert admin.is_superuser


def test_nobody_deletes_themselves_as_the_trail_names_who_did_it(site: Client, admin: User) -> None:
    answer = delete(site, USERS, admin)

    assert "Deactivate admin instead." in said(answer)[0]
    assert User.objects.filter(pk=admin.pk).exists()


def test_one_of_two_superusers_may_be_demoted(site: Client, admin: User) -> None:
    other = build.admin("root")

    site.post(change(other), {"is_staff": "on"})

    other.refresh_from_db()
    assert not other.is_superuser


def test_somebody_with_jobs_is_not_deleted_and_the_answer_says_what_to_do(site: Client, alice: User) -> None:
    build.job(submitter=alice)

    answer = delete(site, USERS, alice)

    assert said(answer) == ["Nothing was changed: alice is named by 1 jobs. Deactivate alice instead."]


def test_somebody_in_the_audit_trail_is_not_deleted(site: Client, alice: User) -> None:
    job = build.job(submitter=build.user("bob"))
    alice.user_permissions.add(Permission.objects.get(codename="change_job"))
    jobs.cancel_for(job, User.objects.get(pk=alice.pk))

    answer = site.post(reverse("admin:auth_user_delete", args=[alice.pk]), {"post": "yes"}, follow=True)

    assert "alice is named by 1 log entries" in said(answer)[0]
    assert User.objects.filter(pk=alice.pk).exists()


def test_somebody_whom_nothing_names_is_deleted_with_their_tokens(site: Client, alice: User) -> None:
    Token.objects.issue(alice)

    delete(site, USERS, alice)

    assert not User.objects.filter(pk=alice.pk).exists()
    assert not Token.objects.exists()


def test_the_name_of_a_user_stays(site: Client, alice: User) -> None:
    site.post(change(alice), {"username": "admin2", "first_name": "Alice", "is_active": ""})

    alice.refresh_from_db()
    assert (alice.username, alice.first_name, alice.is_active) == ("alice", "Alice", True)


def test_staff_make_nobody_a_superuser(staff: Client, alice: User) -> None:
    alice.groups.clear()

    staff.post(change(alice), {"first_name": "Alice", "is_superuser": "on"})

    alice.refresh_from_db()
    assert (alice.first_name, alice.is_superuser) == ("Alice", False)


@pytest.mark.parametrize("path", ["change", "delete"])
def test_staff_do_not_touch_a_superuser(staff: Client, admin: User, path: str) -> None:
    answer = staff.post(reverse(f"admin:auth_user_{path}", args=[admin.pk]), {"post": "yes"})

    assert answer.status_code == 403


def test_staff_do_not_change_the_password_of_a_superuser(staff: Client, admin: User) -> None:
    form = {"password1": "a new password", "password2": "a new password", "usable_password": "true"}

    answer = staff.post(reverse("admin:auth_user_password_change", args=[admin.pk]), form)

    assert answer.status_code == 403
    admin.refresh_from_db()
    assert admin.check_password(build.PASSWORD)


def test_staff_do_not_deactivate_who_may_do_more(staff: Client, admin: User) -> None:
    answer = act(staff, USERS, "deactivate", admin)

    assert said(answer) == ["Nothing was changed: admin may do more than you; ask a superuser."]


def test_staff_put_nobody_into_a_group_that_they_are_not_in(
    staff: Client, mallory: User, group: Group
) -> None:
    answer = staff.post(change(mallory), {"is_staff": "on", "groups": [group.pk]})

    assert "is not one of the available choices" in answer.content.decode()
    assert not mallory.groups.exists()


def test_staff_give_no_permission_that_they_lack(staff: Client, group: Group) -> None:
    permission = Permission.objects.get(codename="change_device")

    answer = staff.post(change(group), {"name": "kernel", "permissions": [permission.pk], **NO_RIGHTS})

    assert "is not one of the available choices" in answer.content.decode()
    assert not group.permissions.exists()


def test_staff_do_not_change_a_group_that_may_do_more(staff: Client, group: Group) -> None:
    group.permissions.add(Permission.objects.get(codename="change_device"))

    assert staff.post(change(group), {"name": "kernel", **NO_RIGHTS}).status_code == 403


def test_staff_give_no_right_on_a_device_that_they_do_not_look_after(staff: Client, mallory: User) -> None:
    build.device("qemu01")
    mallory.user_permissions.add(*Permission.objects.filter(codename__contains="deviceright"))
    mine = build.group("mine")
    row = {"device_rights-0-device": "qemu01", "device_rights-0-right": "3", "device_rights-TOTAL_FORMS": "1"}

    staff.post(change(mine), {"name": "mine", "device_rights-INITIAL_FORMS": "0", **row})
    staff.post(
        reverse("admin:devices_deviceright_add"),
        {"group": mine.pk, "device": "qemu01", "right": Right.CHANGE},
    )

    assert not DeviceRight.objects.exists()


def test_a_group_with_rights_is_not_deleted_as_that_would_open_its_devices(
    site: Client, group: Group
) -> None:
    device_type = build.device_type()
    DeviceTypeRight.objects.create(group=group, device_type=device_type, right=Right.VIEW)

    answer = delete(site, GROUPS, group)

    assert "kernel has 1 rights on devices" in said(answer)[0]
    assert Group.objects.exists()


def test_a_group_without_rights_is_deleted_and_its_members_stay(
    site: Client, alice: User, group: Group
) -> None:
    delete(site, GROUPS, group)

    assert not Group.objects.exists()
    assert User.objects.filter(pk=alice.pk).exists()


def test_the_page_of_a_group_names_its_members(site: Client, alice: User, group: Group) -> None:
    assert f'href="{change(alice)}">alice</a>' in site.get(change(group)).content.decode()


def test_rights_are_given_to_a_group_on_its_own_page(site: Client, group: Group) -> None:
    build.device("qemu01")
    row = {"device_rights-0-device": "qemu01", "device_rights-0-right": "3", "device_rights-TOTAL_FORMS": "1"}

    site.post(change(group), {"name": "kernel", **NO_RIGHTS, **row})

    right = DeviceRight.objects.get()
    assert (right.group, right.device_id, right.right) == (group, "qemu01", Right.CHANGE)


def test_revoked_tokens_are_gone_and_the_trail_says_why(site: Client, alice: User) -> None:
    secret = Token.objects.issue(alice, description="laptop")

    answer = act(site, TOKENS, "revoke", Token.objects.get(), reason="lost")

    assert said(answer) == ["Revoked: laptop"]
    assert Token.of(secret) is None
    assert LogEntry.objects.get().get_change_message() == "Revoked: lost"


def test_nobody_revokes_the_tokens_of_others(alice: User, mallory: User) -> None:
    Token.objects.issue(alice)

    with pytest.raises(NotAllowed):
        lifecycle.revoke(Token.objects.all(), by=mallory)

    assert Token.objects.exists()


def test_a_token_cannot_be_made_that_has_expired_already(site: Client, alice: User) -> None:
    form = {"user": alice.pk, "scope": "1", "expires": "2020-01-01T00:00"}

    answer = site.post(reverse("admin:accounts_token_add"), form)

    assert "To end a token now, revoke it." in answer.content.decode()
    assert not Token.objects.exists()


def test_a_token_is_made_until_a_day(site: Client, alice: User) -> None:
    site.post(
        reverse("admin:accounts_token_add"), {"user": alice.pk, "scope": "1", "expires": "2199-12-31T12:00"}
    )

    token = Token.objects.get()
    assert token.expires is not None
    assert token.expires.isoformat() == "2199-12-31T12:00:00+00:00"
    assert 'value="2199-12-31T12:00"' in site.get(change(token)).content.decode()


@pytest.mark.parametrize("kind", ["auth_user", "auth_group", "accounts_token", "admin_logentry"])
def test_every_list_of_people_takes_as_many_queries_for_twenty_as_it_may_for_one(
    site: Client, django_assert_max_num_queries: DjangoAssertNumQueries, kind: str
) -> None:
    for number in range(20):
        user = build.user(f"user{number}", build.group(f"group{number}"))
        Token.objects.issue(user)
        audit.note(user, user, "was here")

    with django_assert_max_num_queries(9):
        answer = site.get(reverse(f"admin:{kind}_changelist"))

    assert len(answer.context["cl"].result_list) >= 20


def test_the_audit_trail_shows_what_pages_and_apis_have_noted(site: Client, admin: User) -> None:
    build.device("qemu01")
    devices.set_health_for(["qemu01"], DeviceHealth.MAINTENANCE, user=admin, reason="smells of smoke")

    page = site.get(AUDIT).content.decode()

    assert "Maintenance: smells of smoke" in page
    assert f'href="{reverse("admin:devices_device_change", args=["qemu01"])}">qemu01</a>' in page


@pytest.mark.parametrize("query", ["?q=qemu01", "?q=smoke", "?q=admin", "?action_flag__exact=2"])
def test_the_audit_trail_is_narrowed_by_words_name_and_kind(site: Client, admin: User, query: str) -> None:
    build.device("qemu01")
    devices.set_health_for(["qemu01"], DeviceHealth.MAINTENANCE, user=admin, reason="smoke")
    site.post(reverse("admin:devices_tag_add"), {"name": "usb"})

    found = site.get(AUDIT + query).context["cl"].result_list

    assert "qemu01" in [entry.object_id for entry in found]
    assert len(found) < 2 or query == "?q=admin"


def test_nobody_writes_or_deletes_what_is_in_the_audit_trail(site: Client, admin: User) -> None:
    site.post(reverse("admin:devices_tag_add"), {"name": "usb"})
    entry = LogEntry.objects.get()

    answers = [
        site.post(reverse("admin:admin_logentry_change", args=[entry.pk]), {"change_message": "x"}),
        site.post(reverse("admin:admin_logentry_delete", args=[entry.pk]), {"post": "yes"}),
        site.post(reverse("admin:admin_logentry_add"), {}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]


def test_staff_read_in_the_audit_trail_what_they_did_themselves(
    staff: Client, admin: User, mallory: User
) -> None:
    build.device("secret01")
    devices.set_health_for(["secret01"], DeviceHealth.MAINTENANCE, user=admin)
    mallory.user_permissions.add(Permission.objects.get(codename="view_logentry"))

    assert "secret01" not in staff.get(AUDIT).content.decode()
