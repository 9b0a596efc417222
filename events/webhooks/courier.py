"""Sends messages, and writes down what became of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
MOST_AT_ONCE, LONGEST_AT_ONCE = 20, 0.1  # deliveries, and seconds of them, that are written down together
PASSED = frozenset({Outcome.DELIVERED, Outcome.REJECTED})
CONTENT_TYPE = f"{cloud.MEDIA_TYPE}; charset=utf-8"


class Poster(Protocol):
    def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """What came back; it raises for nothing that the other side does."""


@dataclass(frozen=True, slots=True)
class Sent:
    message: Message
    reply: Reply
    at: datetime


@dataclass(frozen=True, slots=True)
class Courier:
    client: Poster
    now: Clock

    def deliver(self, webhook: Webhook, messages: Iterable[Message], is_over: Callable[[], bool]) -> bool:
        """One after another, until it is over. Whether the cursor has passed them all, and what follows may be sent.

        What is not written down yet when the lab dies is sent again, with the same ids.
        """
        handful = _Handful(webhook.pk)
        for message in messages:
            if is_over():
                handful.write_down()
                return False
            if not handful.add(self.send(webhook, message)):
                return False
        return handful.write_down()

    def deliver_by_hand(self, webhook: Webhook, message: Message, *, number: int = 1) -> Delivery:
        """Now, once, and beside the row of the others: the webhook's cursor and its failures stay as they are."""
        sent = self.send(webhook, message)
        delivery = _delivery(webhook, sent, number=number, by_hand=True)
        delivery.outcome = Outcome.DELIVERED if sent.reply.is_success else Outcome.FAILED
        delivery.save()
        return delivery

    def send(self, webhook: Webhook, message: Message) -> Sent:
        at = self.now()
        signed = signatures.headers(
            webhook.uuid, webhook.generations(at), id=str(message.id), body=message.body, at=at
        )
        headers = {"Content-Type": CONTENT_TYPE} | signed
        return Sent(message, self.client.post(webhook.address, message.body, headers), at)


@dataclass(slots=True)
class _Handful:
    """What was sent for a webhook and is not written down yet: only what arrived, and not for long."""

    pk: int
    sent: list[Sent] = field(default_factory=list)
    until: float = field(default_factory=lambda: time.monotonic() + LONGEST_AT_ONCE)

    def add(self, sent: Sent) -> bool:
        """Whether the next one may be sent."""
        self.sent.append(sent)
        waits = sent.reply.is_success and len(self.sent) < MOST_AT_ONCE and time.monotonic() < self.until
        return waits or self.write_down()

    def write_down(self) -> bool:
        sent, self.sent = self.sent, []
        self.until = time.monotonic() + LONGEST_AT_ONCE
        return not sent or record(self.pk, sent)


@transaction.atomic
def record(pk: int, sent: Sequence[Sent]) -> bool:
    """The deliveries and the steps of the cursor, all or none. False: what follows must wait, or is another's to send."""
    webhook = Webhook.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if webhook is None:
        return False  # deleted while it was sent
    is_overtaken = _is_passed(webhook, sent[0].message)  # by somebody else who sends for it
    deliveries = [_take(webhook, each) for each in sent]
    Delivery.objects.bulk_create(deliveries)
    webhook.save()
    has_arrived = all(delivery.outcome in PASSED for delivery in deliveries)
    return has_arrived and webhook.is_active and not is_overtaken


def _take(webhook: Webhook, sent: Sent) -> Delivery:
    delivery = _delivery(webhook, sent, number=webhook.tries + 1)
    verdict = judged(sent.reply, webhook.standing, sent.at)
    delivery.outcome = verdict.outcome
    if not _is_passed(webhook, sent.message):
        _carry_on(webhook, sent, verdict)
    return delivery


def _is_passed(webhook: Webhook, message: Message) -> bool:
    if message.sequence is not None:
        return webhook.sequence >= message.sequence
    return message.gap is not None and webhook.told_of_gap >= message.gap


def _carry_on(webhook: Webhook, sent: Sent, verdict: Verdict) -> None:
    webhook.next_try, webhook.failing_since = verdict.next_try, verdict.failing_since
    if verdict.outcome in PASSED:
        webhook.sequence = sent.message.sequence or webhook.sequence
        webhook.told_of_gap = sent.message.gap or webhook.told_of_gap
        webhook.tries = webhook.refusals = 0
        webhook.rejected = webhook.rejected + 1 if verdict.outcome == Outcome.REJECTED else 0
        return
    webhook.tries += 1
    webhook.refusals += is_refusal(sent.reply)
    if verdict.disabled and webhook.is_active:
        _disable(webhook, verdict.disabled, sent.at)


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


def _delivery(webhook: Webhook, sent: Sent, *, number: int, by_hand: bool = False) -> Delivery:
    """A line of the log, but for what came of it."""
    message, reply = sent.message, sent.reply
    return Delivery(
        webhook=webhook,
        sequence=message.sequence,
        message_id=message.id,
        type=message.type,
        about=message.about,
        number=number,
        by_hand=by_hand,
        time=sent.at,
        duration=reply.duration,
        status=reply.status,
        error=reply.error,
        answer=reply.answer,
    )
