"""How an operation is described: from its view, its docstring, its tables of parameters and scopes.

DRF loads this module before any view, so views are known here by their attributes only.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, build_parameter_type
from drf_spectacular.types import OpenApiTypes
from rest_framework.mixins import ListModelMixin
from rest_framework.permissions import SAFE_METHODS
from rest_framework.serializers import Serializer

from accounts.models import Scope
from api.auth import InScope
from api.errors import INVALID_DEFINITION, Kind, kinds
from api.rest.fields import ChosenWordField, FixedField, JobNumberField, WordField
from api.v1 import problems
from api.v1.fields import Text
from api.v1.parameters import Parameter, Parameters
from jobs.numbers import SCHEMAS

Described = dict[str, Any]  # a part of a document

YAML = "application/yaml"
WITH_BODY = ("POST", "PUT", "PATCH")
COLLECTIONS = (
    "jobs",
    "reservations",
    "devices",
    "device-types",
    "devicetypes",
    "aliases",
    "tags",
    "workers",
    "tokens",
    "remote-tokens",
    "webhooks",
    "subscriptions",
    "users",
    "groups",
    "permissions",
    "events",
)
SYSTEM = "system"  # the tag of what belongs to no collection


PROBLEM: Described = {
    "type": "object",
    "description": "What went wrong, as RFC 9457 has it.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "where this kind of problem is explained"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {
            "type": "string",
            "description": "what is wrong this time, where, and what would be right",
        },
        "errors": {
            "type": "object",
            "description": "by the name of a parameter or field: what would be right",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "faults": {
            "type": "array",
            "description": "of a definition",
            "items": {
                "type": "object",
                "required": ["path", "message", "line"],
                "properties": {
                    "path": {"type": "string"},
                    "message": {"type": "string"},
                    "line": {"type": ["integer", "null"]},
                },
            },
        },
    },
}
LAVA_ERROR: Described = {
    "type": ["object", "array"],
    "description": "`detail` or `message` in words, or by the name of each field what is wrong with it.",
}
LOOKUPS = {
    "in": "Any of these, separated by commas.",
    "lt": "Less than this.",
    "gt": "More than this.",
    "isnull": "`true`: has none; `false`: has one.",
    "contains": "Has this text in it.",
    "icontains": "Has this text in it, in whatever case.",
    "startswith": "Begins with this text.",
    "endswith": "Ends with this text.",
}


class Schema(AutoSchema):
    """One operation. Its summary is the first sentence of the method's docstring, or of its view's."""

    def get_summary(self) -> str:
        words = self.get_operation_id().replace("_", " ").capitalize()
        return _docstring(self.view, self.method)[0] or f"{words}."

    def get_description(self) -> str:  # type: ignore[override] # as in the class above, which differs from DRF's
        return "\n\n".join(_docstring(self.view, self.method)[1:])

    def get_request_serializer(self) -> Any:
        found = super().get_request_serializer()
        return None if type(found) is Serializer else found

    def get_response_serializers(self) -> Any:
        found = super().get_response_serializers()
        return OpenApiTypes.OBJECT if type(found) is Serializer else found

    def get_tags(self) -> list[str]:
        first = "".join(self._tokenize_path()[:1])
        return [first if first in COLLECTIONS else SYSTEM]

    @property
    def _has_problems(self) -> bool:
        """Whether it is of version 1."""
        return hasattr(self.view, "parameters")

    def _is_list_view(self, serializer: Any = None) -> bool:
        if isinstance(self.view, ListModelMixin) or getattr(self.view, "is_list", False):
            return bool(self.method == "GET")
        return bool(super()._is_list_view(serializer))

    def _get_filter_parameters(self) -> list[Described]:
        if self._has_problems:
            known: Parameters = getattr(self.view, "parameters", {}) if self.method == "GET" else {}
            return [_described(name, parameter) for name, parameter in known.items()]
        return list(_lava_filters(self.view)) if self._is_list_view() else []

    def _get_request_body(self, direction: Any = "request") -> Any:
        body = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        content = (body or {}).get("content", {})
        if YAML in content:
            content[YAML] = {"schema": {"description": "the definition itself"}}
        return body

    def _get_serializer_name(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        # What is a body only needs no second name for it.
        direction = "response" if getattr(serializer, "is_closed", False) else direction
        return super()._get_serializer_name(serializer, direction, bypass_extensions)

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        return (
            {**schema, "additionalProperties": False} if getattr(serializer, "is_closed", False) else schema
        )

    def _insert_field_validators(self, field: Any, schema: Any) -> None:
        if not isinstance(field, Text):  # which is described whole
            super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]

    def _is_create_operation(self) -> bool:
        return bool(super()._is_create_operation()) or (
            self.method == "POST" and getattr(self.view, "is_list", False)
        )

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        answers = {**super()._get_response_bodies(direction), **self._failures()}
        for answer in answers.values():
            if YAML in answer.get("content", {}):
                answer["content"][YAML] = {"schema": {}}  # whatever the YAML says
        return answers

    def _failures(self) -> Described:
        if self._has_problems:
            media_type, schema = problems.MEDIA_TYPE, self._component("Problem", PROBLEM)
        else:
            media_type, schema = "application/json", self._component("Error", LAVA_ERROR)
        return {
            str(status): {
                "description": "; ".join(kind.title for kind in self._kinds(status)),
                "content": {media_type: {"schema": schema}},
            }
            for status in sorted(self._failing())
        }

    def _failing(self) -> Iterator[int]:
        """The statuses of what can go wrong with any operation of this kind, and of what the view names."""
        asks_who = bool(self.view.get_authenticators())
        yield 400
        if asks_who:
            yield 401 if self._has_problems else 403
        if asks_who and (
            self.method not in SAFE_METHODS or InScope.needed(self.view, self.method) != Scope.READ
        ):
            yield 403
        if "{" in self.path:
            yield 404
        if self.method in WITH_BODY:
            yield from (413, 415)
        if asks_who or self.method not in SAFE_METHODS:
            yield 503
        yield from getattr(self.view, "failures", {}).get(self.method, ())

    def _kinds(self, status: int) -> list[Kind]:
        failing = [kind for kind in kinds() if kind.status == status]
        return [kind for kind in failing if kind is not INVALID_DEFINITION or self.method in WITH_BODY]

    def _component(self, name: str, schema: Described) -> Described:
        component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, object=name, schema=schema)
        self.registry.register_on_missing(component)
        return dict(component.ref)


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "api.auth.TokenAuthentication"
    match_subclasses = True
    name = "token"

    def get_security_requirement(self, auto_schema: AutoSchema) -> Described:
        return {self.name: [InScope.needed(auto_schema.view, auto_schema.method).label]}

    def get_security_definition(self, auto_schema: AutoSchema) -> Described:
        return {"type": "http", "scheme": "bearer", "description": "`Authorization: Token …`, or `Bearer …`"}


class WordScheme(OpenApiSerializerFieldExtension):
    target_class = WordField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Described:
        words = [word.label for word in self.target.words]
        return {"type": "string", "enum": [*words, None] if self.target.allow_null else words}


class ChosenWordScheme(OpenApiSerializerFieldExtension):
    target_class = ChosenWordField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Described:
        words = self.target.words
        kind = words if direction == "request" else type(words[0])  # more are shown than may be set
        return {"type": "string", "enum": [word.label for word in kind]}


class JobNumberScheme(OpenApiSerializerFieldExtension):
    target_class = JobNumberField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Described:
        return {"anyOf": [*SCHEMAS]}


class TextScheme(OpenApiSerializerFieldExtension):
    target_class = Text
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Described:
        pattern = "^[^\\u0000]*$" if self.target.allow_blank else "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$"
        most = {} if self.target.max_length is None else {"maxLength": self.target.max_length}
        return {"type": "string", "pattern": pattern, **most}


class FixedScheme(OpenApiSerializerFieldExtension):
    target_class = FixedField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Described:
        return {"const": self.target.value}


def _docstring(view: Any, method: str) -> list[str]:
    """The paragraphs of the method's or else of its view's own, each in one line."""
    text = getattr(view, method.lower()).__doc__ or type(view).__doc__ or ""
    return [" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n")]


def _described(name: str, parameter: Parameter) -> Described:
    schema = dict(parameter.schema)
    if not parameter.several:
        return _query(name, schema, parameter.help)
    return {
        **_query(name, {"type": "array", "items": schema, "minItems": 1}, parameter.help),
        "style": "form",
        "explode": False,
    }


def _lava_filters(view: Any) -> Iterator[Described]:
    for name in view.filters:
        yield _query(name, {"type": "string"}, LOOKUPS.get(name.rpartition("__")[2], "Exactly this."))
    if view.orderings:
        known = ", ".join(view.orderings)
        yield _query(
            "ordering", {"type": "string"}, f"By {known}; several by commas, the largest first with a `-`."
        )
    if getattr(view, "searched", ()):
        yield _query(
            "search", {"type": "string"}, "Words; each must be in one of the columns that tell what it is."
        )


def _query(name: str, schema: Described, help: str) -> Described:
    return dict(build_parameter_type(name=name, schema=schema, location="query", description=help))
