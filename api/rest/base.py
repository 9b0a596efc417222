"""What every address of `/api/v0.2/` has in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer, Serializer

from accounts.models import Scope
from api.auth import InScope
from api.errors import TooLarge
from api.rest.filters import Filter, Filters, Ordering
from api.rest.paging import Pages
from api.rest.parsers import PARSERS, utf8

MOST_BYTES = 10 * 1024 * 1024  # of a body; far more than a definition may have, however it is encoded


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
    filter_backends = (Filters, Ordering)
    pagination_class = Pages
    serializer_class: type[BaseSerializer[Any]] = Serializer  # of what takes and shows nothing of its own
    scopes: Mapping[str, Scope] = {}  # what a token must reach, by method, where it is not as usual
    filters: dict[str, Filter] = {}
    orderings: dict[str, str] = {}  # the field's name in an answer: its column
    ordering = "id"

    def get_permissions(self) -> list[Any]:
        return [InScope(), *super().get_permissions()]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        # Before anything is decoded: a `charset=` for the body must not change how the query is read.
        request.encoding = "utf-8"
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        _check_query(request.META.get("QUERY_STRING", ""))
        _check_size(request.META.get("CONTENT_LENGTH", ""))
        super().initial(request, *args, **kwargs)


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
