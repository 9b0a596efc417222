"""Where the descriptions of the APIs are fetched, and the pages that explain them to people."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
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
        "api": APIS[version],
        "operations": _operations(version, request.build_absolute_uri("/").rstrip("/")),
        "versions": [(api, "api-docs" if api.version == "v1" else "api-docs-v02") for api in APIS.values()],
        "schema": f"api:{version.replace('.', '')}-schema",
    }
    return render(request, "api/reference.html", context)


@lru_cache(maxsize=8)
def _operations(version: str, lab: str) -> SafeString:
    """Written once: the description of an API stays as it is for as long as the process runs."""
    context = {"reference": Reference.of(version, lab), "problems": kinds()}
    return render_to_string("api/operations.html", context)


def _view(version: str, write: Writer, media_type: str) -> Callable[[HttpRequest], HttpResponse]:
    @require_safe
    def schema(request: HttpRequest) -> HttpResponse:
        return HttpResponse(write(version), content_type=f"{media_type}; charset=utf-8")

    return schema
