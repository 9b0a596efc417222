from django.apps import AppConfig


class LavaLiteConfig(AppConfig):
    name = "lava_lite"

    def ready(self) -> None:
        from lava_lite import checks  # noqa: F401  (importing registers them)
