from django.apps import AppConfig


class LavaLiteConfig(AppConfig):
    name = "lava_lite"
