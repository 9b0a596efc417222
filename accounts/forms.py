"""What people fill in about their own account."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone

from accounts.models import Scope

SCOPES = [
    (Scope.READ.value, "read: look at what you see"),
    (Scope.SUBMIT.value, "submit: also submit, cancel and run again jobs"),
    (Scope.FULL.value, "full: whatever you may"),
]
DAYS = 90
MOST_DAYS = 3650


class TokenForm(forms.Form):
    description = forms.CharField(
        max_length=200,
        label="What is it for?",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "CI of the kernel tree"}),
    )
    scope = forms.TypedChoiceField(
        choices=SCOPES,
        coerce=lambda value: Scope(int(value)),
        initial=Scope.SUBMIT.value,
        label="What may it do?",
        widget=forms.RadioSelect,
    )
    days = forms.IntegerField(
        required=False, min_value=1, max_value=MOST_DAYS, initial=DAYS, label="Ends after how many days?"
    )

    @property
    def expires(self) -> datetime | None:
        days: int | None = self.cleaned_data["days"]
        return None if days is None else timezone.now() + timedelta(days=days)
