"""Following a log as it grows, for sockets and streams: the file at each viewer's own offset, and a doorbell."""

from __future__ import annotations

from django.conf import settings

from core import doorbell

BELL = "logs"


def ring() -> None:
    """Tell every process of this machine where somebody looks at logs that one of them has grown."""
    doorbell.ring(settings.RUN, BELL)
