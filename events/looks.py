"""How webhooks, their deliveries and subscriptions look on a page."""

from __future__ import annotations

from core.looks import Look
from events.models import Delivery, Subscription, Webhook
from events.subscriptions.models import SubscriptionState
from events.webhooks.models import WebhookState
from events.webhooks.verdicts import Outcome

FAILING = Look(word="Failing", icon="warn", tone="warn")
STATE = {
    WebhookState.ACTIVE: Look(word="Active", icon="good", tone="good"),
    WebhookState.PAUSED: Look(word="Paused", icon="stopped", tone="still"),
    WebhookState.DISABLED: Look(word="Disabled", icon="bad", tone="bad"),
}
OUTCOME = {
    Outcome.DELIVERED: Look(word="Delivered", icon="good", tone="good"),
    Outcome.RETRY: Look(word="Will retry", icon="waiting", tone="warn"),
    Outcome.REJECTED: Look(word="Rejected", icon="bad", tone="bad"),
    Outcome.FAILED: Look(word="Failed", icon="bad", tone="bad"),
}
SUBSCRIPTION = {
    SubscriptionState.ACTIVE: Look(word="Active", icon="good", tone="good"),
    SubscriptionState.EXPIRED: Look(word="Expired", icon="warn", tone="warn"),
}


def of_webhook(webhook: Webhook) -> Look:
    is_failing = webhook.is_active and webhook.failing_since is not None
    return FAILING if is_failing else STATE[WebhookState(webhook.state)]


def of_delivery(delivery: Delivery) -> Look:
    return OUTCOME[Outcome(delivery.outcome)]


def of_subscription(subscription: Subscription) -> Look:
    return SUBSCRIPTION[subscription.state]
