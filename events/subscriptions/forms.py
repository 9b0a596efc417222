"""What people fill in about a subscription."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from events.selection import LONGEST as LONGEST_FILTER
from events.selection import BadFilter, Selection
from events.subscriptions.models import LONGEST_NAME, MOST_DAYS, NAME

OFF = {"autocomplete": "off", "spellcheck": "false"}
HERE = "here"
PLACES = (("now", "What happens from now on"), ("oldest", "All that the lab still keeps"))


class SubscriptionForm(forms.Form):
    name = forms.CharField(
        max_length=LONGEST_NAME,
        validators=[RegexValidator(f"^{NAME}$", "Letters, digits, ., _ and -, please.")],
        label="What is it called?",
        widget=forms.TextInput(attrs={**OFF, "placeholder": "bridge"}),
    )
    filter = forms.CharField(
        max_length=LONGEST_FILTER,
        required=False,
        label="Which events?",
        widget=forms.TextInput(attrs={**OFF, "placeholder": "job.# state=finished submitter=alice"}),
        help_text="Empty: all that you may see.",
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=MOST_DAYS,
        label="After how many days without a fetch does it expire?",
        widget=forms.NumberInput(attrs=OFF),
    )
    since = forms.ChoiceField(choices=PLACES, initial="now", label="From where on?")

    def clean_filter(self) -> str:
        filter: str = self.cleaned_data["filter"]
        try:
            Selection.parse(filter)
        except BadFilter as bad:
            raise ValidationError(f"{bad}.") from None
        return filter


class PlaceForm(forms.Form):
    since = forms.ChoiceField(choices=((HERE, "Where it stopped"), *PLACES))
