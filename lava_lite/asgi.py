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


def _front() -> Front:
    # Django must be set up before anything that has models is imported.
    handler = get_wsgi_application()
    from workers.wakeup import WakeUpConsumer

    return Front(
        Bridge(handler, limits=Limits(body_below=(WORKERS_BODY,))),
        sockets=[(re.compile(r"/ws/"), WakeUpConsumer.as_asgi())],
        streams=[],
    )


application = _front()
