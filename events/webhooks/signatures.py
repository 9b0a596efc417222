"""Who sends it: the signatures of Standard Webhooks. The secret is derived from the lab's own and never stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.utils.crypto import salted_hmac

SALT = "lava_lite.events.webhook"
PREFIX = "whsec_"


def secret_of(uuid: UUID, generation: int) -> str:
    """As its user gives it to whatever checks the signatures."""
    return PREFIX + base64.b64encode(_key(uuid, generation)).decode()


def headers(uuid: UUID, generations: Iterable[int], *, id: str, body: bytes, at: datetime) -> dict[str, str]:
    """What goes before the body of a message: one signature for each secret that is valid."""
    timestamp = str(int(at.timestamp()))
    signed = f"{id}.{timestamp}.".encode() + body
    return {
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(_key(uuid, each), signed) for each in generations),
    }


def _key(uuid: UUID, generation: int) -> bytes:
    return salted_hmac(SALT, f"{uuid}:{generation}", algorithm="sha256").digest()


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
