"""The ASGI application: sockets and streams beside Django, everything else through Django's WSGI handler."""

from __future__ import annotations

import os
import re

from django.core.wsgi import get_wsgi_application

from lava_lite.bridge import MEBIBYTE, Bridge, Limits
from lava_lite.front import Front

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lava_lite.settings")

# A worker posts all that waits at once, and one log record may itself be long.
WORKERS_BODY = ("/scheduler/internal/", 64 * MEBIBYTE)


def front() -> Front:
    """A front with threads of its own, which end with the server that it is given to."""
    # Django must be set up before anything that has models is imported.
    handler = get_wsgi_application()
    from api.core4 import conversation
    from api.v1.problems import refusal
    from events.sse import EventStream
    from events.subscriptions.waiting import Waiting
    from jobs.log_live import socket as log_socket
    from jobs.log_live.stream import LogStream
    from lava_lite.health import probes
    from workers import wakeup

    pages = Bridge(handler, limits=Limits(body_below=(WORKERS_BODY,)))
    return Front(
        pages,
        sockets=[
            (re.compile(r"ws/"), wakeup.socket),
            (re.compile(r"(?:core4/)?api/v1/event/?"), conversation.socket),
            (re.compile(r"ws/job/(?P<job>[0-9]{1,30})/log/?"), log_socket.socket),
        ],
        streams=[
            (re.compile(r"api/v1/events/?"), EventStream(otherwise=pages, refusal=refusal)),
            (re.compile(r"job/(?P<job>[0-9]{1,30})/log/?"), LogStream(otherwise=pages)),
            (re.compile(r"api/v1/subscriptions/(?P<name>[^/]+)/fetch/?"), Waiting(otherwise=pages)),
            (re.compile(r"healthz/?"), probes.reading(probes.healthz)),
            (re.compile(r"readyz/?"), probes.reading(probes.Ready())),
            (re.compile(r"metrics/?"), probes.reading(probes.metrics)),
        ],
    )


application = front()
