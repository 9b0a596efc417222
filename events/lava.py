"""LAVA's dialect: five strings a frame, the same on ZMQ and on the WebSocket."""

from __future__ import annotations

import json
from datetime import UTC

from django.conf import settings

from events import catalogue
from events.models import Event

SERVER = "lavaserver"  # LAVA's name for itself in frames that no user caused


def frames(event: Event, *, job_as_text: bool = False) -> tuple[str, str, str, str, str] | None:
    """Topic, uuid1, naive UTC time with six decimals, user, JSON text; None for what LAVA has no frame for.

    `job_as_text`: for lavacli, which compares the number of a job with what was typed and never finds a number equal.
    """
    entry = catalogue.find(event.type)  # the table keeps events of types that later versions gave up
    kind = entry.lava if entry else None
    if kind is None:
        return None
    user = event.data["submitter"] if kind == "testjob" else SERVER
    time = event.time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    data = event.payload
    if job_as_text and "job" in data:
        data["job"] = str(data["job"])
    return f"{settings.EVENT_TOPIC}.{kind}", str(event.uid), time, user, json.dumps(data)
