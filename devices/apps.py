from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"

    def ready(self) -> None:
        from devices import announcements, converters, rules

        announcements.connect()
        converters.register()
        rules.register()
