"""The inventory: device types, devices, the workers that they hang on, and tags."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone

from accounts.models import digest, make_secret
from core import yaml
from devices.states import USABLE, DeviceHealth, DeviceState, WorkerHealth, WorkerState
from events.announced import AnnouncedModel, AnnouncedQuerySet

SILENT_AFTER = timedelta(seconds=60)  # without a ping, a worker counts as offline; LAVA's figure
SHELL = "shell"  # the executor for commands on the worker's own machine
DISPATCHER = "lava"  # the executor of everything else: LAVA's dispatcher

name_is_plain = RegexValidator(r"^[-_a-zA-Z0-9.@]+\Z", "Use letters, digits and - _ . @ only.")


class Tag(models.Model):
    name = models.CharField(max_length=64, unique=True, validators=[name_is_plain])
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class DeviceType(models.Model):
    """A kind of device that jobs ask for by name."""

    name = models.CharField(max_length=64, primary_key=True, validators=[name_is_plain])
    description = models.TextField(blank=True)
    display = models.BooleanField(default=True, help_text="Shown in lists.")
    dictionary = models.TextField(
        blank=True, help_text="YAML that a worker gets with each job, unless the device has its own."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def executor(self) -> str:
        return _executor(self.dictionary)


class WorkerQuerySet(AnnouncedQuerySet):
    def usable(self) -> WorkerQuerySet:
        return self.filter(state=WorkerState.ONLINE, health=WorkerHealth.ACTIVE)

    def silent(self) -> WorkerQuerySet:
        return self.filter(state=WorkerState.ONLINE, last_ping__lt=timezone.now() - SILENT_AFTER)


class Worker(AnnouncedModel):
    """A machine that runs jobs: LAVA's `lava-worker`, or the built-in one."""

    GUARDED: ClassVar[frozenset[str]] = frozenset({"state", "health"})

    name = models.CharField(max_length=128, primary_key=True, validators=[name_is_plain])
    description = models.TextField(blank=True)
    state = models.PositiveSmallIntegerField(choices=WorkerState.choices(), default=WorkerState.OFFLINE.value)
    health = models.PositiveSmallIntegerField(
        choices=WorkerHealth.choices(), default=WorkerHealth.ACTIVE.value
    )
    version = models.CharField(max_length=64, blank=True)
    last_ping = models.DateTimeField(null=True, blank=True)
    job_limit = models.PositiveIntegerField(default=0, help_text="Jobs at the same time; 0 is no limit.")
    token_digest = models.CharField(max_length=64, blank=True, editable=False)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def new_token(self) -> str:
        """Give the worker a new token, which ends the old one; save() keeps it."""
        secret = make_secret()
        self.token_digest = digest(secret)
        return secret

    def has_token(self, secret: str) -> bool:
        return bool(self.token_digest) and self.token_digest == digest(secret)


class DeviceQuerySet(AnnouncedQuerySet):
    def in_service(self) -> DeviceQuerySet:
        return self.exclude(health=DeviceHealth.RETIRED)

    def idle(self) -> DeviceQuerySet:
        """Free now: idle, in good or unknown health, on a worker that is there."""
        return self.filter(
            state=DeviceState.IDLE,
            health__in=USABLE,
            worker__state=WorkerState.ONLINE,
            worker__health=WorkerHealth.ACTIVE,
        )


class Device(AnnouncedModel):
    """A board, or anything else that only one job may use at a time."""

    GUARDED: ClassVar[frozenset[str]] = frozenset({"state", "health"})

    name = models.CharField(max_length=200, primary_key=True, validators=[name_is_plain])
    device_type = models.ForeignKey(DeviceType, on_delete=models.PROTECT, related_name="devices")
    worker = models.ForeignKey(
        Worker, on_delete=models.PROTECT, null=True, blank=True, related_name="devices"
    )
    description = models.TextField(blank=True)
    tags = models.ManyToManyField(Tag, blank=True, related_name="devices")
    dictionary = models.TextField(blank=True, help_text="YAML; empty: the device type's.")
    state = models.PositiveSmallIntegerField(choices=DeviceState.choices(), default=DeviceState.IDLE.value)
    health = models.PositiveSmallIntegerField(
        choices=DeviceHealth.choices(), default=DeviceHealth.MAINTENANCE.value
    )
    health_reason = models.TextField(blank=True, editable=False)
    health_by = models.CharField(max_length=150, blank=True, editable=False)
    health_since = models.DateTimeField(default=timezone.now, editable=False)
    last_used = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DeviceQuerySet.as_manager()

    job_in_event: int | None = None  # told by the verb that a job caused; spares a query

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["state", "health"], name="device_state_health")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("device", args=[self.name])

    def job_now(self) -> int | None:
        """The id of the job that has it, if any."""
        if self.job_in_event is not None:
            return self.job_in_event
        job: int | None = self.jobs.unfinished().values_list("pk", flat=True).first()
        return job

    @property
    def configuration(self) -> str:
        """The YAML that a worker gets."""
        return self.dictionary or self.device_type.dictionary

    @property
    def is_retired(self) -> bool:
        return self.health == DeviceHealth.RETIRED

    @property
    def is_usable(self) -> bool:
        return self.health in USABLE


def _executor(dictionary: str) -> str:
    try:
        values: Any = yaml.load(dictionary)
    except yaml.YAMLError:
        return DISPATCHER
    return str(values.get("executor", DISPATCHER)) if isinstance(values, dict) else DISPATCHER
