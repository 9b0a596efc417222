"""Which devices the jobs of each submitter may have, asked once for each of them."""

from __future__ import annotations

from functools import cache

from django.contrib.auth.models import User

from devices.models import Device, DeviceRight, DeviceTypeRight


class OpenDevices:
    """As it is when this is made: for one pass, or one page."""

    def __init__(self) -> None:
        # Most labs give no rights to groups, and then nobody needs to be asked.
        self._has_rules = DeviceRight.objects.exists() or DeviceTypeRight.objects.exists()
        self._ask = cache(_open_to)

    def of(self, submitter: int) -> frozenset[str] | None:
        """Names of devices; None for all of them. One set for all jobs of a submitter."""
        return self._ask(submitter) if self._has_rules else None


def _open_to(submitter: int) -> frozenset[str]:
    user = User.objects.get(pk=submitter)
    return frozenset(Device.objects.open_to(user).values_list("pk", flat=True))
