from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from jobs import log_packing, retention
from jobs.retention import Policy


class Command(BaseCommand):
    help = (
        "Let go now of old jobs, logs and events, as the settings KEEP_... say, and pack the logs of ended jobs. "
        "A running lab does it every hour."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and let nothing go")

    def handle(self, *args: Any, **options: Any) -> None:
        is_nothing_due = True
        for thing in retention.due(Policy.of_lab()):
            is_nothing_due = False
            self.stdout.write(f"{thing.what}: {thing.why}")
            if not options["dry_run"]:
                thing.let_go()
        for directory in log_packing.due():
            is_nothing_due = False
            self.stdout.write(f"the log in {directory}: its job has ended, and it can be packed")
        if not options["dry_run"]:
            log_packing.pack_all()
        if is_nothing_due:
            self.stdout.write("Nothing is due.")
