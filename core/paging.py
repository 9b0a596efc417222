"""Pages of a list that is read from its newest row: by key, so that the last page costs what the first one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    rows: list[Row]  # the newest first
    newer: int | None  # the key after which the page of newer rows begins, if there is one
    older: int | None  # the key before which the page of older rows begins, if there is one


def page(rows: QuerySet[Row], *, size: int, before: int | None = None, after: int | None = None) -> Page[Row]:
    """The newest `size` rows, those just before the key `before`, or those just after the key `after`."""
    if after is not None:
        return _after(rows, after, size)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: size + 1])
    return _shape(found[:size], newer=before is not None, older=len(found) > size)


def _after(rows: QuerySet[Row], after: int, size: int) -> Page[Row]:
    found = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
    return _shape(found[:size][::-1], newer=len(found) > size, older=True)


def _shape(rows: list[Row], *, newer: bool, older: bool) -> Page[Row]:
    return Page(
        rows=rows,
        newer=rows[0].pk if rows and newer else None,
        older=rows[-1].pk if rows and older else None,
    )
