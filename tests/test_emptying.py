"""What a test has committed is gone after it, and what comes with the tables is still there."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from events.models import Event
from tests import build, emptying

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_row_is_left_but_those_that_come_with_the_tables() -> None:
    build.job(submitter=build.user("alice", build.group("kernel")))
    assert Event.objects.exists()

    emptying.empty()

    left = {model for model in apps.get_models() if model._base_manager.exists()}
    assert left == {ContentType, Permission}


def test_a_lost_permission_comes_back_after_the_test() -> None:
    assert emptying.has_its_permissions()

    Permission.objects.all()[:1].get().delete()

    assert not emptying.has_its_permissions()


def test_the_permissions_are_whole_again() -> None:
    assert emptying.has_its_permissions()
