"""Who sees, uses and looks after which devices."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User

from accounts.rights import Anyone, NotAllowed
from devices import lifecycle
from devices.models import Device, DeviceRight, DeviceType, DeviceTypeRight, Right, devices_seen_by
from devices.states import DeviceHealth
from tests import build

pytestmark = pytest.mark.django_db

NOBODY = AnonymousUser()


@pytest.fixture(autouse=True)
def qemu01(db: None) -> Device:
    return build.device()


def may_see(user: Anyone) -> bool:
    """As its page asks it, and as its events do."""
    sees = Device.objects.visible_to(user).filter(pk="qemu01").exists()
    assert devices_seen_by(user, among=["qemu01", "nowhere"]) == ({"qemu01"} if sees else set())
    return sees


def may_use(user: Anyone) -> bool:
    return Device.objects.open_to(user).filter(pk="qemu01").exists()


def may_change(user: Anyone) -> bool:
    return Device.objects.changeable_by(user).filter(pk="qemu01").exists()


def rights(*users: Anyone) -> list[str]:
    """For each user the letters of what is theirs: s(ee), u(se), c(hange)."""
    return [
        "".join(
            letter for letter, has in zip("suc", (may_see, may_use, may_change), strict=True) if has(user)
        )
        for user in users
    ]


def test_without_any_rule_all_see_a_device_and_who_is_logged_in_uses_it(
    alice: User, mallory: User, admin: User
) -> None:
    assert rights(NOBODY, mallory, alice, admin) == ["s", "su", "su", "suc"]


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        (Right.VIEW, ["", "", "su", "suc"]),
        (Right.SUBMIT, ["s", "s", "su", "suc"]),
        (Right.CHANGE, ["s", "su", "suc", "suc"]),
    ],
)
@pytest.mark.parametrize("on", ["device", "type"])
def test_a_right_given_to_a_group_is_that_group_s_alone(
    on: str, right: Right, expected: list[str], group: Group, alice: User, mallory: User, admin: User
) -> None:
    build.right(group, "qemu01" if on == "device" else "qemu", right)

    assert rights(NOBODY, mallory, alice, admin) == expected


def test_a_rule_of_the_device_stands_before_that_of_its_type(
    group: Group, alice: User, mallory: User
) -> None:
    others = build.group("others")
    mallory.groups.add(others)
    build.right(group, "qemu", Right.VIEW)
    build.right(others, "qemu01", Right.VIEW)

    assert rights(alice, mallory) == ["", "su"]


def test_who_was_given_a_device_sees_it_though_its_type_is_hidden(
    group: Group, alice: User, mallory: User
) -> None:
    build.right(build.group("others"), "qemu", Right.VIEW)
    build.right(group, "qemu01", Right.CHANGE)

    assert rights(mallory, alice) == ["", "suc"]


def test_one_of_several_groups_is_enough(group: Group, alice: User, mallory: User) -> None:
    others = build.group("others")
    mallory.groups.add(others)
    build.right(group, "qemu01", Right.VIEW)
    build.right(others, "qemu01", Right.SUBMIT)

    assert rights(NOBODY, mallory, alice) == ["", "su", "s"]


def test_a_right_on_a_type_is_seen_in_the_list_of_types(group: Group, alice: User, mallory: User) -> None:
    build.right(group, "qemu", Right.VIEW)

    assert not DeviceType.objects.visible_to(mallory).exists()
    assert DeviceType.objects.visible_to(alice).get().pk == "qemu"
    assert not DeviceType.objects.open_to(mallory).exists()


def test_a_permission_on_all_devices_needs_no_group(group: Group, mallory: User) -> None:
    build.right(group, "qemu01", Right.VIEW)
    mallory.user_permissions.add(Permission.objects.get(codename="change_device"))

    assert rights(User.objects.get(pk=mallory.pk)) == ["suc"]


def test_who_may_view_all_devices_does_not_use_those_of_others(group: Group, mallory: User) -> None:
    build.right(group, "qemu01", Right.VIEW)
    build.right(build.group("testers"), "qemu01", Right.SUBMIT)
    mallory.user_permissions.add(Permission.objects.get(codename="view_device"))

    assert rights(User.objects.get(pk=mallory.pk)) == ["s"]


def test_a_group_that_is_deleted_takes_its_rule_with_it(group: Group, mallory: User) -> None:
    build.right(group, "qemu01", Right.VIEW)

    group.delete()

    assert rights(mallory) == ["su"]


def test_who_looks_after_a_type_takes_its_devices_out_and_it_is_noted(group: Group, alice: User) -> None:
    build.right(group, "qemu", Right.CHANGE)

    lifecycle.set_health_for(["qemu01"], DeviceHealth.MAINTENANCE, user=alice, reason="new relay")

    assert Device.objects.get().health == DeviceHealth.MAINTENANCE
    assert build.audit_trail() == ["alice: qemu01: Maintenance: new relay"]


def test_of_many_devices_all_are_changed_or_none(group: Group, alice: User) -> None:
    build.device("qemu02")
    build.right(group, "qemu01", Right.CHANGE)

    with pytest.raises(NotAllowed, match="you do not look after qemu02"):
        lifecycle.set_health_for(["qemu01", "qemu02"], DeviceHealth.MAINTENANCE, user=alice)

    assert set(Device.objects.values_list("health", flat=True)) == {DeviceHealth.GOOD}
    assert build.audit_trail() == []


def test_a_hidden_device_is_missing_and_not_forbidden(group: Group, mallory: User) -> None:
    build.right(group, "qemu01", Right.VIEW)

    with pytest.raises(Device.DoesNotExist, match="no device qemu01"):
        lifecycle.set_health_for(["qemu01"], DeviceHealth.GOOD, user=mallory)


def test_the_history_has_each_change_of_health_or_reason_with_who_and_why() -> None:
    lifecycle.maintenance("qemu01", by="carol", reason="new relay")
    lifecycle.maintenance("qemu01", by="carol", reason="still waiting for the relay")
    lifecycle.good("qemu01", by="dave")

    history = Device.objects.get().health_changes.values_list("previous", "health", "reason", "by")
    good, out = DeviceHealth.GOOD.value, DeviceHealth.MAINTENANCE.value
    assert list(history) == [
        (out, good, "", "dave"),
        (out, out, "still waiting for the relay", "carol"),
        (good, out, "new relay", "carol"),
        (None, good, "", ""),
    ]


def test_a_bare_save_is_in_the_history_and_one_of_something_else_is_not() -> None:
    device = Device.objects.get()
    device.description = "on the left"
    device.save()
    device.health = DeviceHealth.BAD
    device.save()

    assert [change.health for change in device.health_changes.all()] == [DeviceHealth.BAD, DeviceHealth.GOOD]


def test_a_group_has_one_right_on_a_thing(group: Group) -> None:
    build.right(group, "qemu01", Right.VIEW)
    build.right(group, "qemu01", Right.CHANGE)

    assert DeviceRight.objects.get().right == Right.CHANGE
    assert not DeviceTypeRight.objects.exists()
