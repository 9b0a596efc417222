"""Where the descriptions of the APIs are fetched."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from api.openapi import documents

Writer = Callable[[str], str]


def schema_urls(version: str) -> list[URLPattern]:
    name = f"{version.replace('.', '')}-schema"
    return [
        path("openapi.json", _view(version, documents.as_json, "application/json"), name=name),
        path("openapi.yaml", _view(version, documents.as_yaml, "application/yaml"), name=f"{name}-yaml"),
    ]


def _view(version: str, write: Writer, media_type: str) -> Callable[[HttpRequest], HttpResponse]:
    @require_safe
    def schema(request: HttpRequest) -> HttpResponse:
        return HttpResponse(write(version), content_type=f"{media_type}; charset=utf-8")

    return schema
