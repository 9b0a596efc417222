from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"

    def ready(self) -> None:
        from jobs import announcements, rules, snapshots

        announcements.connect()
        rules.register()
        snapshots.register()
