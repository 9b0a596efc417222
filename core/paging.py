"""Pages of a list: by key from its newest row, or by number from whichever end is nearer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    rows: list[Row]  # the newest first
    newer: int | None  # the key after which the page of newer rows begins, if there is one
    older: int | None  # the key before which the page of older rows begins, if there is one
    looked_at: tuple[int, int] | None = (
        None  # the oldest and the newest key, if only a span was looked through
    )


def page(
    rows: QuerySet[Row],
    *,
    size: int,
    before: int | None = None,
    after: int | None = None,
    span: int | None = None,
) -> Page[Row]:
    """The newest `size` rows, those just before the key `before`, or those just after the key `after`.

    The last page is the one after 0. With a `span` no more than so many keys are looked through: for a search that
    no index helps. Then a page may have few rows, or none, and still lead on.
    """
    if span is not None:
        return _within(rows, size, before, after, span)
    if after is not None:
        return _after(rows, after, size)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: size + 1])
    return _shape(found[:size], newer=before is not None, older=len(found) > size)


def stretch(rows: QuerySet[Any, Value], offset: int, size: int, *, count: int) -> list[Value]:
    """`rows[offset : offset + size]` of so many rows, walked to from the nearer end. No two may stand equal in order."""
    end = min(offset + size, count)
    if offset >= end:
        return []
    if offset <= count - end:
        return list(rows[offset:end])
    return list(rows.reverse()[count - end : count - offset])[::-1]


def _after(rows: QuerySet[Row], after: int, size: int) -> Page[Row]:
    found = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
    return _shape(found[:size][::-1], newer=len(found) > size, older=after > 0)


def _shape(rows: list[Row], *, newer: bool, older: bool) -> Page[Row]:
    return Page(
        rows=rows,
        newer=rows[0].pk if rows and newer else None,
        older=rows[-1].pk if rows and older else None,
    )


def _within(rows: QuerySet[Row], size: int, before: int | None, after: int | None, span: int) -> Page[Row]:
    first, last = _key_at_end(rows, "pk"), _key_at_end(rows, "-pk")
    if after is not None:
        low, high = after + 1, min(after + span, last)
        found = list(rows.filter(pk__gte=low, pk__lte=high).order_by("pk")[: size + 1])
        is_full = len(found) > size
        shown = found[:size][::-1]
        high = shown[0].pk if is_full else high
    else:
        high = last if before is None else min(before - 1, last)
        low = max(first, high - span + 1)
        found = list(rows.filter(pk__gte=low, pk__lte=high).order_by("-pk")[: size + 1])
        is_full = len(found) > size
        shown = found[:size]
        low = shown[-1].pk if is_full else low
    return Page(
        rows=shown,
        newer=high if high < last else None,
        older=low if low > first else None,
        looked_at=(low, high),
    )


def _key_at_end(rows: QuerySet[Row], order: str) -> int:
    """Of the whole table, as what was cleared away below its oldest row need not be looked through."""
    found: int | None = rows.model._default_manager.order_by(order).values_list("pk", flat=True).first()
    return found or 0
