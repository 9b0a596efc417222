from typing import Any

from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"

    def ready(self) -> None:
        from devices import announcements
        from events import visibility

        announcements.connect()
        visibility.register("device", everybody)
        visibility.register("worker", everybody)


def everybody(event: Any, user: Any) -> bool:
    """The inventory is public."""
    return True
