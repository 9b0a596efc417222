"""Where the description of the events is fetched."""

from __future__ import annotations

import json
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from core import yaml
from events import asyncapi


@cache
def as_json() -> str:
    return json.dumps(asyncapi.document(), indent=1, ensure_ascii=False)


@cache
def as_yaml() -> str:
    return yaml.dump(json.loads(as_json()))  # without anchors for what stands in it twice


@require_safe
def in_json(request: HttpRequest) -> HttpResponse:
    return HttpResponse(as_json(), content_type="application/json; charset=utf-8")


@require_safe
def in_yaml(request: HttpRequest) -> HttpResponse:
    return HttpResponse(as_yaml(), content_type="application/yaml; charset=utf-8")


urlpatterns = [
    path("asyncapi.json", in_json, name="v1-asyncapi"),
    path("asyncapi.yaml", in_yaml, name="v1-asyncapi-yaml"),
]
