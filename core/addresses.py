"""Addresses of pages."""

from __future__ import annotations

from functools import lru_cache

from django.urls import reverse


@lru_cache(maxsize=8192)
def address(view: str, key: str | int) -> str:
    """Of the page about one thing; kept, as long lists lead to the same ones again and again."""
    return reverse(view, args=[key])
