"""What the packages below ask of the inventory: who may hear of its events."""

from __future__ import annotations

from accounts.rights import Anyone
from devices.models import Device, DeviceType
from events import visibility
from events.models import Event


def register() -> None:
    """Called once, when the application is ready."""
    visibility.register("device", may_see_device)
    visibility.register("worker", everybody)


def may_see_device(event: Event, user: Anyone) -> bool:
    """As the device itself; a deleted one's last word is for those who could see all of its type."""
    if event.type != "device.deleted":
        return Device.objects.visible_to(user).filter(pk=event.subject).exists()
    if event.data.get("restricted"):
        return user.is_superuser
    return DeviceType.objects.visible_to(user).filter(pk=event.data["device_type"]).exists()


def everybody(event: Event, user: Anyone) -> bool:
    """Workers are public, as in LAVA."""
    return True
