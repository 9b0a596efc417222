from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from core.paging import page

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys() -> list[int]:
    """Of seven rows, the newest first."""
    return [Group.objects.create(name=f"group {number}").pk for number in range(7)][::-1]


def test_the_first_page_has_the_newest_rows_and_nothing_newer(keys: list[int]) -> None:
    first = page(Group.objects.all(), size=3)

    assert [row.pk for row in first.rows] == keys[:3]
    assert first.newer is None
    assert first.older == keys[2]


def test_following_older_to_the_end_shows_every_row_once(keys: list[int]) -> None:
    seen = []
    shown = page(Group.objects.all(), size=3)
    while True:
        seen += [row.pk for row in shown.rows]
        if shown.older is None:
            break
        shown = page(Group.objects.all(), size=3, before=shown.older)

    assert seen == keys


def test_newer_leads_back_to_the_page_that_one_came_from(keys: list[int]) -> None:
    second = page(Group.objects.all(), size=3, before=keys[2])

    back = page(Group.objects.all(), size=3, after=second.newer)

    assert [row.pk for row in back.rows] == keys[:3]
    assert back.newer is None
    assert back.older == keys[2]


def test_rows_that_were_added_meanwhile_move_nothing_on_an_older_page(keys: list[int]) -> None:
    Group.objects.create(name="new")

    second = page(Group.objects.all(), size=3, before=keys[2])

    assert [row.pk for row in second.rows] == keys[3:6]


def test_no_rows_make_an_empty_page(db: None) -> None:
    empty = page(Group.objects.all(), size=3)

    assert (empty.rows, empty.newer, empty.older) == ([], None, None)
