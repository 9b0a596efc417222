"""What is posted: events, and what webhooks alone say, all of it CloudEvents."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from events import cloud, contract
from events.models import Event
from events.webhooks.models import Webhook

PING = "webhook.ping"  # sent by hand, to try an endpoint out
RESET = "webhook.reset"  # events are missing that the lab does not keep any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    id: UUID  # the same, however often it is sent
    type: str  # without the prefix
    about: str  # for the log of deliveries
    body: bytes
    sequence: int | None = None  # of the event, if it is one
    gap: int | None = None  # up to which event it tells of a gap


def of_event(event: Event) -> Message:
    return Message(
        id=event.uid,
        type=event.type,
        about=event.subject,
        sequence=event.sequence,
        body=_in_json(cloud.rendered(event)),
    )


def ping(webhook: Webhook, at: datetime) -> Message:
    return _own(PING, uuid.uuid4(), at, {"webhook": str(webhook.uuid)}, about="to try it out")


def reset(webhook: Webhook, first: int, last: int, at: datetime) -> Message:
    """That the events from the first to the last are not all kept any more."""
    id = uuid.uuid5(webhook.uuid, f"{RESET} {first} {last}")
    data = {"webhook": str(webhook.uuid), "first": first, "last": last}
    about = f"events {first} to {last} are not all kept any more"
    return _own(RESET, id, at, data, about=about, gap=last)


def _own(
    type: str, id: UUID, at: datetime, data: Mapping[str, Any], *, about: str, gap: int | None = None
) -> Message:
    told = {
        "specversion": "1.0",
        "id": str(id),
        "source": settings.LAB_URL,
        "type": f"{contract.PREFIX}.{type}",
        "subject": data["webhook"],
        "time": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "datacontenttype": "application/json",
        "data": data,
    }
    return Message(id=id, type=type, about=about, body=_in_json(told), gap=gap)


def _in_json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode("ascii")
