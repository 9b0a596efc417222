from __future__ import annotations

from collections.abc import Iterable

import pytest
from django.contrib.auth.models import Group, Permission, User
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from devices.models import Device, DeviceRight, DeviceTypeRight, Right
from jobs.open_devices import OpenDevices
from tests import build

pytestmark = pytest.mark.django_db

GROUPS = ("kernel", "rack", "lab")
TYPES = {"qemu01": "qemu", "qemu02": "qemu", "rpi01": "rpi"}
PEOPLE = ("alice", "bob", "mallory", "admin")
PERMISSIONS = ("change_device", "view_device")

RIGHTS = st.sampled_from(Right)
RULES = st.lists(st.tuples(st.sampled_from(sorted(TYPES)), st.sampled_from(GROUPS), RIGHTS), max_size=6)
TYPE_RULES = st.lists(
    st.tuples(st.sampled_from(["qemu", "rpi"]), st.sampled_from(GROUPS), RIGHTS), max_size=4
)
MEMBERS = st.sets(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(GROUPS)), max_size=6)
ALLOWED = st.sets(st.tuples(st.sampled_from(PEOPLE + GROUPS), st.sampled_from(PERMISSIONS)), max_size=3)

Pair = tuple[str, str]
Rules = list[tuple[str, str, Right]]


@pytest.fixture
def people() -> list[User]:
    for name in GROUPS:
        build.group(name)
    for name, of_type in TYPES.items():
        build.device(name, device_type=of_type)
    return [build.user("alice"), build.user("bob"), build.user("mallory"), build.admin()]


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(devices=RULES, types=TYPE_RULES, members=MEMBERS, allowed=ALLOWED)
def test_what_is_fetched_for_many_people_is_what_the_rule_says_of_each(
    people: list[User], devices: Rules, types: Rules, members: set[Pair], allowed: set[Pair]
) -> None:
    with build.rolled_back():
        _set_up(devices, types, members, allowed)

        asked = OpenDevices([user.pk for user in people])

        for user in User.objects.all():
            expected = set(Device.objects.open_to(user).values_list("pk", flat=True))
            found = asked.of(user.pk)
            assert (set(TYPES) if found is None else found) == expected


def _set_up(devices: Rules, types: Rules, members: Iterable[Pair], allowed: Iterable[Pair]) -> None:
    groups = {group.name: group for group in Group.objects.all()}
    users = {user.username: user for user in User.objects.all()}
    for device, group, right in devices:
        DeviceRight.objects.get_or_create(device_id=device, group=groups[group], defaults={"right": right})
    for of_type, group, right in types:
        DeviceTypeRight.objects.get_or_create(
            device_type_id=of_type, group=groups[group], defaults={"right": right}
        )
    for user, group in members:
        users[user].groups.add(groups[group])
    for name, codename in allowed:
        permission = Permission.objects.get(codename=codename)
        if name in users:
            users[name].user_permissions.add(permission)
        else:
            groups[name].permissions.add(permission)
