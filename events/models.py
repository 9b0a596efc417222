"""The event table: the only truth about what happened. Everything that listens follows `sequence`."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models import F
from django.utils import timezone

log = logging.getLogger(__name__)


class Event(models.Model):
    """One thing that happened, written in the transaction that made it happen."""

    sequence = models.BigIntegerField(null=True, unique=True)  # lab-wide, gapless; null until numbered
    uid = models.UUIDField(default=uuid.uuid1, unique=True)  # the same on every transport
    type = models.CharField(max_length=64)
    time = models.DateTimeField()
    actor = models.CharField(max_length=150, blank=True)  # the user or worker that made it happen
    cause = models.CharField(max_length=16)  # user, worker, timer, policy
    subject = models.CharField(max_length=200)  # id of the job, name of the device or worker
    job_id = models.BigIntegerField(null=True)
    job_sequence = models.PositiveIntegerField(null=True)  # 1, 2, 3 … per job
    attempt = models.PositiveIntegerField(null=True)
    data = models.JSONField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["job_id", "job_sequence"], name="event_job_sequence_unique"),
            models.CheckConstraint(
                condition=models.Q(job_id__isnull=True, job_sequence__isnull=True)
                | models.Q(job_id__isnull=False, job_sequence__isnull=False),
                name="event_job_has_sequence",
            ),
        ]
        indexes = [
            # What the numbering looks for; nearly always empty.
            models.Index(fields=["id"], condition=models.Q(sequence__isnull=True), name="event_unnumbered"),
            models.Index(fields=["time"], name="event_time"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence or 'unnumbered'} {self.type} {self.subject}"

    @property
    def payload(self) -> dict[str, Any]:
        """What every transport tells: the data, and by which numbers a gap is seen."""
        told = {**self.data, "event": self.type, "sequence": self.sequence}
        return told if self.job_sequence is None else told | {"job_sequence": self.job_sequence}


class Counter(models.Model):
    """The last number given; one row, so that numbers stay gapless when old events are cleared away."""

    name = models.CharField(max_length=32, primary_key=True)
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"


class Position(models.Model):
    """How far an outgoing transport has got, moved by compare-and-set, and how it is."""

    transport = models.CharField(max_length=200, primary_key=True)
    sequence = models.BigIntegerField(default=0)
    published = models.BigIntegerField(default=0)  # events that it took, those included that it tells nobody
    failures = models.BigIntegerField(default=0)  # passes in which it did not take what there was
    trouble = models.TextField(blank=True)  # the last one, also when it is over
    troubled = models.DateTimeField(null=True)  # when it was seen last
    down_since = models.DateTimeField(null=True)  # null: it works

    def __str__(self) -> str:
        return f"{self.transport} at {self.sequence}"

    def move(self, events: Sequence[Event]) -> bool:
        """On to the last of these, which were sent. False if somebody else has moved it."""
        row = Position.objects.filter(pk=self.pk, sequence=self.sequence)
        self.sequence = events[-1].sequence or self.sequence
        return bool(row.update(sequence=self.sequence, published=F("published") + len(events)))

    def note_trouble(self, trouble: str) -> None:
        """Whoever is away for a day is worth one line in the log, not one a second."""
        now = timezone.now()
        if self.down_since is None or self.trouble != trouble:
            log.warning("%s does not take events now: %s", self.transport, trouble)
        self.trouble, self.troubled, self.down_since = trouble, now, self.down_since or now
        self._write("trouble", "troubled", "down_since", failures=F("failures") + 1)

    def note_health(self) -> None:
        if self.down_since is not None:
            log.info("%s takes events again", self.transport)
            self.down_since = None
            self._write("down_since")

    def _write(self, *names: str, **values: Any) -> None:
        Position.objects.filter(pk=self.pk).update(**{name: getattr(self, name) for name in names}, **values)


# Django looks for the models of a package here.
from events.subscriptions.models import Subscription as Subscription  # noqa: E402
from events.webhooks.models import Delivery as Delivery  # noqa: E402
from events.webhooks.models import Webhook as Webhook  # noqa: E402
