from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Exists, OuterRef

from core.conditions import Condition

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Group:
    User.objects.create(username="alice")
    return Group.objects.create(name="lab")


def test_a_condition_names_columns_and_takes_values_aside(lab: Group) -> None:
    is_lab = Condition("{name} = %s OR {name} = %s", ["lab", "50 % {name}"], name="name")

    assert list(Group.objects.filter(is_lab)) == [lab]
    assert not Group.objects.filter(~is_lab).exists()


def test_a_condition_stays_one_beside_others(lab: Group) -> None:
    either = Condition("{name} = %s OR {name} = %s", ["lab", "office"], name="name")

    assert not Group.objects.filter(either, name="office").exists()


def test_a_condition_of_a_subquery_speaks_of_its_rows(lab: Group) -> None:
    other = Group.objects.create(name="office")
    is_lab = Condition("{name} = %s", ["lab"], name="name")
    before = Group.objects.filter(is_lab, pk__lt=OuterRef("pk"))

    assert list(Group.objects.filter(Exists(before))) == [other]
    assert list(Group.objects.filter(pk__in=Group.objects.filter(is_lab))) == [lab]


def test_two_conditions_do_not_pass_for_one(lab: Group) -> None:
    lab_one, office_one = (Condition("{name} = %s", [name], name="name") for name in ("lab", "office"))

    assert lab_one != office_one
    assert Group.objects.filter(lab_one | office_one).count() == 1


def test_a_condition_follows_a_relation() -> None:
    assert not Permission.objects.filter(
        Condition("{app} = %s", ["none"], app="content_type__app_label")
    ).exists()
