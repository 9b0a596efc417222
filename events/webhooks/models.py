"""What users want to be told by POST, and what became of each try."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.utils import timezone

from events.selection import LONGEST as LONGEST_FILTER
from events.webhooks import signatures
from events.webhooks.addresses import LONGEST as LONGEST_ADDRESS
from events.webhooks.verdicts import Outcome, Standing

OLD_SECRET_LASTS = timedelta(days=1)  # beside the new one


class WebhookState(models.TextChoices):
    ACTIVE = "active", "active"
    PAUSED = "paused", "paused"  # by its user; goes on where it stopped
    DISABLED = "disabled", "disabled"  # by the lab or an administrator; so does this, once its user says so


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def of(self, user: Any) -> WebhookQuerySet:
        return self.filter(user_id=user.pk)

    def served(self) -> WebhookQuerySet:
        """Those to which something is sent, if not just now."""
        return self.filter(state=WebhookState.ACTIVE, user__is_active=True)

    def due(self, at: datetime) -> WebhookQuerySet:
        return self.served().filter(models.Q(next_try__isnull=True) | models.Q(next_try__lte=at))

    def lock(self, pk: int) -> Webhook:
        """The row as it is now, held until the transaction ends. DoesNotExist if it is gone."""
        return self.select_for_update(of=("self",)).get(pk=pk)


class Webhook(models.Model):
    """An address of a user's to which the events that they chose and may see are posted."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    address = models.CharField(max_length=LONGEST_ADDRESS)
    filter = models.CharField(max_length=LONGEST_FILTER, blank=True)  # of events.selection
    description = models.CharField(max_length=200, blank=True)
    created = models.DateTimeField(default=timezone.now, editable=False)

    state = models.CharField(max_length=8, choices=WebhookState.choices, default=WebhookState.ACTIVE)
    reason = models.TextField(blank=True)  # why it is disabled
    state_since = models.DateTimeField(default=timezone.now, editable=False)

    sequence = models.BigIntegerField()  # all events up to this one were sent, or are not for this webhook
    told_of_gap = models.BigIntegerField(default=0)  # that events up to this one are not all kept

    generation = models.PositiveIntegerField(default=1)  # of the secret
    renewed = models.DateTimeField(null=True, editable=False)  # when the secret was

    next_try = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    tries = models.PositiveIntegerField(default=0)  # of the event that is next
    refusals = models.PositiveIntegerField(default=0)  # among them
    rejected = models.PositiveIntegerField(default=0)  # events in a row

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.description or f"webhook to {self.host}"

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or ""

    @property
    def is_active(self) -> bool:
        return self.state == WebhookState.ACTIVE

    @property
    def is_disabled(self) -> bool:
        return self.state == WebhookState.DISABLED

    @property
    def secret(self) -> str:
        return signatures.secret_of(self.uuid, self.generation)

    @property
    def standing(self) -> Standing:
        return Standing(
            tries=self.tries,
            refusals=self.refusals,
            rejected=self.rejected,
            failing_since=self.failing_since,
        )

    def generations(self, at: datetime) -> list[int]:
        """Of the secrets that are valid, the newest first."""
        is_old_valid = self.renewed is not None and at - self.renewed < OLD_SECRET_LASTS
        return [self.generation, self.generation - 1] if is_old_valid else [self.generation]


class Delivery(models.Model):
    """One try to send one message; what its user looks at to see why something did not arrive."""

    KEPT = 1_000  # of each webhook, the newest
    KEPT_FOR = timedelta(days=30)

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    sequence = models.BigIntegerField(null=True)  # of the event; null for what is none
    message_id = models.UUIDField()  # of the event, the same each time
    type = models.CharField(max_length=64)
    about = models.CharField(max_length=200)  # the event's subject, or what else it tells
    number = models.PositiveIntegerField()  # which try, from 1
    by_hand = models.BooleanField(default=False)
    time = models.DateTimeField()
    duration = models.DurationField()
    status = models.PositiveSmallIntegerField(null=True)  # that was answered
    error = models.TextField(blank=True)
    answer = models.TextField(blank=True)  # the first of it
    outcome = models.CharField(max_length=10, choices=[(word.value, word.value) for word in Outcome])

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["webhook", "-id"], name="delivery_of_webhook"),
            models.Index(fields=["time"], name="delivery_time"),
        ]

    def __str__(self) -> str:
        return f"{self.type}, try {self.number}: {self.outcome}"

    @property
    def is_event(self) -> bool:
        return self.sequence is not None

    @property
    def is_delivered(self) -> bool:
        return self.outcome == Outcome.DELIVERED

    @property
    def milliseconds(self) -> int:
        return self.duration // timedelta(milliseconds=1)
