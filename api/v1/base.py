"""What every address of `/api/v1/` has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from api import auth
from api.rest import base
from api.rest.parsers import JSONParser
from api.v1 import parameters, problems
from api.v1.paging import Keyset
from api.v1.parameters import Parameters

Row = TypeVar("Row", bound=Model)


class TokenAuthentication(auth.TokenAuthentication):
    """As in version 0.2, but who is unknown is asked for a token (401), where LAVA refuses (403)."""

    def authenticate_header(self, request: Request) -> str:
        return problems.CHALLENGE


class IsSuperuser(BasePermission):
    message = "Only a superuser may do this."

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.is_superuser)


class Resource(base.Resource):
    authentication_classes = [TokenAuthentication, SessionAuthentication]
    parser_classes = [JSONParser]
    pagination_class = Keyset  # type: ignore[assignment] # version 0.2 counts, this one does not
    parameters: Parameters = {}  # of GET
    failures: Mapping[str, Sequence[int]] = {}  # by method: statuses that others of its kind have not
    query: Mapping[str, Any]  # the values of those that were given

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        known = self.parameters if request.method in ("GET", "HEAD") else {}
        self.query = parameters.read(request, known)

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        return problems.answer

    def get_authenticate_header(self, request: Request) -> str:
        return TokenAuthentication().authenticate_header(request)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return parameters.narrowed(queryset, self.parameters, self.query)

    def about(self, rows: Sequence[Any]) -> dict[str, Any]:
        """What the serializer must know of these rows beside themselves, asked for all of them at once."""
        return {}

    def shown(self, rows: Sequence[Any]) -> Any:
        context = {**self.get_serializer_context(), **self.about(rows)}
        return self.get_serializer_class()(rows, many=True, context=context).data

    def answer(self, row: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        return Response(self.shown([row])[0], status=status, headers=headers)

    def body(self, kind: type[Body]) -> dict[str, Any]:
        """What the request brings, checked."""
        given = kind(data=self.request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)

    @property
    def user(self) -> User:
        """Where a permission has made sure that there is one."""
        return cast(User, self.request.user)


class Listing(Resource):
    """All that who asks may see, in pages."""

    is_list = True
    newest_first = False

    def get(self, request: Request, **key: Any) -> Response:
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(cast(Sequence[Any], rows)))


class Nothing(Resource):
    """An address that is not there, whatever the method."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is no such address in version 1 of this API.")


# What a request brings. A field that is not known is refused: it would be a typing error, and without effect.
class Body(serializers.Serializer[Any]):
    is_closed = True

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := sorted(set(data) - set(self.fields))):
            right = f"expected one of {', '.join(self.fields)}" if self.fields else "this takes no fields"
            raise ValidationError({str(name): [right] for name in unknown})
        return super().to_internal_value(data)


# What an answer looks like that is made by hand. (A docstring would be shown with each of them.)
class Shape(serializers.Serializer[Any]):
    pass


@extend_schema_field(OpenApiTypes.URI)
class PageField(serializers.Field[Any, Any, str, Any]):
    """The address of the page that shows a row."""

    def __init__(self, view: str, key: str = "pk") -> None:
        super().__init__(read_only=True, source="*")
        self.view = view
        self.key = key

    def to_representation(self, value: Any) -> str:
        return page_address(self.context["request"], self.view, getattr(value, self.key))


def page_address(request: HttpRequest | Request, view: str, key: object) -> str:
    return request.build_absolute_uri(reverse(view, args=[key]))


def find(rows: QuerySet[Row], what: str, **key: Any) -> Row:
    """NotFound for what is hidden from who asks, as for what is not there."""
    found = rows.filter(**key).first()
    if found is None:
        raise NotFound(f"There is no {what} {next(iter(key.values()))}, or it is hidden from you.")
    return found
