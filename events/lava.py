"""LAVA's dialect: five strings a frame, the same on ZMQ and on the WebSocket."""

from __future__ import annotations

import json
from datetime import UTC

from django.conf import settings

from events.catalogue import CATALOGUE
from events.models import Event

SERVER = "lavaserver"  # LAVA's name for itself in frames that no user caused


def frames(event: Event) -> tuple[str, str, str, str, str] | None:
    """Topic, uuid1, naive UTC time with six decimals, user, JSON text; None for what LAVA has no frame for."""
    entry = CATALOGUE.get(event.type)  # the table keeps events of types that later versions gave up
    kind = entry.lava if entry else None
    if kind is None:
        return None
    user = event.data["submitter"] if kind == "testjob" else SERVER
    time = event.time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"{settings.EVENT_TOPIC}.{kind}", str(event.uid), time, user, json.dumps(event.payload)
