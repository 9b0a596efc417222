"""The whole description of each API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.generators import SchemaGenerator

from core import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class API:
    version: str
    title: str
    summary: str


APIS = {
    api.version: api
    for api in (
        API(
            version="v1",
            title="lava_lite API, version 1",
            summary="The lab's own API. Errors are problems of RFC 9457; lists come in pages by key.",
        ),
        API(
            version="v0.2",
            title="LAVA API, version 0.2",
            summary="As LAVA 2023.01 answers, for the clients that people already have.",
        ),
    )
}


def with_slash(endpoints: Sequence[Any]) -> list[Any]:
    """Each address answers without the slash at its end, too; told once."""
    return [endpoint for endpoint in endpoints if endpoint[0].endswith("/")]


def without_notes(result: Any, **context: Any) -> Any:
    """Enumerations stay where they are used, so the generator's notes about where they are the same say nothing."""
    if isinstance(result, dict):
        return {name: without_notes(part) for name, part in result.items() if name != "x-spec-enum-id"}
    return [without_notes(part) for part in result] if isinstance(result, list) else result


@cache
def document(version: str) -> dict[str, Any]:
    """The same for everybody."""
    api = APIS[version]
    generator = SchemaGenerator(patterns=[path(f"api/{version}/", include(_patterns(version)))])
    made: dict[str, Any] = json.loads(json.dumps(generator.get_schema(request=None, public=True)))
    made["info"] = {"title": api.title, "version": version, "description": api.summary}
    return made


@cache
def as_json(version: str) -> str:
    return json.dumps(document(version), indent=1, ensure_ascii=False)


@cache
def as_yaml(version: str) -> str:
    return yaml.dump(document(version))


def _patterns(version: str) -> list[URLPattern | URLResolver]:
    # The addresses of these documents stand beside them.
    from api.urls import rest_urls
    from api.v1.urls import urlpatterns

    return {"v1": urlpatterns, "v0.2": rest_urls}[version]
