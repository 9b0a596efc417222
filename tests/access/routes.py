"""Every address that the lab answers, read from the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

ADMIN = "admin/"


def addresses() -> list[str]:
    """The patterns of all HTTP addresses of the product, as they stand in the URL tables.

    Of twins, with a slash at the end and without, that lead to the same view the first one stands for both.
    """
    views: dict[tuple[str, object], str] = {}
    for route, view in _walk(get_resolver().url_patterns, ""):
        if not route.startswith(ADMIN):
            views.setdefault((plain(route), getattr(view, "view_class", view)), route)
    return list(views.values())


def admin_pages() -> set[str]:
    """`devices/device`, for each model that has pages in the admin site."""
    routes = [route for route, _ in _walk(get_resolver().url_patterns, "") if route.startswith(ADMIN)]
    return {"/".join(route.split("/")[1:3]) for route in routes if route.endswith("/add/")}


def plain(route: str) -> str:
    """The twins with and without a slash at the end are one row of the table."""
    return route.rstrip("/") if route != "/" else route


def filled(route: str, parameters: Mapping[str, Any]) -> str:
    """`job/<int:pk>/` with the job's number in it."""
    parts = [_filled_part(part, parameters) for part in route.split("/")]
    return "/" + "/".join(parts)


def _filled_part(part: str, parameters: Mapping[str, Any]) -> str:
    if not part.startswith("<"):
        return part
    name = part.strip("<>").partition(":")[2] or part.strip("<>")
    return str(parameters[name])


def _walk(patterns: list[Any], before: str) -> Iterator[tuple[str, object]]:
    for entry in patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, route)
        elif isinstance(entry, URLPattern):
            yield route, entry.callback
