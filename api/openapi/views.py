"""Where the descriptions of the APIs are fetched, and the pages that explain them to people."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from api.errors import kinds
from api.openapi import documents
from api.openapi.documents import APIS
from api.openapi.reference import Reference

Writer = Callable[[str], str]


def schema_urls(version: str) -> list[URLPattern]:
    name = f"{version.replace('.', '')}-schema"
    return [
        path("openapi.json", _view(version, documents.as_json, "application/json"), name=name),
        path("openapi.yaml", _view(version, documents.as_yaml, "application/yaml"), name=f"{name}-yaml"),
    ]


@require_safe
def reference(request: HttpRequest, version: str) -> HttpResponse:
    context = {
        "section": "api",
        "reference": Reference.of(version, request.build_absolute_uri("/").rstrip("/")),
        "versions": [(api, "api-docs" if api.version == "v1" else "api-docs-v02") for api in APIS.values()],
        "schema": f"api:{version.replace('.', '')}-schema",
        "problems": kinds(),
    }
    return render(request, "api/reference.html", context)


def _view(version: str, write: Writer, media_type: str) -> Callable[[HttpRequest], HttpResponse]:
    @require_safe
    def schema(request: HttpRequest) -> HttpResponse:
        return HttpResponse(write(version), content_type=f"{media_type}; charset=utf-8")

    return schema
