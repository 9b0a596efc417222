"""What people say of a device."""

from __future__ import annotations

from django import forms

from devices.states import DeviceHealth

CHOICES = [
    (DeviceHealth.GOOD.value, DeviceHealth.GOOD.label),
    (DeviceHealth.MAINTENANCE.value, DeviceHealth.MAINTENANCE.label),
    (DeviceHealth.RETIRED.value, DeviceHealth.RETIRED.label),
]


class HealthForm(forms.Form):
    health = forms.TypedChoiceField(
        choices=CHOICES, coerce=lambda value: DeviceHealth(int(value)), widget=forms.RadioSelect
    )
    reason = forms.CharField(
        required=False, max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
