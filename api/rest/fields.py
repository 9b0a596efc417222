"""How single values look in an answer."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from rest_framework import serializers

from core.words import Word


class WordField(serializers.Field[Any, Any, str, Any]):
    """A state or health, as LAVA's word for it."""

    def __init__(self, words: type[Word], **options: Any) -> None:
        super().__init__(read_only=True, **options)
        self.words = words

    def to_representation(self, value: int) -> str:
        return self.words(value).label


class TimeField(serializers.DateTimeField):
    """ISO 8601 in UTC with a Z, whatever zone the pages show."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, default_timezone=UTC, **options)


class FixedField(serializers.Field[Any, Any, Any, Any]):
    """Always the same: LAVA's clients expect the key, and this lab has nothing else to say."""

    def __init__(self, value: Any) -> None:
        super().__init__(read_only=True, source="*")
        self.value = value

    def to_representation(self, value: object) -> Any:
        return self.value
