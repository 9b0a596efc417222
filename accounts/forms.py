"""What people fill in about their own account."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts import throttle
from accounts.models import RemoteToken, Scope

SCOPES = [
    (Scope.READ.value, "read: look at what you see"),
    (Scope.SUBMIT.value, "submit: also submit, cancel and run again jobs"),
    (Scope.FULL.value, "full: whatever you may"),
]
DAYS = 90
MOST_DAYS = 3650


class LoginForm(AuthenticationForm):
    """Says it when the reason is not the password but that there were too many wrong ones."""

    error_messages = {
        "invalid_login": "This name and password do not belong together, or the account was switched off. "
        "Both are case-sensitive; an administrator can set a new password.",
        "inactive": "This account was switched off.",
    }

    def clean(self) -> dict[str, Any]:
        try:
            throttle.check(self.request, self.cleaned_data.get("username") or "")
        except throttle.TooManyFailures as error:
            raise ValidationError(str(error)) from None
        return super().clean()


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


def printable(text: str) -> None:
    """For what must be able to stand in one line of a header."""
    if not text.isprintable():
        raise ValidationError("Expected printable characters, in one line.")


class RemoteTokenForm(forms.Form):
    name = forms.CharField(
        max_length=RemoteToken.LONGEST_NAME,
        label="Name, as jobs write it",
        validators=[printable],
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "artifact-store"}),
    )
    secret = forms.CharField(
        max_length=RemoteToken.LONGEST_SECRET,
        label="Token",
        validators=[printable],
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),  # not shown again with what was wrong
    )
