"""What people say of devices and workers, and what they ask of the list of devices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms

from accounts.rights import Anyone
from core import yaml
from devices import configuration
from devices.configuration import Shown
from devices.models import PLAIN, Device, DeviceType, Tag, Worker
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


class DictionaryForm(forms.Form):
    """The text of a device's dictionary, and what a job might say, to see what comes of both."""

    dictionary = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "spellcheck": "false",
                "autocomplete": "off",
                "autocapitalize": "off",
                "wrap": "off",
                "rows": 16,
            }
        ),
    )
    context = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "{arch: arm64, memory: 1024}"}),
    )

    def clean_dictionary(self) -> str:
        """Browsers send CRLF, whatever was typed or pasted."""
        text: str = self.cleaned_data["dictionary"]
        return text.replace("\r\n", "\n")

    def clean_context(self) -> Mapping[str, Any]:
        return read_context(self.cleaned_data["context"])

    def shown(self, device: Device) -> Shown:
        """What a worker would get for the device with this text, or with its type's if there is none."""
        text = self.cleaned_data["dictionary"] or device.device_type.dictionary
        return configuration.show(text, self.cleaned_data["context"])


def read_context(text: str) -> Mapping[str, Any]:
    """What a job might say, as YAML. ValidationError if it is no mapping."""
    try:
        context = yaml.load(text) or {}
    except yaml.YAMLError as wrong:
        raise forms.ValidationError(f"not valid YAML: {wrong}") from wrong
    if not isinstance(context, dict) or not all(isinstance(name, str) for name in context):
        raise forms.ValidationError("expected a mapping, for example {arch: arm64}")
    return context


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
