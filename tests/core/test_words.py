import pytest

from core.words import Word


class Light(Word):
    RED = 0
    GREEN = 2


def test_a_word_is_its_number_and_has_its_label() -> None:
    assert Light.GREEN == 2
    assert Light.GREEN.label == "Green"


def test_choices_are_what_a_django_field_takes() -> None:
    assert Light.choices() == [(0, "Red"), (2, "Green")]


@pytest.mark.parametrize("written", ["Green", "green", "GREEN", " green\n"])
def test_a_label_is_read_however_a_client_writes_it(written: str) -> None:
    assert Light.from_label(written) is Light.GREEN


def test_an_unknown_label_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'blue' is none of Red, Green"):
        Light.from_label("blue")
