"""What every address of `/api/v0.2/` has in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed, NotFound, ParseError
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer, Serializer

from accounts.models import Scope
from api.auth import InScope
from api.errors import TooLarge
from api.rest.filters import Filter, Filters, Ordering, Search
from api.rest.paging import AT_ONCE, Pages
from api.rest.parsers import PARSERS, utf8

YAML = "application/yaml"
MOST_BYTES = 10 * 1024 * 1024  # of a body; far more than a definition may have, however it is encoded


class MessageSerializer(serializers.Serializer[Any]):
    """What is answered where there is nothing to show."""

    message = serializers.CharField()


class IsAdministrator(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.is_superuser)


def taken(given: BaseSerializer[Any]) -> dict[str, Any]:
    """What a request's body says; ValidationError names every field that is wrong."""
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


class OneForm(DefaultContentNegotiation):
    """Each address answers in its one form, whatever `?format=` or `Accept` ask for."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class Resource(GenericAPIView[Any]):
    content_negotiation_class = OneForm
    parser_classes = PARSERS
    filter_backends = (Filters, Search, Ordering)
    pagination_class = Pages
    queryset: QuerySet[Any] | None = None
    serializer_class: type[BaseSerializer[Any]] = Serializer  # of what takes and shows nothing of its own
    scopes: Mapping[str, Scope] = {}  # what a token must reach, by method, where it is not as usual
    filters: dict[str, Filter] = {}
    searched: tuple[str, ...] = ()  # columns
    orderings: dict[str, str] = {}  # the field's name in an answer: its column
    ordering = "id"

    def get_permissions(self) -> list[Any]:
        return [InScope(), *super().get_permissions()]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        # Before anything is decoded: a `charset=` for the body must not change how the query is read.
        request.encoding = "utf-8"
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))  # whoever asks, and with whatever
        _check_query(request.META.get("QUERY_STRING", ""))
        _check_size(request.META.get("CONTENT_LENGTH", ""))
        super().initial(request, *args, **kwargs)


class Listing(Resource):
    """A list in pages. `queryset` says what is read with each row; `get_queryset` narrows it to what may be seen."""

    is_list = True  # as the description of the API is told

    def get(self, request: Request, **place: Any) -> HttpResponseBase:
        pages = cast(Pages, self.paginator)
        keys = pages.paginate_queryset(self.filter_queryset(self.get_queryset()), request, self)
        if len(keys) <= AT_ONCE:
            return self.get_paginated_response(self._shown(keys))
        batches = (self._shown(keys[start : start + AT_ONCE]) for start in range(0, len(keys), AT_ONCE))
        return StreamingHttpResponse(pages.in_pieces(batches), content_type="application/json")

    def _shown(self, keys: list[Any]) -> list[Any]:
        rows = self.rows().in_bulk(keys)
        # One that was deleted meanwhile is left out.
        found = [rows[key] for key in keys if key in rows]
        return list(self.get_serializer_class()(found, many=True, context=self.get_serializer_context()).data)

    def rows(self) -> QuerySet[Any]:
        """Where rows are read by their keys."""
        assert self.queryset is not None
        return self.queryset.all()


class Nothing(Resource):
    """An address that is not there: said in JSON, to whatever method."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound


def _check_query(query: str) -> None:
    text = utf8(unquote_to_bytes(query.encode("latin-1")), of="query")
    if "\0" in text:
        raise ParseError("the query holds the character NUL")


def _check_size(announced: str) -> None:
    if announced.isdecimal() and int(announced) > MOST_BYTES:
        raise TooLarge(f"The body has {announced} bytes; {MOST_BYTES} are the most that is accepted here.")
