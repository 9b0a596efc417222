"""What people fill in about jobs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils.text import capfirst

from core.templatetags.lab import duration
from jobs.definition import MAX_NAME, MAX_REASON, MAX_TIMEOUT, Fault
from jobs.models import LONGEST_QUESTION, Wait

LENGTHS = (15, 30, 60, 120, 240, 480, 720, 1440)  # minutes


class SubmitForm(forms.Form):
    """A text, or a file that has it. Its faults have lines and paths; the view lists them."""

    definition = forms.CharField(
        strip=False,
        required=False,
        widget=forms.Textarea(
            attrs={
                "spellcheck": "false",
                "autocomplete": "off",
                "autocapitalize": "off",
                "wrap": "off",
                "rows": 28,
            }
        ),
    )
    file = forms.FileField(required=False, allow_empty_file=True)

    def clean(self) -> dict[str, object]:
        """A file stands before the text. Browsers send CRLF, whatever was typed or pasted."""
        file = self.cleaned_data.get("file")
        text: str = self.cleaned_data.get("definition") or ""
        if file:
            # One byte more than may be, so that the definition is refused for its size and not cut.
            text = file.read(settings.DEFINITION_LIMIT + 1).decode("utf-8", "replace")
        if not text.strip():
            raise forms.ValidationError("There is no text.")
        return {"definition": text.replace("\r\n", "\n")}


class DeferForm(forms.Form):
    minutes = forms.IntegerField(min_value=1, max_value=int(MAX_TIMEOUT.total_seconds()) // 60)
    reason = forms.CharField(required=False, max_length=MAX_REASON)


class CancelForm(forms.Form):
    reason = forms.CharField(
        required=False, max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


def _minutes(value: object) -> timedelta:
    return timedelta(minutes=int(str(value)))


class ReserveForm(forms.Form):
    length = forms.TypedChoiceField(label="For how long?", coerce=_minutes, initial=60)
    purpose = forms.CharField(
        label="What for?",
        max_length=MAX_NAME,
        help_text="Everybody who sees the device reads it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "bisecting the boot of v6.18"}),
    )
    tags = forms.CharField(
        label="Tags that it must have",
        required=False,
        max_length=MAX_NAME,
        help_text="With commas between them; empty if any device will do.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off"}),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        length: Any = self.fields["length"]
        length.choices = [(minutes, duration(timedelta(minutes=minutes))) for minutes in _lengths()]

    @property
    def wished(self) -> dict[str, Any]:
        """As a `Wish` calls it."""
        tags = [tag.strip() for tag in self.cleaned_data["tags"].split(",")]
        return {
            "length": self.cleaned_data["length"],
            "purpose": self.cleaned_data["purpose"],
            "tags": tuple(tag for tag in tags if tag),
        }

    def refuse(self, faults: Iterable[Fault]) -> None:
        """Show what the lab found, each where it belongs."""
        fields = {"duration": "length", "purpose": "purpose", "tags": "tags"}
        for fault in faults:
            self.add_error(fields.get(fault.path), f"{capfirst(fault.message)}.")


class ExtendForm(forms.Form):
    minutes = forms.TypedChoiceField(choices=[(30, ""), (60, "")], coerce=_minutes)


def _lengths() -> list[int]:
    """Minutes for which a device can be reserved here."""
    most = settings.RESERVATION_LIMIT // 60
    return sorted({minutes for minutes in LENGTHS if minutes < most} | {most})


class AnswerForm(forms.Form):
    """To a test that waits for a person."""

    answer = forms.ChoiceField(
        choices=[(word.value, word.label) for word in (Wait.Answer.DONE, Wait.Answer.FAILED)]
    )
    comment = forms.CharField(required=False, max_length=LONGEST_QUESTION)
    wait = forms.CharField(required=False, max_length=32)
