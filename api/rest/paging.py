"""Lists come in pages: `?limit=&offset=`, as LAVA's clients walk them, and as large as a client asks for.

A page is found as keys first, by an index alone, and its rows are read by these: the last page costs what the
first one does. A large page is sent while it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from api.rest.filters import whole_number
from core import paging

AT_ONCE = 500  # rows that are read and sent together
BEYOND: dict[Any, str] = {
    "id": "id__gt",
    "-id": "id__lt",
}  # which rows come after one, by the order of a list


class Pages(LimitOffsetPagination):
    """A number that is none is refused: were it ignored, a client would read the first page for ever."""

    default_limit = 50

    def paginate_queryset(  # type: ignore[override]  # of rows in the database, and nothing else
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        """The keys of the page's rows."""
        self.request = request
        self.limit: int = self.get_limit(request)
        self.offset: int = self.get_offset(request)
        keys = queryset.values_list("pk", flat=True)
        beyond = BEYOND.get(next(iter(queryset.query.order_by), None))
        if self.offset and beyond is None:
            self.count = queryset.count()
            return paging.stretch(keys, self.offset, self.limit, count=self.count)
        found = list(keys[self.offset : self.offset + self.limit])
        self.count = self._count(queryset, found, beyond)
        return found

    def _count(self, queryset: QuerySet[Any], page: Sequence[Any], beyond: str | None) -> int:
        """All of the list; of the rows, those on the way to the page are not looked at again."""
        passed = self.offset + len(page)
        if len(page) < self.limit and (page or not self.offset):
            return passed  # it is the last one
        if not page or beyond is None:
            return queryset.count()
        return passed + queryset.filter(**{beyond: page[-1]}).count()

    def get_limit(self, request: Request) -> int:
        return number(request, "limit") or self.default_limit

    def get_offset(self, request: Request) -> int:
        return number(request, "offset")

    def in_pieces(self, batches: Iterable[Sequence[Any]]) -> Iterator[bytes]:
        """The same answer as `get_paginated_response`, of rows that come in batches of some each."""
        head: bytes = JSONRenderer().render(
            {"count": self.count, "next": self.get_next_link(), "previous": self.get_previous_link()}
        )
        yield head.removesuffix(b"}") + b',"results":['
        between = b""
        for batch in batches:
            yield between + JSONRenderer().render(list(batch)).removeprefix(b"[").removesuffix(b"]")
            between = b","
        yield b"]}"


def number(request: Request, name: str) -> int:
    """A parameter of the query; 0 where it is not given."""
    text = request.query_params.get(name, "")
    try:
        return whole_number(text) if text else 0
    except ValueError as wrong:
        raise ValidationError({name: [str(wrong)]}) from None
