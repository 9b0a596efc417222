"""Sends one message, and writes down what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import transaction

from events import cloud
from events.webhooks import signatures
from events.webhooks.client import Reply
from events.webhooks.messages import Message
from events.webhooks.models import Delivery, Webhook, WebhookState
from events.webhooks.verdicts import Outcome, Verdict, is_refusal, judged

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
CONTENT_TYPE = f"{cloud.MEDIA_TYPE}; charset=utf-8"


class Poster(Protocol):
    def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """What came back; it raises for nothing that the other side does."""


@dataclass(frozen=True, slots=True)
class Courier:
    client: Poster
    now: Clock

    def deliver(self, webhook: Webhook, message: Message) -> bool:
        """Whether the next one may follow: the cursor has passed this one."""
        at = self.now()
        return record(webhook.pk, message, self.send(webhook, message, at), at)

    def deliver_by_hand(self, webhook: Webhook, message: Message, *, number: int = 1) -> Delivery:
        """Now, once, and beside the row of the others: the webhook's cursor and its failures stay as they are."""
        at = self.now()
        reply = self.send(webhook, message, at)
        outcome = Outcome.DELIVERED if reply.is_success else Outcome.FAILED
        return _note(webhook, message, reply, at, outcome, number=number, by_hand=True)

    def send(self, webhook: Webhook, message: Message, at: datetime) -> Reply:
        signed = signatures.headers(
            webhook.uuid, webhook.generations(at), id=str(message.id), body=message.body, at=at
        )
        return self.client.post(webhook.address, message.body, {"Content-Type": CONTENT_TYPE} | signed)


@transaction.atomic
def record(pk: int, message: Message, reply: Reply, at: datetime) -> bool:
    """The delivery and the step of the cursor, both or neither. False: the next one must wait, or is another's to send."""
    webhook = Webhook.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if webhook is None:
        return False  # deleted while it was sent
    verdict = judged(reply, webhook.standing, at)
    _note(webhook, message, reply, at, verdict.outcome, number=webhook.tries + 1)
    if _is_passed(webhook, message):
        return False  # somebody else sends for it, and was faster
    _take(webhook, message, reply, verdict, at)
    webhook.save()
    return webhook.is_active and verdict.outcome in (Outcome.DELIVERED, Outcome.REJECTED)


def _is_passed(webhook: Webhook, message: Message) -> bool:
    if message.sequence is not None:
        return webhook.sequence >= message.sequence
    return message.gap is not None and webhook.told_of_gap >= message.gap


def _take(webhook: Webhook, message: Message, reply: Reply, verdict: Verdict, at: datetime) -> None:
    webhook.next_try, webhook.failing_since = verdict.next_try, verdict.failing_since
    if verdict.outcome in (Outcome.DELIVERED, Outcome.REJECTED):
        webhook.sequence = message.sequence or webhook.sequence
        webhook.told_of_gap = message.gap or webhook.told_of_gap
        webhook.tries = webhook.refusals = 0
        webhook.rejected = webhook.rejected + 1 if verdict.outcome == Outcome.REJECTED else 0
        return
    webhook.tries += 1
    webhook.refusals += is_refusal(reply)
    if verdict.disabled and webhook.is_active:
        _disable(webhook, verdict.disabled, at)


@transaction.atomic
def disable(pk: int, why: str, at: datetime) -> None:
    """Without a try: nothing can be sent for it as it is."""
    webhook = Webhook.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if webhook is not None and webhook.is_active:
        _disable(webhook, why, at)
        webhook.save()


def _disable(webhook: Webhook, why: str, at: datetime) -> None:
    webhook.state, webhook.state_since, webhook.reason = WebhookState.DISABLED, at, why
    log.warning(
        "The webhook %s of %s is disabled: %s",
        webhook,
        webhook.user,
        why,
        extra={"action": "webhook_disabled", "webhook": str(webhook.uuid)},
    )


def _note(
    webhook: Webhook,
    message: Message,
    reply: Reply,
    at: datetime,
    outcome: Outcome,
    *,
    number: int,
    by_hand: bool = False,
) -> Delivery:
    return Delivery.objects.create(
        webhook=webhook,
        sequence=message.sequence,
        message_id=message.id,
        type=message.type,
        about=message.about,
        number=number,
        by_hand=by_hand,
        time=at,
        duration=reply.duration,
        status=reply.status,
        error=reply.error,
        answer=reply.answer,
        outcome=outcome,
    )
