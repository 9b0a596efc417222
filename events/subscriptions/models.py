"""How far each subscriber has got whose place is kept here."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from events.selection import LONGEST as LONGEST_FILTER
from events.selection import Selection

LONGEST_NAME = 64
MOST_DAYS = 365
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"  # a part of an address


class SubscriptionState(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"  # tells nothing until its user begins anew; the place where it stopped is still shown


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def of(self, user: Any) -> SubscriptionQuerySet:
        return self.filter(user_id=user.pk)

    def active(self, at: datetime) -> SubscriptionQuerySet:
        return self.filter(expires__gt=at)

    def expired(self, at: datetime) -> SubscriptionQuerySet:
        return self.filter(expires__lte=at)

    def lock(self, pk: int) -> Subscription:
        """The row as it is now, held until the transaction ends. DoesNotExist if it is gone."""
        return self.select_for_update(of=("self",)).get(pk=pk)


class Subscription(models.Model):
    """A place in the order of events that moves when its user has acknowledged what came before it.

    It expires by its time alone: nothing has to notice that.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="subscriptions")
    name = models.CharField(max_length=LONGEST_NAME)
    filter = models.CharField(max_length=LONGEST_FILTER, blank=True)  # of events.selection
    created = models.DateTimeField(default=timezone.now, editable=False)

    days = models.PositiveSmallIntegerField()  # without a use after which it expires
    expires = models.DateTimeField()
    reason = models.TextField(blank=True)  # of an administrator, who let it expire
    fetched = models.DateTimeField(null=True, editable=False)  # last

    sequence = models.BigIntegerField()  # all events up to this one are acknowledged, or are not for it
    generation = models.PositiveBigIntegerField(
        default=0
    )  # of what was told last; an older one is not in force
    told = models.BigIntegerField()  # the last event of that
    reached = models.BigIntegerField()  # up to which there is nothing for it beyond what was told

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="subscription_name_unique"),
            models.CheckConstraint(
                condition=models.Q(sequence__lte=models.F("reached"), told__lte=models.F("reached")),
                name="subscription_reaches_all_told",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> SubscriptionState:
        return SubscriptionState.EXPIRED if self.expires <= timezone.now() else SubscriptionState.ACTIVE

    @property
    def is_expired(self) -> bool:
        return self.state == SubscriptionState.EXPIRED

    @property
    def why(self) -> str:
        """It is expired; empty for one that is not."""
        if not self.is_expired:
            return ""
        return self.reason or f"Nothing was fetched for {self.days} {'day' if self.days == 1 else 'days'}."

    @property
    def selection(self) -> Selection:
        return Selection.parse(self.filter)

    def lasts_until(self, at: datetime) -> datetime:
        """If it is used then, and not again."""
        return at + timedelta(days=self.days)

    def lag(self, last: int) -> int:
        """How many events are after its place; `last` is the newest one of the lab. Not all of them may be for it."""
        return max(0, last - self.sequence)

    def stand_at(self, sequence: int) -> None:
        """Whatever was told before is told again if it comes after this, and its acknowledgements count no more."""
        self.sequence = self.told = self.reached = sequence
        self.generation += 1
