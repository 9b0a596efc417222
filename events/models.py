"""The event table: the only truth about what happened. Everything that listens follows `sequence`."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models


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
    """How far an outgoing transport has got; moved by compare-and-set."""

    transport = models.CharField(max_length=200, primary_key=True)
    sequence = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.transport} at {self.sequence}"
