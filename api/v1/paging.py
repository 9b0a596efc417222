"""Lists come in pages by key: the last page costs what the first one does, and nothing is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from api.v1.parameters import USUAL_ROWS

CURSORS = ("before", "after")


class Keyset(BasePagination):
    """By the view's `query`, in the order of keys, or `newest_first`."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        query: Mapping[str, Any] = view.query
        limit = query.get("limit", USUAL_ROWS)
        onward, back = CURSORS if view.newest_first else CURSORS[::-1]
        is_back = back in query and onward not in query
        falling = view.newest_first != is_back
        found = list(_between(queryset, query).order_by("-pk" if falling else "pk")[: limit + 1])
        rows, has_more = found[:limit], len(found) > limit
        if is_back:
            rows.reverse()
        has_next, has_previous = (True, has_more) if is_back else (has_more, onward in query)
        self.next = _address(request, onward, rows[-1].pk) if rows and has_next else None
        self.previous = _address(request, back, rows[0].pk) if rows and has_previous else None
        return rows

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


def _between(rows: QuerySet[Any], query: Mapping[str, Any]) -> QuerySet[Any]:
    if "before" in query:
        rows = rows.filter(pk__lt=query["before"])
    if "after" in query:
        rows = rows.filter(pk__gt=query["after"])
    return rows


def _address(request: Request, cursor: str, key: object) -> str:
    url = request.build_absolute_uri()
    for name in CURSORS:
        url = remove_query_param(url, name)
    return replace_query_param(url, cursor, str(key))
