"""How a state looks: an icon, a word and a tone together, so that no page ever shows one by its colour alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "bad", "busy", "warn", "still"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    word: str
    icon: str  # a symbol of static/img/icons.svg
    tone: Tone  # a class of the style sheet
    turning: bool = False  # something is going on right now
