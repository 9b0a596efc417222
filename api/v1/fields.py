"""Single values in bodies, as JSON has them: a number is no text here, and a text no truth."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rest_framework import serializers


class Text(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class Number(serializers.FloatField):
    def to_internal_value(self, data: Any) -> float:
        if type(data) not in (int, float):
            self.fail("invalid")
        return super().to_internal_value(data)


class Seconds(Number):
    """A length of time."""

    def to_representation(self, value: timedelta) -> float:  # type: ignore[override]
        return value.total_seconds()

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Its limits are told in seconds."""
        return timedelta(seconds=super().run_validation(data))


class Flag(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data
