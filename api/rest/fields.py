"""How single values look in an answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from rest_framework import serializers

from core.words import Word
from jobs.models import NUMBER


class WordField(serializers.Field[Any, Any, str, Any]):
    """A state or health, as LAVA's word for it."""

    def __init__(self, words: type[Word], **options: Any) -> None:
        super().__init__(read_only=True, **options)
        self.words = words

    def to_representation(self, value: int) -> str:
        return self.words(value).label


class ChosenWordField(serializers.ChoiceField):
    """A health that is shown, and that may be set to one of some words, in any case."""

    def __init__(self, words: Iterable[Word], **options: Any) -> None:
        self.words = tuple(words)
        super().__init__(choices=[word.label for word in self.words], **options)

    def to_representation(self, value: Any) -> str:
        return type(self.words[0])(value).label

    def to_internal_value(self, data: Any) -> Any:
        for word in self.words:
            if isinstance(data, str) and word.label.lower() == data.strip().lower():
                return word
        known = ", ".join(word.label for word in self.words)
        raise serializers.ValidationError(f"expected one of {known}, got {str(data)[:40]!r}")


class TimeField(serializers.DateTimeField):
    """ISO 8601 in UTC with a Z, whatever zone the pages show."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, default_timezone=UTC, **options)


class JobNumberField(serializers.Field[int | str, Any, int | str, Any]):
    """The number of a job: 12, or in a group `12.1`, which is a text."""

    def to_internal_value(self, data: Any) -> int | str:
        text = "" if isinstance(data, bool) else str(data)
        if isinstance(data, int | str) and NUMBER.fullmatch(text):
            return int(text) if text.isdecimal() else text
        raise serializers.ValidationError(
            f'expected the number of a job, as 12 or "12.1", got {str(data)[:40]!r}'
        )

    def to_representation(self, value: int | str) -> int | str:
        return value


class FixedField(serializers.Field[Any, Any, Any, Any]):
    """Always the same: LAVA's clients expect the key, and this lab has nothing else to say."""

    def __init__(self, value: Any) -> None:
        super().__init__(read_only=True, source="*")
        self.value = value

    def to_representation(self, value: object) -> Any:
        return self.value
