"""What the addresses take in their query. Each view has a table of these; what is not in it is refused.

A typing error in the name of a filter would otherwise answer with everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from api.rest.filters import moment, truth, whole_number
from core.words import Word

Narrow = Callable[[Any, Any], Any]  # rows and the value to those rows that remain
Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string", "pattern": "^[^\\u0000]*$"}
NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
MOST_ROWS, USUAL_ROWS = 200, 50


def _all_rows(rows: Any, value: Any) -> Any:
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    help: str
    read: Callable[[str], Any] = str  # ValueError says what would be right
    schema: Schema = field(default_factory=lambda: TEXT)
    narrow: Narrow = _all_rows
    several: bool = False  # separated by commas
    is_indexed: bool = True  # the rows are found without looking at many others


Parameters = Mapping[str, Parameter]


def text(help: str, column: str, narrow: Narrow | None = None) -> Parameter:
    """What the column must be, or one of several; `narrow` is for one that is asked for in another way."""
    return Parameter(help=f"{help}; several by commas.", narrow=narrow or _any_of(column), several=True)


def one(help: str, column: str) -> Parameter:
    """One of several related rows."""
    relation, _, name = column.partition("__")
    return Parameter(
        help=help,
        narrow=lambda rows, value: rows.filter(_is_linked(rows, relation, name, value)),
        is_indexed=False,
    )


def _is_linked(rows: Any, relation: str, name: str, value: object) -> Exists:
    """Asked of each row that is walked over: joined, all rows that were ever linked would be read and sorted."""
    column = rows.model._meta.get_field(relation)
    ends = {column.m2m_field_name(): OuterRef("pk"), f"{column.m2m_reverse_field_name()}__{name}": value}
    return Exists(column.remote_field.through._default_manager.filter(**ends))


def part(help: str, column: str) -> Parameter:
    """A part of the column's text, in whatever case."""
    return Parameter(
        help=help,
        narrow=lambda rows, value: rows.filter(**{f"{column}__icontains": value}),
        is_indexed=False,
    )


def word(help: str, words: type[Word], column: str) -> Parameter:
    return Parameter(
        help=f"{help}; several by commas.",
        read=words.from_label,
        schema={"type": "string", "enum": [word.label for word in words]},
        narrow=_any_of(column),
        several=True,
    )


def choice(help: str, words: type[StrEnum], column: str) -> Parameter:
    known = [word.value for word in words]

    def read(text: str) -> Any:
        if text not in known:
            raise ValueError(f"expected one of {', '.join(known)}, got {text!r}")
        return words(text)

    return Parameter(
        help=f"{help}; several by commas.",
        read=read,
        schema={"type": "string", "enum": known},
        narrow=_any_of(column),
        several=True,
    )


def time(help: str, lookup: str) -> Parameter:
    return Parameter(
        help=f"{help}; ISO 8601, in UTC unless it has an offset.",
        read=moment,
        schema={"type": "string", "format": "date-time"},
        narrow=lambda rows, value: rows.filter(**{lookup: value}),
        is_indexed=False,
    )


def number(help: str, *, narrow: Narrow = _all_rows) -> Parameter:
    return Parameter(help=help, read=whole_number, schema=NUMBER, narrow=narrow)


def page(help: str) -> Parameter:
    return Parameter(help=help, read=_page, schema={**NUMBER, "minimum": -NUMBER["maximum"]})


def flag(help: str, *, narrow: Narrow = _all_rows) -> Parameter:
    return Parameter(help=help, narrow=narrow, read=truth, schema={"type": "boolean"})


def _page(text: str) -> int:
    return -whole_number(text[1:]) if text.startswith("-") else whole_number(text)


def _limit(text: str) -> int:
    limit = whole_number(text)
    if not 1 <= limit <= MOST_ROWS:
        raise ValueError(f"expected 1 to {MOST_ROWS}, got {limit}")
    return limit


LIMIT = Parameter(
    help=f"How many items a page has at most; {USUAL_ROWS} unless told.",
    read=_limit,
    schema={"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": USUAL_ROWS},
)
PAGES_BY_ID: Parameters = {
    "before": number("Only items with a smaller id."),
    "after": number("Only items with a larger id."),
    "limit": LIMIT,
}
PAGES_BY_NAME: Parameters = {
    "before": Parameter(help="Only items whose name comes before this one."),
    "after": Parameter(help="Only items whose name comes after this one."),
    "limit": LIMIT,
}


def read(request: Request, known: Parameters) -> dict[str, Any]:
    """The values that were given. All that cannot be are named at once."""
    values: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    for name in request.query_params:
        if name not in known:
            faults[name] = [_unknown(name, known)]
            continue
        try:
            values[name] = _value(known[name], request.query_params.getlist(name))
        except ValueError as wrong:
            faults[name] = [str(wrong)]
    if faults:
        raise ValidationError(faults)
    return values


def narrowed(rows: QuerySet[Any], known: Parameters, values: Mapping[str, Any]) -> QuerySet[Any]:
    for name, value in values.items():
        rows = known[name].narrow(rows, value)
    return rows


def searches(known: Parameters, values: Mapping[str, Any]) -> bool:
    """Whether no index finds the rows: of several filters at once few may fit many rows, and all of them few."""
    given = [known[name] for name in values if known[name].narrow is not _all_rows]
    return len(given) > 1 or not all(parameter.is_indexed for parameter in given)


def _value(parameter: Parameter, given: Sequence[str]) -> Any:
    text = ",".join(given)
    if parameter.several:
        return [parameter.read(each) for each in text.split(",")]
    return parameter.read(text)


def _unknown(name: str, known: Parameters) -> str:
    if not known:
        return "this address takes no parameters"
    return f"there is no parameter of this name here; expected one of {', '.join(sorted(known))}"


def _any_of(column: str) -> Narrow:
    return lambda rows, values: rows.filter(**{f"{column}__in": values})
