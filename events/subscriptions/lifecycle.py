"""The verbs for subscriptions, of people. Each is noted in the audit trail, in the transaction of the act itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts import audit
from events import feed, numbering, retention
from events.subscriptions.models import Subscription

Since = int | Literal["now", "oldest"]  # after which event it begins; before the oldest that is kept


class SubscriptionRefused(Exception):
    """Something that is not done now; says why and what to do."""


@transaction.atomic
def add(
    user: User, name: str, *, filter: str = "", days: int | None = None, since: Since = "now"
) -> Subscription:
    """Name, filter and days were checked. Lost if nothing can be told after `since`; SubscriptionRefused for one too many."""
    User.objects.select_for_update().get(pk=user.pk)  # two at once must not pass the limit together
    hers = Subscription.objects.of(user)
    if hers.filter(name=name).exists():
        raise SubscriptionRefused(
            f"you have a subscription {name} already; change or renew that, or delete it"
        )
    if hers.count() >= settings.SUBSCRIPTIONS_PER_PERSON:
        raise SubscriptionRefused(
            f"you have {settings.SUBSCRIPTIONS_PER_PERSON} subscriptions, as many as one person may have; "
            "delete one first"
        )
    row = Subscription(user=user, name=name, filter=filter, days=days or settings.SUBSCRIPTION_DAYS)
    row.stand_at(_place(since))
    row.expires = row.lasts_until(timezone.now())
    row.save()
    audit.note(user, row, f"Subscribed to {filter or 'all events'}", kind=audit.ADDITION)
    return row


@transaction.atomic
def change(
    subscription: Subscription, *, by: User, filter: str | None = None, days: int | None = None
) -> Subscription:
    """What is not acknowledged is chosen anew by a new filter. New days count from now, unless it is expired."""
    row = Subscription.objects.lock(subscription.pk)
    changed = []
    if filter is not None and filter != row.filter:
        changed.append("filter")
        row.filter = filter
        row.stand_at(row.sequence)
    if days is not None and days != row.days:
        changed.append("days")
        was_expired = row.is_expired
        row.days = days
        row.expires = row.expires if was_expired else row.lasts_until(timezone.now())
    if changed:
        row.save()
        audit.note(by, row, f"Changed: {', '.join(changed)}")
    return row


@transaction.atomic
def renew(subscription: Subscription, *, by: User, since: Since) -> Subscription:
    """Begin anew, expired or not. Lost as for a new one."""
    row = Subscription.objects.lock(subscription.pk)
    row.stand_at(_place(since))
    row.expires, row.reason = row.lasts_until(timezone.now()), ""
    row.save()
    audit.note(by, row, f"Began anew after event {row.sequence}")
    return row


@transaction.atomic
def expire(subscriptions: Iterable[Subscription], *, by: User, reason: str) -> list[Subscription]:
    """By an administrator; its user sees the reason. Those that are expired already stay as they are."""
    keys = [subscription.pk for subscription in subscriptions]
    rows = Subscription.objects.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk")
    at, why = timezone.now(), reason or "no reason given"
    changed = [row for row in rows if not row.is_expired]
    for row in changed:
        row.expires, row.reason = at, f"Ended by {by.get_username()}: {why}"
        row.save()
    audit.note_each(by, changed, f"Ended: {why}")
    return changed


@transaction.atomic
def delete(subscription: Subscription, *, by: User) -> None:
    row = Subscription.objects.lock(subscription.pk)
    audit.note(by, row, f"Deleted the subscription {row.name}", kind=audit.DELETION)
    row.delete()


def _place(since: Since) -> int:
    if since == "now":
        return numbering.last_number()
    if since == "oldest":
        return retention.last_cleared()
    feed.check(since)
    return since
