"""What people fill in about jobs."""

from __future__ import annotations

from django import forms
from django.conf import settings

from jobs.definition import MAX_REASON, MAX_TIMEOUT
from jobs.models import LONGEST_QUESTION, Wait


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


class AnswerForm(forms.Form):
    """To a test that waits for a person."""

    answer = forms.ChoiceField(
        choices=[(word.value, word.label) for word in (Wait.Answer.DONE, Wait.Answer.FAILED)]
    )
    comment = forms.CharField(required=False, max_length=LONGEST_QUESTION)
    wait = forms.CharField(required=False, max_length=32)
