"""To fetch what comes next, and to acknowledge it.

A fetch always begins where all is acknowledged, so whoever crashed goes on at once, and begins a new generation. An
acknowledgement holds for the generation of the last fetch alone: one of an older generation would be of events that
were told again since. Each is one conditional UPDATE, so two at once, or a kill at any place, lose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from events import history
from events.history import Page
from events.models import Event
from events.subscriptions.models import Subscription


class SubscriptionExpired(Exception):
    """It tells nothing any more, and keeps nothing for its user; says since when, why, and how one begins anew."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        since = subscription.expires.isoformat(timespec="seconds")
        super().__init__(
            f"The subscription {subscription.name} is expired since {since}: {subscription.why} Renew it to begin anew."
        )


class BadAck(ValueError):
    """An acknowledgement of what was not told."""


class StaleAck(Exception):
    """An acknowledgement of what was told again since, or is to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    events: list[Event]
    subscription: Subscription  # as it is after the fetch
    last: int  # the newest `sequence` of the lab


def fetch(subscription: Subscription, *, limit: int) -> Batch:
    """What is not acknowledged, the oldest first. SubscriptionExpired, or Lost if some of it is not kept any more.

    A bounded number of events is looked through: without any for it, there may be some further on. DoesNotExist if it
    is deleted meanwhile.
    """
    while True:
        at = timezone.now()
        row = _active(subscription.pk, at)
        page = history.after(row.user, row.selection, row.sequence, limit)
        if _moved(row, at, fetched=at, generation=row.generation + 1, **_places(row, page)):
            return Batch(events=page.events, subscription=row, last=page.last)


def acknowledge(subscription: Subscription, *, sequence: int, generation: int) -> Subscription:
    """All up to this event is done. Once more, or of an older one, changes nothing.

    SubscriptionExpired; StaleAck for another generation; BadAck beyond what was told.
    """
    while True:
        at = timezone.now()
        row = _active(subscription.pk, at)
        if sequence <= row.sequence:
            return row
        if generation != row.generation:
            raise StaleAck(
                f"generation {generation} does not count any more, as generation {row.generation} has begun: "
                "fetch again, what is not acknowledged comes once more"
            )
        if sequence > row.told:
            raise BadAck(
                f"expected at most {max(row.told, row.sequence)}, the last event that was told, got {sequence}"
            )
        if _moved(row, at, sequence=row.reached if sequence == row.told else sequence):
            return row


def _active(pk: int, at: datetime) -> Subscription:
    row = Subscription.objects.select_related("user").get(pk=pk)
    if row.expires <= at:
        raise SubscriptionExpired(row)
    return row


def _places(row: Subscription, page: Page) -> dict[str, int]:
    """What is before the first event is not for this subscription, so it is passed over."""
    if not page.events:
        return {"sequence": page.reached, "told": page.reached, "reached": page.reached}
    first, last = page.events[0].sequence or 0, page.events[-1].sequence or 0
    return {"sequence": max(row.sequence, first - 1), "told": last, "reached": page.reached}


def _moved(row: Subscription, at: datetime, **places: Any) -> bool:
    """False if somebody else has moved or changed it since the row was read."""
    places["expires"] = row.lasts_until(at)
    same = Subscription.objects.filter(
        pk=row.pk, generation=row.generation, sequence=row.sequence, days=row.days, expires__gt=at
    )
    if not same.update(**places):
        return False
    for name, value in places.items():
        setattr(row, name, value)
    return True
