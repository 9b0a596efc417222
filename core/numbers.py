"""How numbers are written for people and programs."""

from __future__ import annotations

from decimal import Decimal


def plain(number: Decimal) -> str:
    """Without the zeros that the database fills in, and never with an exponent: `12.5`, `1200`."""
    return f"{number.normalize():f}"
