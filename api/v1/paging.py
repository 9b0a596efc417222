"""Lists come in pages by key: the last page costs what the first one does, and nothing is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from api.v1 import parameters
from api.v1.parameters import USUAL_ROWS
from core.paging import page

CURSORS = ("before", "after")
LOOKED_THROUGH = 10_000  # rows of one page, where no index finds those that are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """The rows of a page, and the keys from which the pages beside it begin."""

    rows: list[Any]
    onward: object | None
    back: object | None


class Keyset(BasePagination):
    """By the view's `query`, in the order of keys, or `newest_first`."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        leaf = _newest_first if view.newest_first else _in_order
        found = leaf(queryset, view.query, searches=parameters.searches(view.parameters, view.query))
        onward, back = CURSORS if view.newest_first else CURSORS[::-1]
        self.next = _address(request, onward, found.onward)
        self.previous = _address(request, back, found.back)
        return found.rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"items": data, "next": self.next, "previous": self.previous})

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["items", "next", "previous"],
            "properties": {"items": schema, "next": link, "previous": link},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[Any]:
        return []  # they are in the view's table


def _newest_first(rows: QuerySet[Any], query: Mapping[str, Any], *, searches: bool) -> Leaf:
    before, after = query.get("before"), query.get("after")
    if before is not None and after is not None:
        rows, after = rows.filter(pk__gt=after), None
    found = page(
        rows,
        size=query.get("limit", USUAL_ROWS),
        before=before,
        after=after,
        span=LOOKED_THROUGH if searches else None,
    )
    return Leaf(rows=found.rows, onward=found.older, back=found.newer)


def _in_order(rows: QuerySet[Any], query: Mapping[str, Any], *, searches: bool) -> Leaf:
    limit = query.get("limit", USUAL_ROWS)
    is_back = "before" in query and "after" not in query
    found = list(_between(rows, query).order_by("-pk" if is_back else "pk")[: limit + 1])
    shown, has_more = found[:limit], len(found) > limit
    if is_back:
        shown.reverse()
    has_next, has_previous = (True, has_more) if is_back else (has_more, "after" in query)
    return Leaf(
        rows=shown,
        onward=shown[-1].pk if shown and has_next else None,
        back=shown[0].pk if shown and has_previous else None,
    )


def _between(rows: QuerySet[Any], query: Mapping[str, Any]) -> QuerySet[Any]:
    if "before" in query:
        rows = rows.filter(pk__lt=query["before"])
    if "after" in query:
        rows = rows.filter(pk__gt=query["after"])
    return rows


def _address(request: Request, cursor: str, key: object) -> str | None:
    if key is None:
        return None
    url = request.build_absolute_uri()
    for name in CURSORS:
        url = remove_query_param(url, name)
    return replace_query_param(url, cursor, str(key))
