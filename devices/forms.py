"""What people say of devices and workers, and what they ask of the list of devices."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from accounts.rights import Anyone
from devices.models import PLAIN, DeviceType, Tag, Worker
from devices.states import DeviceHealth, DeviceState, WorkerHealth

AILING = "ailing"  # in place of a health: whatever needs a person
SORTS = {
    "": "What needs a person first",
    "name": "Name, A to Z",
    "-name": "Name, Z to A",
    "health": "Health, good first",
    "-health": "Health, retired first",
    "-state": "State, running first",
    "state": "State, idle first",
    "type": "Type, A to Z",
    "-type": "Type, Z to A",
    "worker": "Worker, A to Z",
    "-worker": "Worker, Z to A",
    "-used": "Last used, newest first",
    "used": "Last used, oldest first",
}


def reason_field() -> forms.CharField:
    return forms.CharField(
        required=False, max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


class HealthForm(forms.Form):
    """For one device or for many; `names` are theirs."""

    CHOICES = [
        (health.value, health.label)
        for health in (
            DeviceHealth.GOOD,
            DeviceHealth.MAINTENANCE,
            DeviceHealth.LOOPING,
            DeviceHealth.RETIRED,
        )
    ]

    health = forms.TypedChoiceField(choices=CHOICES, coerce=lambda value: DeviceHealth(int(value)))
    reason = reason_field()
    is_confirmed = forms.BooleanField(required=False)

    def __init__(self, data: Any, *, names: list[str]) -> None:
        super().__init__(data)
        self.names = names

    def clean(self) -> dict[str, Any]:
        if not self.names:
            raise forms.ValidationError("Choose at least one device in the list.")
        if odd := set(self.names) - set(self.plain_names):
            raise forms.ValidationError(f"There is no device {min(odd)!r}.")
        return self.cleaned_data

    @property
    def plain_names(self) -> list[str]:
        """Those that a device may have."""
        return [name for name in self.names if re.fullmatch(PLAIN, name)]

    @property
    def asks_first(self) -> bool:
        """Whether it would end somebody's job, and nobody has confirmed that."""
        cleaned = self.cleaned_data
        return cleaned["health"] == DeviceHealth.RETIRED and not cleaned["is_confirmed"]


class ReasonForm(forms.Form):
    reason = reason_field()


class FreeForm(forms.Form):
    """Who frees a device says how they know that nothing runs there."""

    reason = forms.CharField(max_length=500, error_messages={"required": "Say how you know."})


class WorkerHealthForm(forms.Form):
    health = forms.TypedChoiceField(
        choices=WorkerHealth.choices(), coerce=lambda value: WorkerHealth(int(value))
    )
    reason = reason_field()


def _words(words: type[DeviceHealth] | type[DeviceState]) -> list[tuple[str, str]]:
    return [(word.label.lower(), word.label) for word in words]


class DeviceFilter(forms.Form):
    """What the address of the list asks for; whatever it leaves out is not asked."""

    q = forms.CharField(required=False, max_length=100)
    health = forms.ChoiceField(
        required=False, choices=[("", ""), (AILING, ""), *_words(DeviceHealth)], widget=forms.HiddenInput
    )
    state = forms.ChoiceField(required=False, choices=[("", "Any state"), *_words(DeviceState)])
    type = forms.ModelChoiceField(DeviceType.objects.none(), required=False, empty_label="Any type")
    worker = forms.ModelChoiceField(Worker.objects.all(), required=False, empty_label="Any worker")
    tag = forms.ModelChoiceField(
        Tag.objects.all(), required=False, empty_label="Any tag", to_field_name="name"
    )
    sort = forms.ChoiceField(required=False, choices=list(SORTS.items()))
    all = forms.BooleanField(required=False, label="Retired ones, too")

    CHOSEN = ("state", "type", "worker", "tag", "all")  # those that are folded away until they are used
    UNKNOWN = "There is no {} “%(value)s” here; choose one of the list."

    def __init__(self, data: Any, *, user: Anyone) -> None:
        super().__init__(data)
        types: Any = self.fields["type"]
        types.queryset = DeviceType.objects.visible_to(user)
        for name in ("health", "state", "type", "worker", "tag", "sort"):
            self.fields[name].error_messages["invalid_choice"] = self.UNKNOWN.format(name)

    @property
    def is_unfolded(self) -> bool:
        return any(self[name].value() for name in self.CHOSEN) or bool(self.errors)
