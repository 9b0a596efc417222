"""What people fill in about a webhook."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError

from events.selection import LONGEST as LONGEST_FILTER
from events.selection import BadFilter
from events.webhooks import lifecycle
from events.webhooks.addresses import LONGEST as LONGEST_ADDRESS
from events.webhooks.addresses import BadAddress

OFF = {"autocomplete": "off"}


class WebhookForm(forms.Form):
    address = forms.CharField(
        max_length=LONGEST_ADDRESS,
        label="Where to?",
        widget=forms.TextInput(
            attrs={**OFF, "inputmode": "url", "placeholder": "https://ci.example.org/lab"}
        ),
    )
    filter = forms.CharField(
        max_length=LONGEST_FILTER,
        required=False,
        label="Which events?",
        widget=forms.TextInput(
            attrs={**OFF, "spellcheck": "false", "placeholder": "job.# state=finished submitter=alice"}
        ),
        help_text="Empty: all that you may see.",
    )
    description = forms.CharField(
        max_length=200, required=False, label="What is it for?", widget=forms.TextInput(attrs=OFF)
    )

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"]
        try:
            lifecycle.check_address(address)
        except BadAddress as bad:
            raise ValidationError(f"{bad}.") from None
        return address

    def clean_filter(self) -> str:
        filter: str = self.cleaned_data["filter"]
        try:
            lifecycle.check_filter(filter)
        except BadFilter as bad:
            raise ValidationError(f"{bad}.") from None
        return filter
