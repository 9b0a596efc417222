"""What the packages below ask of the inventory: who may hear of its events."""

from __future__ import annotations

from collections.abc import Sequence

from accounts.rights import Anyone
from devices.models import DeviceType, devices_seen_by
from events import visibility
from events.models import Event

DELETED = "device.deleted"


def register() -> None:
    """Called once, when the application is ready."""
    visibility.register("device", those_seen)
    visibility.register("worker", everybody)


def those_seen(events: Sequence[Event], user: Anyone) -> list[Event]:
    """Events of devices, as the devices themselves."""
    names = {event.subject for event in events if event.type != DELETED}
    seen = devices_seen_by(user, among=names)
    return [
        event
        for event in events
        if (_shows_deleted(event, user) if event.type == DELETED else event.subject in seen)
    ]


def everybody(events: Sequence[Event], user: Anyone) -> list[Event]:
    """Workers are public, as in LAVA."""
    return list(events)


def _shows_deleted(event: Event, user: Anyone) -> bool:
    """A deleted device's last word is for those who could see all of its type."""
    if event.data.get("restricted"):
        return user.is_superuser
    return DeviceType.objects.visible_to(user).filter(pk=event.data["device_type"]).exists()
