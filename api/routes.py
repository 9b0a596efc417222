"""How the addresses of both APIs are written down."""

from __future__ import annotations

from django.urls import URLPattern, path

from api.rest.base import Resource


def both(route: str, view: type[Resource], name: str) -> list[URLPattern]:
    """With the slash at the end, as answers show it, and without: clients use either, and not all follow a redirect."""
    answer = view.as_view()
    return [path(f"{route}/", answer, name=name), path(route, answer)]
