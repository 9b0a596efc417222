from django.apps import AppConfig
from django.contrib.auth.signals import user_login_failed


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import throttle

        user_login_failed.connect(throttle.note_failure)
