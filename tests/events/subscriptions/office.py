"""What subscriptions are tested with: things that are said in the lab, and what of them is fetched."""

from __future__ import annotations

from django.utils import timezone

from events import custom, numbering, publisher, retention
from events.models import Subscription
from events.subscriptions import delivery
from jobs.models import Job

WANTED = "custom.wanted"  # the filter
KINDS = ("wanted", "other", "hidden")


def say(kind: str) -> int:
    """The number of the event: one that a filter for WANTED chooses, or not, or one that is for superusers alone."""
    name = "wanted" if kind == "hidden" else kind
    custom.say(name, by="ups", public=kind != "hidden")
    publisher.run_once([])
    return numbering.last_number()


def fetched(subscription: Subscription, limit: int = 100) -> list[int]:
    return [event.sequence or 0 for event in delivery.fetch(subscription, limit=limit).events]


def acknowledge(subscription: Subscription, sequence: int) -> None:
    """By the generation of the last fetch."""
    subscription.refresh_from_db()
    delivery.acknowledge(subscription, sequence=sequence, generation=subscription.generation)


def forget(at_most: int) -> None:
    """All events but the newest so many."""
    retention.clear(retention.due(before=None, at_most=at_most, kept_jobs=Job.objects.none()))


def run_out(subscription: Subscription) -> None:
    """Nothing was fetched for so long that it expires."""
    Subscription.objects.filter(pk=subscription.pk).update(expires=timezone.now())
