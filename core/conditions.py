"""Conditions that are written in SQL, for those that every page asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import BooleanField, Func


class Condition(Func):
    """`Condition("{a} > %s OR {b} IS NULL", [3], a="priority", b="device_id")`: columns by name, values by `%s`.

    Built from querysets, such a condition takes Django several times as long to write as any database to run. This one
    follows its columns into any join or subquery, as they do.
    """

    def __init__(self, sql: str, values: Sequence[object] = (), **columns: str) -> None:
        super().__init__(*columns.values(), output_field=BooleanField())
        self._sql, self._values, self._names = sql, tuple(values), tuple(columns)

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[object]]:  # type: ignore[override]
        written = [compiler.compile(column)[0] for column in self.get_source_expressions()]
        places: Mapping[str, str] = dict(zip(self._names, written, strict=True))
        return f"({self._sql.format(**places)})", list(self._values)
