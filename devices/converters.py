"""How the names of the inventory stand in addresses, of pages and of the APIs."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import StringConverter

from devices.models import PLAIN


class NameConverter(StringConverter):
    """As devices, device types and workers are named; any other address is not there."""

    regex = PLAIN


def register() -> None:
    """Called once, when the application is ready: `<lab_name:name>`."""
    register_converter(NameConverter, "lab_name")
