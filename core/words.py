"""Small enumerations that are stored as a number, shown as a word and shared with LAVA's clients."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class Word(IntEnum):
    """A state or health: LAVA's number, and LAVA's word for it (`Word.SUBMITTED.label == "Submitted"`)."""

    @property
    def label(self) -> str:
        return self.name.capitalize()

    @classmethod
    def choices(cls) -> list[tuple[int, str]]:
        return [(word.value, word.label) for word in cls]

    @classmethod
    def from_label(cls, label: str) -> Self:
        """The word as a client writes it, in any case; ValueError names what would be right."""
        for word in cls:
            if word.label.lower() == label.strip().lower():
                return word
        known = ", ".join(word.label for word in cls)
        raise ValueError(f"{label!r} is none of {known}")
