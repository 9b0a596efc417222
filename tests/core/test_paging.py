from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.paging import page, stretch

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


def test_the_page_after_nothing_is_the_last_one(keys: list[int]) -> None:
    last = page(Group.objects.all(), size=3, after=0)

    assert [row.pk for row in last.rows] == keys[-3:]
    assert (last.newer, last.older) == (keys[-3], None)


def test_a_span_ends_a_search_early_and_leads_on_to_every_row(keys: list[int]) -> None:
    wanted = Group.objects.filter(pk__in=(keys[0], keys[-1]))
    seen: list[int] = []
    before: int | None = None
    for _ in range(keys[0]):
        shown = page(wanted, size=3, before=before, span=3)
        seen += [row.pk for row in shown.rows]
        before = shown.older
        if before is None:
            break

    assert seen == [keys[0], keys[-1]]
    assert before is None


def test_a_span_is_walked_back_to_the_newest_row(keys: list[int]) -> None:
    wanted = Group.objects.filter(pk=keys[0])
    after: int | None = 0
    shown = page(wanted, size=3, after=0, span=3)
    for _ in range(keys[0]):
        if shown.newer is None:
            break
        after = shown.newer
        shown = page(wanted, size=3, after=after, span=3)

    assert [row.pk for row in shown.rows] == keys[:1]


def test_a_full_page_of_a_span_leads_on_from_its_last_row(keys: list[int]) -> None:
    first = page(Group.objects.all(), size=2, span=5)

    assert [row.pk for row in first.rows] == keys[:2]
    assert first.older == keys[1]
    assert first.looked_at == (keys[1], keys[0])


@pytest.mark.parametrize("cursor", [{"before": 10**25}, {"after": 10**25}, {"before": 0}])
def test_a_span_beyond_the_list_is_empty_or_its_end(cursor: dict[str, int], keys: list[int]) -> None:
    page(Group.objects.all(), size=2, span=3, **cursor)
    page(Group.objects.none(), size=2, span=3, **cursor)


@pytest.mark.parametrize("offset", range(9))
@pytest.mark.parametrize("size", range(1, 9))
def test_a_stretch_is_the_same_from_either_end(size: int, offset: int, keys: list[int]) -> None:
    rows = Group.objects.order_by("-pk").values_list("pk", flat=True)

    assert stretch(rows, offset, size, count=7) == keys[offset : offset + size]


def test_the_last_rows_are_not_walked_to_over_all_the_others(keys: list[int]) -> None:
    rows = Group.objects.order_by("-pk").values_list("pk", flat=True)
    with CaptureQueriesContext(connection) as queries:
        assert stretch(rows, 5, 5, count=7) == keys[5:]

    assert "OFFSET" not in queries[0]["sql"]
