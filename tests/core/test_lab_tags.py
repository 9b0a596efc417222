from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.templatetags.static import static
from django.utils import timezone

from core.looks import Look
from core.templatetags import lab


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (3601, "1 h 1 s"), (90_061, "1 d 1 h")],
)
def test_a_duration_is_told_in_two_units_at_most(seconds: int, words: str) -> None:
    assert lab.duration(timedelta(seconds=seconds)) == words


def test_a_clock_that_went_back_gives_no_negative_duration() -> None:
    assert lab.duration(timedelta(seconds=-5)) == "0 s"


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "just now"), (47, "40 s ago"), (61, "1 min ago"), (7300, "2 h ago")]
)
def test_a_moment_is_told_by_its_age(seconds: int, words: str) -> None:
    moment = timezone.now() - timedelta(seconds=seconds)

    assert f">{words}</time>" in str(lab.ago(moment))


def test_a_moment_keeps_its_exact_time_for_machines() -> None:
    moment = timezone.now()

    assert f'datetime="{moment.isoformat(timespec="seconds")}"' in str(lab.ago(moment))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("12.5000000000", "12.5"),
        ("1200.0000000000", "1200"),
        ("0E-10", "0"),
        ("-0.0000000001", "-0.0000000001"),
    ],
)
def test_a_measurement_has_neither_filling_zeros_nor_an_exponent(value: str, words: str) -> None:
    assert lab.measurement(Decimal(value)) == words


def test_a_state_is_shown_by_icon_word_and_colour() -> None:
    shown = lab.status(Look(word="Bad", icon="bad", tone="bad"))

    assert 'class="status bad' in shown
    assert f"{static('img/icons.svg')}#bad" in shown
    assert "Bad</span>" in shown


def test_preformatted_text_cannot_become_markup() -> None:
    shown = lab.preformatted("</pre><script>alert(1)</script>")

    assert "<" not in shown
