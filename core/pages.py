"""Small things that every view of a page needs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def whole_number(text: str | None) -> int | None:
    """A number in an address, of bytes or of a row; None if it is none."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 30):
        return None
    return int(text)


def asks_for_live_parts(request: HttpRequest) -> bool:
    """Whether it is the page itself that asks, to renew what changes by itself."""
    return request.GET.get("fragment") == "live"


def render_live(
    request: HttpRequest, page: str, parts: list[str], context: dict[str, object]
) -> HttpResponse:
    """The page, or with `?fragment=live` only those parts of it that change by themselves."""
    if asks_for_live_parts(request):
        return render(request, "live.html", {**context, "parts": parts})
    return render(request, page, context)
