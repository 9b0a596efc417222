"""The inventory: device types, devices, the workers that they hang on, and tags."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import connection, models
from django.db.models import Case, Count, F, Q, Value, When
from django.db.models.expressions import RawSQL
from django.utils import timezone

from accounts.models import digest, make_secret
from accounts.rights import Anyone
from core import yaml
from core.addresses import address
from devices import dictionary
from devices.dictionary import DISPATCHER
from devices.health import CheckRecord
from devices.states import (
    CHECKED,
    USABLE,
    DeviceHealth,
    DeviceState,
    Frequency,
    Urgency,
    WorkerHealth,
    WorkerState,
)
from devices.worker_versions import Trouble, trouble_of
from events.announced import AnnouncedModel, AnnouncedQuerySet

MICROSECOND = timedelta(microseconds=1)
SILENT_AFTER = timedelta(seconds=60)  # without a ping, a worker counts as offline; LAVA's figure
SHELL = "shell"  # the executor for commands on the worker's own machine

PLAIN = r"[-_a-zA-Z0-9.@]+"
name_is_plain = RegexValidator(rf"^{PLAIN}\Z", "Use letters, digits and - _ . @ only.")


class Tag(models.Model):
    name = models.CharField(max_length=64, unique=True, validators=[name_is_plain])
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Right(models.IntegerChoices):
    """What a group may do; each includes those before it."""

    VIEW = 1, "view"  # see it, and its public jobs
    SUBMIT = 2, "submit"  # have jobs run on it
    CHANGE = 3, "change"  # look after it: its health, its configuration, its jobs


def oversees(user: Anyone, right: Right) -> bool:
    """Whether it is a right of this user's on the whole inventory, whatever groups were given."""
    if user.has_perm("devices.change_device"):
        return True
    return right == Right.VIEW and user.has_perm("devices.view_device")


# Every page and every answer asks for these; built from querysets, they would take Django several times as long to
# write as any database to run.
_GIVEN = """SELECT given.{key} FROM {table} given JOIN auth_user_groups mine ON mine.group_id = given.group_id
    WHERE mine.user_id = %s AND given."right" >= %s"""
_TYPES_SHUT = f"""SELECT device_type_id FROM devices_devicetyperight WHERE "right" = %s
    EXCEPT {_GIVEN.format(key="device_type_id", table="devices_devicetyperight")}"""
_DEVICES_SHUT = f"""SELECT name FROM devices_device
    WHERE name IN (SELECT device_id FROM devices_deviceright WHERE "right" = %s)
        OR device_type_id IN ({_TYPES_SHUT})
    EXCEPT {_GIVEN.format(key="device_id", table="devices_deviceright")}"""

Names = RawSQL | tuple[str, ...]


def types_shut_to(user: Anyone, right: Right) -> Names:
    """The device types on which others have this right, and the user has not."""
    if oversees(user, right):
        return ()
    return RawSQL(_TYPES_SHUT, (right, user.pk, right))


def devices_shut_to(user: Anyone, right: Right) -> Names:
    """The devices on which, or on whose type, others have this right, and the user has not."""
    if oversees(user, right):
        return ()
    return RawSQL(_DEVICES_SHUT, (right, right, user.pk, right, user.pk, right))


def devices_seen_by(user: Anyone, among: Collection[str]) -> set[str]:
    """Those of these names that are of devices `visible_to` the user; in SQL, as every listener asks of every event."""
    if not among:
        return set()
    sql = f"SELECT name FROM devices_device WHERE name IN ({', '.join(['%s'] * len(among))})"
    values: list[Any] = [*among]
    shut = devices_shut_to(user, Right.VIEW)
    if isinstance(shut, RawSQL):
        sql, values = f"{sql} AND name NOT IN ({shut.sql})", [*values, *shut.params]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return {name for (name,) in cursor.fetchall()}


class RightQuerySet(models.QuerySet["Any"]):
    def of(self, user: Anyone) -> RightQuerySet:
        """Those that the user has by a group."""
        return self.filter(group__in=user.groups.all()) if user.is_authenticated else self.none()


class DeviceTypeQuerySet(models.QuerySet["DeviceType"]):
    """A right to view or submit that no group was given is everybody's; given to one, it is that group's alone."""

    def visible_to(self, user: Anyone) -> DeviceTypeQuerySet:
        return self.exclude(pk__in=types_shut_to(user, Right.VIEW))

    def open_to(self, user: Anyone) -> DeviceTypeQuerySet:
        """Those whose devices may run jobs of this user, unless a device has rules of its own."""
        if not user.is_authenticated:
            return self.none()
        return self.visible_to(user).exclude(pk__in=types_shut_to(user, Right.SUBMIT))

    def changeable_by(self, user: Anyone) -> DeviceTypeQuerySet:
        if oversees(user, Right.CHANGE):
            return self.all()
        given = DeviceTypeRight.objects.of(user).filter(right=Right.CHANGE)
        return self.visible_to(user).filter(pk__in=given.values("device_type"))


class DeviceType(models.Model):
    """A kind of device that jobs ask for by name."""

    name = models.CharField(max_length=64, primary_key=True, validators=[name_is_plain])
    description = models.TextField(blank=True)
    display = models.BooleanField(default=True, help_text="Shown in lists.")
    dictionary = models.TextField(
        blank=True, help_text="YAML that a worker gets with each job, unless the device has its own."
    )
    # For jobs that say nothing else.
    retry_attempts = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="How often a job is tried in all when the lab is to blame that it failed; 1: once, as in LAVA.",
    )
    retry_delay = models.DurationField(
        default=timedelta(minutes=1),
        validators=[MinValueValidator(timedelta(0)), MaxValueValidator(timedelta(days=365))],
        help_text="How long to wait before the second attempt.",
    )
    retry_backoff = models.FloatField(
        default=2.0,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="By how much each further wait is longer than the one before.",
    )
    retry_max_delay = models.DurationField(
        default=timedelta(hours=1),
        validators=[MinValueValidator(timedelta(0)), MaxValueValidator(timedelta(days=365))],
        help_text="The longest wait.",
    )
    health_check = models.TextField(
        blank=True, help_text="The definition of the job that checks a device; empty: none is checked."
    )
    health_frequency = models.PositiveIntegerField(
        default=24,
        validators=[MinValueValidator(1)],
        help_text="A device is checked after so many hours or jobs.",
    )
    health_denominator = models.PositiveSmallIntegerField(
        choices=Frequency.choices(), default=Frequency.HOURS.value
    )
    disable_health_check = models.BooleanField(default=False, help_text="For now, no device is checked.")

    objects = DeviceTypeQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return address("device-type", self.name)

    @property
    def executor(self) -> str:
        return _executor(self.dictionary)

    @property
    def is_checked(self) -> bool:
        return bool(self.health_check) and not self.disable_health_check

    def may_be_changed_by(self, user: Anyone) -> bool:
        return DeviceType.objects.changeable_by(user).filter(pk=self.pk).exists()


class Alias(models.Model):
    """Another name by which jobs may ask for a device type."""

    name = models.CharField(max_length=64, primary_key=True, validators=[name_is_plain])
    device_type = models.ForeignKey(DeviceType, on_delete=models.CASCADE, related_name="aliases")

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "aliases"

    def __str__(self) -> str:
        return self.name


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
    dispatcher_config = models.TextField(
        blank=True,
        help_text="YAML for its dispatcher, such as “dispatcher_ip: 192.168.7.1”; empty: the lab's.",
    )
    env = models.TextField(
        blank=True,
        help_text="YAML: the environment of its jobs' processes (purge, removes, overrides); empty: the lab's.",
    )
    env_dut = models.TextField(
        blank=True, help_text="YAML of the same form: the environment on the device; empty: the lab's."
    )

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return address("worker", self.name)

    @property
    def trouble(self) -> Trouble | None:
        """What is known not to work with its version."""
        return trouble_of(self.version)

    def new_token(self) -> str:
        """Give the worker a new token, which ends the old one; save() keeps it."""
        secret = make_secret()
        self.token_digest = digest(secret)
        return secret

    def has_token(self, secret: str) -> bool:
        return bool(self.token_digest) and self.token_digest == digest(secret)


_WORKER_AWAY = Q(worker__isnull=True) | Q(worker__state=WorkerState.OFFLINE)
_WORKER_AWAY |= Q(worker__health__in=[WorkerHealth.MAINTENANCE, WorkerHealth.RETIRED])
_URGENCY = Case(
    When(health=DeviceHealth.RETIRED, then=Value(Urgency.RETIRED.value)),
    When(health=DeviceHealth.BAD, then=Value(Urgency.BAD.value)),
    When(health=DeviceHealth.LOOPING, then=Value(Urgency.LOOPING.value)),
    When(health=DeviceHealth.MAINTENANCE, then=Value(Urgency.TAKEN_OUT.value)),
    When(_WORKER_AWAY, then=Value(Urgency.WORKER_AWAY.value)),
    When(health=DeviceHealth.UNKNOWN, then=Value(Urgency.UNKNOWN.value)),
    default=Value(Urgency.WELL.value),
    output_field=models.PositiveSmallIntegerField(),
)
_LIMIT_OF_WORKER = (
    "(SELECT job_limit FROM devices_worker WHERE devices_worker.name = devices_device.worker_id)"
)


def _free_in(healths: Collection[DeviceHealth]) -> Q:
    """Idle, in one of these healths, and on a worker that is there."""
    return Q(
        state=DeviceState.IDLE,
        health__in=healths,
        worker__state=WorkerState.ONLINE,
        worker__health=WorkerHealth.ACTIVE,
    )


class DeviceQuerySet(AnnouncedQuerySet):
    """Rights on a device are those on its type; where the device has some of its own, these hold instead."""

    def lock(self, pk: str) -> Device:
        """With the limit of its worker, which whoever gives it to a job asks for."""
        device: Device
        device, device.limit_of_worker = self._lock(pk, _LIMIT_OF_WORKER)
        return device

    def visible_to(self, user: Anyone) -> DeviceQuerySet:
        """The one rule for who sees a device."""
        return self.exclude(pk__in=devices_shut_to(user, Right.VIEW))

    def open_to(self, user: Anyone) -> DeviceQuerySet:
        """The one rule for whose jobs a device runs."""
        if not user.is_authenticated:
            return self.none()
        return self.visible_to(user).exclude(pk__in=devices_shut_to(user, Right.SUBMIT))

    def changeable_by(self, user: Anyone) -> DeviceQuerySet:
        """The one rule for who looks after a device."""
        if oversees(user, Right.CHANGE):
            return self.all()
        own = DeviceRight.objects.of(user).filter(right=Right.CHANGE)
        of_type = DeviceTypeRight.objects.of(user).filter(right=Right.CHANGE)
        given = Q(pk__in=own.values("device")) | Q(device_type__in=of_type.values("device_type"))
        return self.visible_to(user).filter(given)

    def in_service(self) -> DeviceQuerySet:
        return self.exclude(health=DeviceHealth.RETIRED)

    def with_urgency(self) -> DeviceQuerySet:
        annotated: DeviceQuerySet = self.annotate(urgency=_URGENCY)
        return annotated

    def by_urgency(self) -> DeviceQuerySet:
        """What a person should look at first; what is ill, by when it became so, the newest first."""
        since = Case(When(health=DeviceHealth.GOOD, then=Value(None)), default=F("health_since"))
        return self.with_urgency().order_by("urgency", since.desc(), "name")

    def ailing(self) -> DeviceQuerySet:
        """Those that get no job until a person does something."""
        return self.by_urgency().filter(urgency__lte=Urgency.TAKEN_OUT)

    def idle(self) -> DeviceQuerySet:
        """Free now: idle, in good or unknown health, on a worker that is there."""
        return self.filter(_free_in(USABLE))

    def at_work(self) -> DeviceQuerySet:
        """Those that are idle now, or come free by themselves."""
        is_there = {"worker__state": WorkerState.ONLINE, "worker__health": WorkerHealth.ACTIVE}
        return self.filter(health__in=USABLE, closed_since__isnull=True, **is_there)

    def checkable(self) -> DeviceQuerySet:
        """Those that could begin a health check now, if one is due. `check_record` needs no query."""
        return self.filter(_free_in(CHECKED)).checked().select_related("device_type")

    def checked(self) -> DeviceQuerySet:
        """Those whose type has a health check, as `DeviceType.is_checked` says."""
        return self.filter(device_type__disable_health_check=False).exclude(device_type__health_check="")

    def tally(self) -> dict[str, int]:
        """How many there are: `devices` in all, those that are `free` now, and those that are `ailing`."""
        return self.with_urgency().aggregate(
            devices=Count("pk"),
            free=Count("pk", filter=_free_in(USABLE)),
            ailing=Count("pk", filter=Q(urgency__lte=Urgency.TAKEN_OUT)),
        )

    def reservable(self) -> DeviceQuerySet:
        """Free now for a person: as for a job, but whether its worker is there makes no difference, or that it has none."""
        on_hold = Q(worker__health__in=[WorkerHealth.MAINTENANCE, WorkerHealth.RETIRED])
        return self.filter(state=DeviceState.IDLE, health__in=USABLE).exclude(on_hold)


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
    last_check = models.BigIntegerField(null=True, blank=True, editable=False)  # the job's id
    last_check_time = models.DateTimeField(null=True, blank=True, editable=False)  # of its submission
    jobs_since_check = models.PositiveIntegerField(default=0, editable=False)
    # Closed: the lab ended a job by itself, and nobody knows yet that nothing of it runs here any more.
    closed_since = models.DateTimeField(null=True, blank=True, editable=False)
    closed_by = models.BigIntegerField(null=True, blank=True, editable=False)  # the id of that job

    objects = DeviceQuerySet.as_manager()

    limit_of_worker: int | None = None  # jobs that its worker takes, 0 for any number; known to who locked it
    job_in_event: int | None = None  # told by the verb that a job caused; spares a query
    number_in_event: int | str | None = None  # what that job is called, if not by its id
    was_restricted = False  # while it is deleted: whether only some groups could see it

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_since__isnull=True, closed_by__isnull=True)
                | Q(closed_since__isnull=False, closed_by__isnull=False) & ~Q(state=DeviceState.IDLE.value),
                name="device_closed_is_not_idle",
            )
        ]
        indexes = [models.Index(fields=["state", "health"], name="device_state_health")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return address("device", self.name)

    def job_now(self) -> int | None:
        """The id of the job that has it, if any."""
        if self.job_in_event is not None:
            return self.job_in_event
        job: int | None = self.jobs.unfinished().values_list("pk", flat=True).first()
        return job

    def job_number(self) -> int | str | None:
        """What the job that has it is called: its id, or in a group `12.1`."""
        if self.number_in_event is not None:
            return self.number_in_event
        if self.job_in_event is not None:
            return self.job_in_event
        job = self.jobs.unfinished().select_related("group").first()
        return None if job is None else job.number

    def may_be_changed_by(self, user: Anyone) -> bool:
        return Device.objects.changeable_by(user).filter(pk=self.pk).exists()

    def follow_rule(self) -> None:
        if self.state == DeviceState.IDLE:
            self.open()

    def open(self) -> None:
        self.closed_since = self.closed_by = None

    @property
    def is_closed(self) -> bool:
        return self.closed_since is not None

    @property
    def configuration(self) -> str:
        """The YAML that says how the device is used."""
        return self.dictionary or self.device_type.dictionary

    @property
    def access(self) -> tuple[str, ...]:
        """How a person reaches it, line by line."""
        return dictionary.access_of(self.configuration)

    @property
    def inherits_dictionary(self) -> bool:
        return not self.dictionary

    @property
    def is_retired(self) -> bool:
        return self.health == DeviceHealth.RETIRED

    @property
    def is_usable(self) -> bool:
        return self.health in USABLE

    def takes(self, *, check: bool) -> bool:
        """Whether its health lets it begin a job; `check`: a health check."""
        return self.health in CHECKED if check else self.is_usable

    @property
    def check_record(self) -> CheckRecord:
        return CheckRecord(
            health=DeviceHealth(self.health),
            last=self.last_check_time,
            jobs_since=self.jobs_since_check,
            every=self.device_type.health_frequency,
            unit=Frequency(self.device_type.health_denominator),
        )


class HealthChangeQuerySet(models.QuerySet["HealthChange"]):
    def add(self, device: Device, time: datetime, **line: Any) -> HealthChange:
        """The next line of a device's history. The device's row must be locked, or new."""
        last = self.filter(device=device).order_by("-id").first()
        if last is None:
            return self.create(device=device, time=time, **line)
        # A clock that goes back does not mix up the order.
        time = max(time, last.time)
        return self.create(device=device, time=time, spent=last.spent_by(time), **line)


class HealthChange(models.Model):
    """One line of a device's history: its health, or what was said of it, became another."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="health_changes")
    time = models.DateTimeField(default=timezone.now)
    previous = models.PositiveSmallIntegerField(
        choices=DeviceHealth.choices(), null=True
    )  # null: it was added
    health = models.PositiveSmallIntegerField(choices=DeviceHealth.choices())
    reason = models.TextField(blank=True)
    by = models.CharField(max_length=150, blank=True)  # the user or worker
    # Microseconds in each health before this line, by its number: what lies between two moments is a difference,
    # and nobody has to add up the lines between them.
    spent = models.JSONField(default=dict, editable=False)

    objects = HealthChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["device", "-id"], name="health_change_device"),
            models.Index(fields=["device", "-time", "-id"], name="health_change_time"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id}: {DeviceHealth(self.health).label}"

    def spent_by(self, moment: datetime) -> dict[str, int]:
        """What a line at this later moment would have as `spent`."""
        spent: dict[str, int] = self.spent
        health = str(int(self.health))
        return spent | {health: spent.get(health, 0) + (moment - self.time) // MICROSECOND}


class DeviceTypeRight(models.Model):
    """What a group may do with all devices of a type."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="device_type_rights")
    device_type = models.ForeignKey(DeviceType, on_delete=models.CASCADE, related_name="rights")
    right = models.PositiveSmallIntegerField(choices=Right.choices)

    objects = RightQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["device_type", "group"], name="one_right_of_group_on_type")
        ]
        verbose_name = "right on a device type"
        verbose_name_plural = "rights on device types"

    def __str__(self) -> str:
        return f"{self.group}: {Right(self.right).label} {self.device_type_id}"


class DeviceRight(models.Model):
    """What a group may do with one device; it stands before what the group may do with the type."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="device_rights")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="rights")
    right = models.PositiveSmallIntegerField(choices=Right.choices)

    objects = RightQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["device", "group"], name="one_right_of_group_on_device")
        ]
        verbose_name = "right on a device"
        verbose_name_plural = "rights on devices"

    def __str__(self) -> str:
        return f"{self.group}: {Right(self.right).label} {self.device_id}"


def _executor(dictionary: str) -> str:
    try:
        values: Any = yaml.load(dictionary)
    except yaml.YAMLError:
        return DISPATCHER
    return str(values.get("executor", DISPATCHER)) if isinstance(values, dict) else DISPATCHER
