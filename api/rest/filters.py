"""What a list can be narrowed and sorted by: `?state=Running&submitter=alice&ordering=-id`.

A parameter that is not in a view's table is ignored, as LAVA does; a value that cannot be is a 400, where
LAVA 2023.01 falls over or takes it for no filter at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.expressions import OrderBy
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from core.words import Word

Filter = Callable[[str], Q]  # the value as text to the condition; ValueError says what would be right
Reader = Callable[[str], Any]

MOST_WORDS = 20
MOST_DIGITS = 18  # what fits in 64 bits whatever the digits are
LARGEST = 10**MOST_DIGITS - 1
TRUE_WORDS, FALSE_WORDS = ("true", "1"), ("false", "0")
TEXT_LOOKUPS = ("contains", "icontains", "startswith", "endswith")


def number(name: str, column: str = "") -> dict[str, Filter]:
    column = column or name
    return {
        name: _on(column, whole_number),
        f"{name}__in": _on(f"{column}__in", _each(whole_number)),
        f"{name}__lt": _on(f"{column}__lt", whole_number),
        f"{name}__gt": _on(f"{column}__gt", whole_number),
    }


def time(name: str) -> dict[str, Filter]:
    return {
        name: _on(name, moment),
        f"{name}__lt": _on(f"{name}__lt", moment),
        f"{name}__gt": _on(f"{name}__gt", moment),
        f"{name}__isnull": _on(f"{name}__isnull", truth),
    }


def word(name: str, words: type[Word]) -> dict[str, Filter]:
    """A state or health, by the word that answers show."""
    return {
        name: _on(name, words.from_label),
        f"{name}__in": _on(f"{name}__in", _each(words.from_label)),
    }


def text(name: str, column: str = "") -> dict[str, Filter]:
    column = column or name
    return {
        name: _on(column, str),
        f"{name}__in": _on(f"{column}__in", _each(str)),
        **{f"{name}__{lookup}": _on(f"{column}__{lookup}", str) for lookup in TEXT_LOOKUPS},
    }


def emptiness(name: str) -> dict[str, Filter]:
    """Of a text that LAVA keeps as null and this lab as an empty one."""
    return {f"{name}__isnull": lambda value: Q(**{name: ""}) if truth(value) else ~Q(**{name: ""})}


def flag(name: str) -> dict[str, Filter]:
    return {name: _on(name, truth)}


def member(name: str, column: str, read: Reader = str) -> dict[str, Filter]:
    """One of several related rows, by one value: two would give a row twice."""
    return {name: _on(column, read)}


def identity(name: str, column: str = "") -> dict[str, Filter]:
    return {name: _on(column or name, UUID)}


def whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise ValueError(f"expected a whole number of at most {MOST_DIGITS} digits, got {text!r}")
    return int(text)


def moment(text: str) -> datetime:
    """A time without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"expected a time such as 2026-11-22T03:28:46Z, got {text!r}") from None


def truth(text: str) -> bool:
    if text.lower() in TRUE_WORDS:
        return True
    if text.lower() in FALSE_WORDS:
        return False
    raise ValueError(f"expected true or false, got {text!r}")


def _on(lookup: str, read: Reader) -> Filter:
    return lambda value: Q(**{lookup: read(value)})


def _each(read: Reader) -> Reader:
    return lambda value: [read(part) for part in value.split(",")]


class Filters(BaseFilterBackend):
    """By the view's table `filters`; all values that cannot be are named at once."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        known: Mapping[str, Filter] = getattr(view, "filters", {})
        faults: dict[str, list[str]] = {}
        for name, condition in known.items():
            value = request.query_params.get(name, "")
            if not value:
                continue
            try:
                queryset = queryset.filter(condition(value))
            except ValueError as wrong:
                faults[name] = [str(wrong)]
        if faults:
            raise ValidationError(faults)
        return queryset


class Search(BaseFilterBackend):
    """`?search=`: each of its words must be in one of the columns that the view names in `searched`."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        columns: Sequence[str] = getattr(view, "searched", ())
        words = request.query_params.get("search", "").split()
        if len(words) > MOST_WORDS:
            raise ValidationError({"search": [f"expected at most {MOST_WORDS} words, got {len(words)}"]})
        for word in words if columns else ():
            queryset = queryset.filter(reduce(or_, [_holds(queryset, column, word) for column in columns]))
        return queryset


def _holds(queryset: QuerySet[Any], column: str, word: str) -> Q:
    """A related row is looked for in its own table, once, instead of beside each of a hundred thousand rows."""
    relation, _, name = column.partition("__")
    if not name:
        return Q(**{f"{column}__icontains": word})
    related: Any = queryset.model._meta.get_field(relation).related_model
    found = related._default_manager.filter(**{f"{name}__icontains": word}).order_by().values("pk")
    return Q(**{f"{relation}__in": found})


class Ordering(BaseFilterBackend):
    """By the view's table `orderings`; rows that are equal in it stand in the order of their keys."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        asked = request.query_params.get("ordering", "") or getattr(view, "ordering", "pk")
        known: Mapping[str, str] = getattr(view, "orderings", {})
        if not known:
            return queryset
        orders: list[OrderBy | str] = []
        for name in asked.split(","):
            field = name.removeprefix("-")
            if field not in known:
                raise ValidationError({"ordering": [f"{field!r} is none of {', '.join(known)}"]})
            orders.append(_order(queryset, known[field], descending=name.startswith("-")))
        return queryset.order_by(*orders, "pk")


def _order(queryset: QuerySet[Any], column: str, *, descending: bool) -> OrderBy | str:
    if not queryset.model._meta.get_field(column).null:
        return f"-{column}" if descending else column
    # As PostgreSQL does it by itself, on every database: what has no value is the largest.
    return F(column).desc(nulls_first=True) if descending else F(column).asc(nulls_last=True)
