"""A row of a table as an instance of its model, in SQL of one's own.

For what every change of state asks: there Django takes several times longer to find out how a row is read, anew each
time, than the database takes to find the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

M = TypeVar("M", bound=Model)
N = TypeVar("N", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the rows of a model are read from one kind of database."""

    columns: str  # all of them, for a SELECT or after RETURNING
    names: Sequence[str]
    conversions: Mapping[int, Callable[[Any], Any]]  # by place, of what the driver gives

    def instance(self, model: type[Model], row: Sequence[Any]) -> Any:
        """Of a row that begins with `columns`."""
        values = list(row[: len(self.names)])
        for place, convert in self.conversions.items():
            values[place] = convert(values[place])
        return model.from_db(connection.alias, self.names, values)


def reading(model: type[Model], only: Sequence[str] = ()) -> Reading:
    """`only`: the attributes that are read, the key among them; the others are asked for when they are needed."""
    return _reading(model, connection.vendor, tuple(only))


def select(model: type[M], rest: str, values: Sequence[Any], *, only: Sequence[str] = ()) -> list[M]:
    """The rows that `rest` chooses, which is what follows the table's name in a SELECT. `only`: as of `reading`."""
    how = reading(model, only)
    return [how.instance(model, row) for row in _fetched(how.columns, model, rest, values)]


def pairs(model: type[M], other: type[N], rest: str, values: Sequence[Any]) -> list[tuple[M, N]]:
    """The rows of two tables that `rest` joins, which is what follows the first one's name in a SELECT."""
    first, second = reading(model), reading(other)
    found = _fetched(f"{first.columns}, {second.columns}", model, rest, values)
    return [(first.instance(model, row), second.instance(other, row[len(first.names) :])) for row in found]


def written(model: type[Model], values: Mapping[str, Any]) -> dict[str, Any]:
    """What a statement takes for the values of these fields, by their columns."""
    fields: list[Any] = [model._meta.get_field(name) for name in values]
    return {field.column: field.get_db_prep_save(values[field.name], connection) for field in fields}


def _fetched(columns: str, model: type[Model], rest: str, values: Sequence[Any]) -> list[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {model._meta.db_table} {rest}", values)
        found: list[Sequence[Any]] = cursor.fetchall()
    return found


@cache
def _reading(model: type[Model], vendor: str, only: tuple[str, ...]) -> Reading:
    table = model._meta.db_table
    fields = [field for field in model._meta.concrete_fields if not only or field.attname in only]
    return Reading(
        columns=", ".join(f"{table}.{field.column}" for field in fields),
        names=[field.attname for field in fields],
        conversions={
            place: _conversion(steps, column)
            for place, field in enumerate(fields)
            if (steps := _steps(column := field.get_col(table)))
        },
    )


def _steps(column: Any) -> list[Callable[..., Any]]:
    """As the queries of models convert: first what the database needs, then what the field does."""
    return [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]


def _conversion(steps: Sequence[Callable[..., Any]], column: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        for step in steps:
            value = step(value, column, connection)
        return value

    return convert
