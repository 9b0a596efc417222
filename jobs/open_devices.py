"""Which devices the jobs of each submitter may have: `Device.objects.open_to`, for many people at once.

A pass over the queue asks for every submitter in it, so the rules are fetched once and applied here. A test holds
this beside `open_to`, with random rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import cache

from django.contrib.auth.models import User
from django.db import connection

from devices.models import Device, DeviceRight, DeviceTypeRight, Right

Rule = tuple[str, int, int]  # a device or a type, a group, and its right

# As `User.has_perm` decides. Those who have such a right are few.
_HOLDERS = """SELECT holder.id, permission.codename FROM auth_permission permission
    JOIN django_content_type type ON type.id = permission.content_type_id AND type.app_label = 'devices'
    JOIN auth_user holder ON holder.is_active AND (
        holder.is_superuser
        OR holder.id IN (SELECT user_id FROM auth_user_user_permissions WHERE permission_id = permission.id)
        OR holder.id IN (
            SELECT mine.user_id FROM auth_user_groups mine
            JOIN auth_group_permissions given ON given.group_id = mine.group_id
            WHERE given.permission_id = permission.id
        )
    )
    WHERE permission.codename IN (%s, %s)"""
NO_GROUPS: frozenset[int] = frozenset()


class OpenDevices:
    """As it is when this is made: for one pass, or one page. As many queries for one submitter as for all."""

    def __init__(self, submitters: Collection[int]) -> None:
        self._devices: list[Rule] = list(DeviceRight.objects.values_list("device_id", "group_id", "right"))
        self._types: list[Rule] = list(
            DeviceTypeRight.objects.values_list("device_type_id", "group_id", "right")
        )
        # Most labs give no rights to groups, and then nobody needs to be asked.
        self._has_rules = bool(self._devices or self._types)
        self._open_to = cache(self._open_to_groups)
        if self._has_rules:
            self._fetch(submitters)

    def _fetch(self, submitters: Collection[int]) -> None:
        self._type_of = dict(Device.objects.values_list("pk", "device_type_id"))
        holders = _holders()
        self._overseers, self._onlookers = holders["change_device"], holders["view_device"]
        groups = defaultdict(set)
        for user, group in User.groups.through.objects.filter(user__in=submitters).values_list(
            "user", "group"
        ):
            groups[user].add(group)
        self._groups = {user: frozenset(mine) for user, mine in groups.items()}

    def of(self, submitter: int) -> frozenset[str] | None:
        """Names of devices; None for all of them. One set for all who are in the same groups."""
        if not self._has_rules or submitter in self._overseers:
            return None
        return self._open_to(self._groups.get(submitter, NO_GROUPS), submitter in self._onlookers)

    def _open_to_groups(self, groups: frozenset[int], sees_all: bool) -> frozenset[str]:
        hidden = set() if sees_all else self._shut_to(groups, Right.VIEW)
        return frozenset(self._type_of.keys() - hidden - self._shut_to(groups, Right.SUBMIT))

    def _shut_to(self, groups: frozenset[int], right: Right) -> set[str]:
        types = _given_to_some(self._types, right) - _given_to_one_of(self._types, groups, right)
        devices = {device for device, of_type in self._type_of.items() if of_type in types}
        devices |= _given_to_some(self._devices, right)
        return devices - _given_to_one_of(self._devices, groups, right)


def _holders() -> dict[str, set[int]]:
    """Who has which of the rights on the whole inventory, by its code name."""
    found: dict[str, set[int]] = {"change_device": set(), "view_device": set()}
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS, list(found))
        for user, codename in cursor.fetchall():
            found[codename].add(user)
    return found


def _given_to_some(rules: list[Rule], right: Right) -> set[str]:
    return {subject for subject, _, given in rules if given == right}


def _given_to_one_of(rules: list[Rule], groups: frozenset[int], right: Right) -> set[str]:
    return {subject for subject, group, given in rules if given >= right and group in groups}
