"""What people fill in about jobs."""

from __future__ import annotations

from django import forms


class SubmitForm(forms.Form):
    # Faults of the definition have lines and paths; the view lists them, the form only carries the text.
    definition = forms.CharField(
        strip=False,
        widget=forms.Textarea(attrs={"spellcheck": "false", "autocomplete": "off", "rows": 28}),
    )

    def clean_definition(self) -> str:
        """Browsers send CRLF, whatever was typed or pasted."""
        text: str = self.cleaned_data["definition"]
        return text.replace("\r\n", "\n")
