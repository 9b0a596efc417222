"""The verbs for webhooks. Each is noted in the audit trail, in the transaction of the act itself."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts import audit
from events import numbering, visibility
from events.models import Event
from events.selection import Selection
from events.webhooks import addresses, messages
from events.webhooks.addresses import Resolve
from events.webhooks.client import Client
from events.webhooks.courier import Courier, Poster
from events.webhooks.messages import Message
from events.webhooks.models import Delivery, Webhook, WebhookState

BY_HAND_AT_ONCE = 2  # in one process: each holds one of its few threads for as long as the endpoint takes

WISHES: Final = ("address", "filter", "description")  # what a user may change

_by_hand = threading.BoundedSemaphore(BY_HAND_AT_ONCE)


class WebhookRefused(Exception):
    """Something that is not done now; says why and what to do."""


def check_address(address: str, resolve: Resolve = addresses.resolve) -> None:
    """BadAddress if nothing would be sent there."""
    addresses.checked(addresses.parse(address), resolve)


def check_filter(filter: str) -> None:
    """BadFilter if it cannot be understood."""
    Selection.parse(filter)


@transaction.atomic
def add(user: User, *, address: str, filter: str = "", description: str = "") -> Webhook:
    """One that hears of what happens from now on; its address and filter were checked. WebhookRefused beyond the limit."""
    User.objects.select_for_update().get(pk=user.pk)  # two at once must not pass the limit together
    if Webhook.objects.of(user).count() >= settings.WEBHOOKS_PER_PERSON:
        raise WebhookRefused(
            f"you have {settings.WEBHOOKS_PER_PERSON} webhooks, as many as one person may have; delete one first"
        )
    webhook = Webhook.objects.create(
        user=user,
        address=address,
        filter=filter,
        description=description,
        sequence=numbering.last_number(),
    )
    audit.note(user, webhook, f"Webhook to {webhook.host}", kind=audit.ADDITION)
    return webhook


@transaction.atomic
def change(webhook: Webhook, *, by: User, **wishes: str) -> Webhook:
    """Its address, filter or description, which were checked. A new address is tried at once."""
    row = Webhook.objects.lock(webhook.pk)
    changed = [name for name in WISHES if name in wishes and getattr(row, name) != wishes[name]]
    if not changed:
        return row
    for name in changed:
        setattr(row, name, wishes[name])
    if "address" in changed:
        _forget_failures(row)
    row.save()
    audit.note(by, row, f"Changed: {', '.join(changed)}")
    return row


@transaction.atomic
def pause(webhook: Webhook, *, by: User) -> Webhook:
    """Nothing is sent until it is resumed; one that is disabled stays so."""
    row = Webhook.objects.lock(webhook.pk)
    if row.is_active:
        _move(row, WebhookState.PAUSED, timezone.now())
        audit.note(by, row, "Paused")
    return row


@transaction.atomic
def resume(webhook: Webhook, *, by: User) -> Webhook:
    """It goes on from where it stopped, whoever stopped it."""
    row = Webhook.objects.lock(webhook.pk)
    if not row.is_active:
        _forget_failures(row)
        _move(row, WebhookState.ACTIVE, timezone.now())
        audit.note(by, row, "Resumed")
    return row


@transaction.atomic
def disable(webhooks: Iterable[Webhook], *, by: User, reason: str) -> list[Webhook]:
    """By an administrator; its user sees the reason. Those that are disabled already stay as they are."""
    keys = [webhook.pk for webhook in webhooks]
    rows = Webhook.objects.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk")
    changed = [row for row in rows if not row.is_disabled]
    why = reason or "no reason given"
    for row in changed:
        _move(row, WebhookState.DISABLED, timezone.now(), f"Disabled by {by.get_username()}: {why}")
    audit.note_each(by, changed, f"Disabled: {why}")
    return changed


@transaction.atomic
def renew_secret(webhook: Webhook, *, by: User) -> Webhook:
    """For a day messages are signed with the old one as well."""
    row = Webhook.objects.lock(webhook.pk)
    row.generation += 1
    row.renewed = timezone.now()
    row.save()
    audit.note(by, row, "New secret")
    return row


@transaction.atomic
def delete(webhook: Webhook, *, by: User) -> None:
    row = Webhook.objects.lock(webhook.pk)
    audit.note(by, row, f"Deleted the webhook to {row.host}", kind=audit.DELETION)
    row.delete()


def ping(webhook: Webhook, *, by: User, client: Poster | None = None) -> Delivery:
    """Try it out, now, whatever its state. WebhookRefused if too many are being sent by hand."""
    return _send_by_hand(webhook, messages.ping(webhook, timezone.now()), "Tested", by, client)


def resend(delivery: Delivery, *, by: User, client: Poster | None = None) -> Delivery:
    """The same event once more, now, with the same id. WebhookRefused if it is not kept, or `by` may not see it now."""
    webhook = delivery.webhook
    event = Event.objects.filter(uid=delivery.message_id, sequence__isnull=False).first()
    seen = visibility.seen_by(webhook.user, [event]) if event else []
    if not seen:
        raise WebhookRefused(
            "only events are sent again, and only while the lab keeps them and you may see them; "
            f"{delivery.type} of this delivery is none of these"
        )
    number = Delivery.objects.filter(webhook=webhook, message_id=delivery.message_id).count() + 1
    text = f"Sent again: {delivery.type} {delivery.sequence}"
    return _send_by_hand(webhook, messages.of_event(seen[0]), text, by, client, number=number)


def _send_by_hand(
    webhook: Webhook, message: Message, text: str, by: User, client: Poster | None, *, number: int = 1
) -> Delivery:
    if not _by_hand.acquire(blocking=False):
        raise WebhookRefused("others try their webhooks out just now; try again in some seconds")
    try:
        audit.note(by, webhook, text)
        courier = Courier(client or Client(), timezone.now)
        return courier.deliver_by_hand(webhook, message, number=number)
    finally:
        _by_hand.release()


def _move(row: Webhook, state: WebhookState, at: datetime, reason: str = "") -> None:
    row.state, row.state_since, row.reason = state, at, reason
    row.save()


def _forget_failures(row: Webhook) -> None:
    row.next_try = row.failing_since = None
    row.tries = row.refusals = row.rejected = 0
