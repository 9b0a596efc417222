"""What sends the webhooks of a lab, with a clock that a test moves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from events import outbox, publisher
from events.models import Event
from events.webhooks import lifecycle
from events.webhooks.models import Delivery, Webhook
from events.webhooks.sender import Sender
from tests import build
from tests.events.webhooks.endpoint import Endpoint


def refused(webhook: Webhook, **of_event: Any) -> Delivery:
    """A delivery of the event that was refused."""
    publisher.run_once([])
    event = Event.objects.get(**of_event)
    delivery: Delivery = Delivery.objects.create(
        webhook=webhook,
        sequence=event.sequence,
        message_id=event.uid,
        type=event.type,
        about=event.subject,
        number=1,
        time=event.time,
        duration=event.time - event.time,
        status=404,
        outcome="rejected",
    )
    return delivery


class Office:
    def __init__(self, **options: Any) -> None:
        self.later = timedelta()
        self.sender = Sender(now=lambda: timezone.now() + self.later, **options)

    def wait(self, **time: float) -> None:
        """Until so much later; nothing is sent meanwhile."""
        self.later += timedelta(**time)

    def run(self) -> None:
        """All that is due now is sent, or has failed."""
        publisher.run_once([])
        self.sender.run_once()
        while self.sender.is_busy:
            self.sender.settle()
            self.sender.run_once()

    def restart(self) -> None:
        """Another process, which knows what is written down."""
        self.sender = Sender(now=lambda: timezone.now() + self.later)

    def close(self) -> None:
        self.sender.close()


def hook(user: User, endpoint: Endpoint, filter: str = "", **wishes: str) -> Webhook:
    """By the verb that people use."""
    publisher.run_once([])
    return lifecycle.add(user, address=endpoint.address, filter=filter, **wishes)


def tell(*subjects: str) -> None:
    """Public events, one of each worker."""
    for subject in subjects:
        with transaction.atomic():
            outbox.record("worker.added", subject=subject, data=build.OF_A_WORKER, cause=build.CAUSE)
    publisher.run_once([])


def subjects(endpoint: Endpoint) -> list[str]:
    return [request.event["subject"] for request in endpoint.requests]


def log_of(webhook: Webhook) -> list[tuple[str, str, int | None]]:
    """Type, outcome and status of each delivery, the oldest first."""
    rows = Delivery.objects.filter(webhook=webhook).order_by("pk")
    return list(rows.values_list("type", "outcome", "status"))
