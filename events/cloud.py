"""Events as CloudEvents 1.0, in JSON's structured mode, with its extension for sequences and the lab's own."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.conf import settings

from events import contract
from events.models import Event

MEDIA_TYPE = "application/cloudevents+json"


def rendered(event: Event) -> dict[str, Any]:
    """The event for any transport, always the same. ValueError for one that has no number yet, which nobody may be told."""
    if event.sequence is None:
        raise ValueError(f"{event} cannot be told before it has its number")
    attributes = {
        "specversion": "1.0",
        "id": str(event.uid),
        "source": settings.LAB_URL,
        "type": f"{contract.PREFIX}.{event.type}",
        "subject": event.subject,
        "time": event.time.astimezone(UTC).isoformat(timespec="microseconds"),
        "datacontenttype": "application/json",
        "dataschema": settings.LAB_URL + contract.address_for(event.type),
        "sequence": f"{event.sequence:0{contract.DIGITS}}",
        "jobsequence": event.job_sequence,
        "attempt": event.attempt,
        "cause": event.cause,
        "actor": event.actor or None,
    }
    told = {name: value for name, value in attributes.items() if value is not None}
    return told | {"data": event.payload}
