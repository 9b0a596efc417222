"""Jobs, their attempts and their results."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, ClassVar, Final

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection, models
from django.db.models import Count, Min, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.rights import Anyone
from core import rows
from core.addresses import address
from core.conditions import Condition
from devices.models import Device, DeviceType, Right, Tag, devices_shut_to, types_shut_to
from devices.states import WorkerState
from events.announced import AnnouncedModel, AnnouncedQuerySet
from jobs import logs, watchdogs
from jobs.numbers import EITHER
from jobs.outline import ACTIONS, LONGEST_LEVEL, LONGEST_NAME, StepState
from jobs.states import (
    ON_A_DEVICE,
    UNFINISHED,
    Health,
    Move,
    Requeue,
    State,
    find_move,
    outcome,
)

LONGEST_QUESTION = 500  # characters
LONGEST_PROGRESS = 200
NUMBER = re.compile(EITHER)  # of a job, as people and programs write it

# As plain numbers, so that migrations do not depend on these modules.
_FINISHED = State.FINISHED.value
_UNFINISHED = [state.value for state in UNFINISHED]
_ON_A_DEVICE = [state.value for state in ON_A_DEVICE]
_UNKNOWN = Health.UNKNOWN.value
# Asked at the end of every job, so not built anew each time: that would take longer than the answer.
_HAS_FAILURES: Final = """
    SELECT EXISTS (
        SELECT 1 FROM jobs_testcase
        JOIN jobs_attempt ON jobs_attempt.id = jobs_testcase.attempt_id
        JOIN jobs_testsuite ON jobs_testsuite.id = jobs_testcase.suite_id
        WHERE jobs_attempt.job_id = %s AND jobs_attempt.number = %s
            AND jobs_testcase.result = %s AND jobs_testsuite.name <> %s
    )
"""
_NAME_OF_SUBMITTER: Final = "(SELECT username FROM auth_user WHERE auth_user.id = jobs_job.submitter_id)"
_WHO_SEES_IT = ["visibility", "device", "device_type", "wanted_device", "submitter"]


class Visibility(models.TextChoices):
    PUBLIC = "public", "Publicly visible"
    PERSONAL = "personal", "Personal only"
    GROUP = "group", "Group only"


class Kind(models.TextChoices):
    JOB = "job"  # a worker runs it
    RESERVATION = "reservation"  # a person holds a device: `jobs.reservations`


def by_submitter(name: str, *others: str) -> Q:
    """The jobs of the users of these names."""
    if others:
        return Q(submitter__username__in=[name, *others])
    # Joined, PostgreSQL would look through all jobs for those of somebody who has none.
    return Q(submitter=User.objects.filter(username=name).values("pk")[:1])


def by_number(text: str) -> Q:
    """The job whose number this is: `12`, or as LAVA numbers those of a group `12.1`."""
    return any_of_numbers([text])


def any_of_numbers(texts: Iterable[str]) -> Q:
    """The jobs that have these numbers; what is no number is none of them."""
    valid = [text.partition(".") for text in texts if NUMBER.fullmatch(text)]
    alone = Q(pk__in=[first for first, dot, _ in valid if not dot])
    in_groups = (Q(group__first=first, member=member) for first, dot, member in valid if dot)
    return reduce(or_, in_groups, alone)


# Every page and every answer asks for these, some of a hundred thousand rows: what decides most of them comes first.
_IS_SHARED = """{visibility} = 'group'
    AND EXISTS (SELECT 1 FROM jobs_job_viewing_groups shown WHERE shown.job_id = {job})
    AND NOT EXISTS (SELECT 1 FROM jobs_job_viewing_groups shown WHERE shown.job_id = {job} AND shown.group_id NOT IN
        (SELECT mine.group_id FROM auth_user_groups mine WHERE mine.user_id = %s))"""  # no more if a group is deleted
_COLUMNS = {
    "job": "pk",
    "visibility": "visibility",
    "device": "device_id",
    "type": "device_type_id",
    "wanted": "wanted_device",
    "submitter": "submitter_id",
}


def _seen_by(user: Anyone) -> Condition:
    """By a user who is not a superuser."""
    public, values = _is_public_to(user)
    if not user.is_authenticated:
        return Condition(public, values, **_COLUMNS)
    sql = f"({public}) OR {{submitter}} = %s OR ({_IS_SHARED})"
    return Condition(sql, [*values, user.pk, user.pk], **_COLUMNS)


def _is_public_to(user: Anyone) -> tuple[str, list[Any]]:
    """Of a job: whether it is shown to all who see its device, or its type before it has one, and this user does."""
    devices, types = devices_shut_to(user, Right.VIEW), types_shut_to(user, Right.VIEW)
    if isinstance(devices, tuple) or isinstance(types, tuple):  # nothing is shut to those who oversee all
        return "{visibility} = 'public'", []
    # Nearly all jobs want no device in particular, and need not be looked up by it.
    sql = f"""{{visibility}} = 'public'
    AND CASE WHEN {{device}} IS NULL THEN {{type}} NOT IN ({types.sql}) ELSE {{device}} NOT IN ({devices.sql}) END
    AND ({{wanted}} = '' OR {{wanted}} NOT IN ({devices.sql}))"""
    return sql, [*types.params, *devices.params, *devices.params]


def hides_members(user: Anyone) -> models.Exists:
    """Of a job: whether there are jobs of its group that the user does not see."""
    seen = Job.objects.visible_to(user).filter(pk=models.OuterRef("pk"))
    return models.Exists(Job.objects.filter(~models.Exists(seen), group=models.OuterRef("group")))


class JobQuerySet(AnnouncedQuerySet):
    def locked(self) -> JobQuerySet:
        """As they are now, held until the transaction ends."""
        # Every event of a job names its submitter, and one of a group has that group's number.
        return self.select_related("submitter", "group").select_for_update(of=("self",))

    def lock(self, pk: int) -> Job:
        """With its submitter's name, which all of its events tell."""
        job: Job
        job, name = self._lock(pk, _NAME_OF_SUBMITTER)
        job.submitter = User.from_db(job._state.db, ["id", "username"], [job.submitter_id, name])
        return job

    def numbered(self, text: str) -> JobQuerySet:
        """The job of this number; none for what is no number."""
        return self.filter(by_number(text))

    def for_lists(self) -> JobQuerySet:
        """With what every list shows of a job, and without the long texts."""
        return self.select_related("submitter", "group").defer("definition", "group__definition")

    def visible_to(self, user: Anyone) -> JobQuerySet:
        """The one rule for who sees a job: whoever sees its device, its submitter, or who is in all of its groups."""
        if user.is_superuser:
            return self.all()
        return self.filter(_seen_by(user))

    def whole_to(self, user: Anyone) -> JobQuerySet:
        """Those of whose group the user sees every job, and may read what was submitted for all of them."""
        return self.filter(~hides_members(user))

    def changeable_by(self, user: Anyone) -> JobQuerySet:
        """The one rule for who cancels a job: its submitter, or who looks after its device."""
        if not user.is_authenticated:
            return self.none()
        if user.has_perm("jobs.change_job"):
            return self.all()
        devices = Device.objects.changeable_by(user).values("pk")
        types = DeviceType.objects.changeable_by(user).values("pk")
        looked_after = Q(device__in=devices) | Q(device__isnull=True, device_type__in=types)
        return self.filter(looked_after | Q(submitter=user))

    def for_workers(self) -> JobQuerySet:
        return self.filter(kind=Kind.JOB)

    def reservations(self) -> JobQuerySet:
        return self.filter(kind=Kind.RESERVATION)

    def held(self) -> JobQuerySet:
        """The reservations that have a device now."""
        return self.reservations().filter(state__in=ON_A_DEVICE)

    def unsettled(self) -> JobQuerySet:
        """The reservations for which the lab has to do what a worker does for a job: begin them, or end them."""
        is_over = Q(state=State.RUNNING, deadline__lt=timezone.now())
        return self.reservations().filter(Q(state__in=(State.SCHEDULED, State.CANCELING)) | is_over)

    def expiring(self) -> JobQuerySet:
        """The reservations that end soon, and of which that has not been told yet."""
        warning = watchdogs.reservation_warning()
        running = self.reservations().filter(state=State.RUNNING, expiring_since__isnull=True)
        return running.filter(deadline__lt=timezone.now() + warning, job_timeout__gt=warning)

    def overdue(self) -> JobQuerySet:
        """Those for whose workers the lab waits no longer, by how long it has waited."""
        return self.for_workers().filter(deadline__lt=timezone.now()).order_by("deadline")

    def over_wall_time(self) -> JobQuerySet:
        """Those that have run for longer than their wall time, and of which that has not been told yet."""
        limited = self.filter(state=State.RUNNING, wall_time__isnull=False, overtime_since__isnull=True)
        return limited.filter(start_time__lt=timezone.now() - models.F("wall_time"))

    def oddly_flagged(self) -> JobQuerySet:
        """Those on a device whose flag as lost, or the lack of it, is not what their worker's state says."""
        is_silent = Q(device__worker__state=WorkerState.OFFLINE)
        is_lost = Q(lost_since__isnull=False)
        odd = (is_silent & ~is_lost) | (is_lost & Q(device__worker__state=WorkerState.ONLINE))
        return self.for_workers().filter(odd, state__in=ON_A_DEVICE)

    def unfinished(self) -> JobQuerySet:
        return self.filter(state__in=UNFINISHED)

    def queued(self) -> JobQuerySet:
        """Those that wait for a device, in the order in which they get one."""
        return self.filter(state=State.SUBMITTED).order_by("-priority", "submit_time", "id")

    def due(self) -> JobQuerySet:
        """Those of the queue that wait for a device and not for a time."""
        return self.queued().exclude(not_before__gt=timezone.now())

    def tally(self) -> dict[str, Any]:
        """How many are `on_a_device` and `queued`, and `due_since` when the one that waits longest waits; None: none does."""
        is_queued = Q(state=State.SUBMITTED)
        is_due = is_queued & ~Q(not_before__gt=timezone.now())
        return self.aggregate(
            on_a_device=Count("pk", filter=Q(state__in=ON_A_DEVICE)),
            queued=Count("pk", filter=is_queued),
            due_since=Min(Coalesce("queued_since", "submit_time"), filter=is_due),
        )

    def put_off(self) -> JobQuerySet:
        """Those of the queue that wait for a time, the next ones first."""
        return self.filter(not_before__gt=timezone.now()).order_by("not_before")

    def of_worker(self, worker: str) -> JobQuerySet:
        return self.for_workers().filter(device__worker=worker, state__in=ON_A_DEVICE)

    def recent(self) -> JobQuerySet:
        return self.order_by("-id")


class JobGroup(models.Model):
    """The jobs of one MultiNode definition: each has a device of its own, and all get theirs at once or none does."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)  # LAVA's `target_group`
    definition = models.TextField(editable=False)  # of the whole, as it was submitted
    # The number of its first job, by which LAVA names them all: 12.0, 12.1. None until that one has got its number.
    first = models.PositiveBigIntegerField(null=True, unique=True, editable=False)

    def __str__(self) -> str:
        return f"group {self.first}"


class Job(AnnouncedModel):
    """Something to be done on a device, once, by whoever submitted it."""

    GUARDED: ClassVar[frozenset[str]] = frozenset({"state", "health"})

    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.JOB, editable=False)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    submitter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="jobs")
    description = models.CharField(max_length=200)  # the definition's job_name
    definition = models.TextField()
    device_type = models.ForeignKey(DeviceType, on_delete=models.PROTECT, related_name="jobs")
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, blank=True, related_name="jobs")
    # The only one that will do, by its name: without that device the job waits, and gets no other.
    wanted_device = models.CharField(max_length=200, blank=True, editable=False)
    wanted_tags = models.JSONField(
        default=list, editable=False
    )  # the names of `tags`, for every event to tell
    tags = models.ManyToManyField(Tag, blank=True, related_name="jobs")
    priority = models.PositiveSmallIntegerField(default=50)
    visibility = models.CharField(max_length=8, choices=Visibility.choices, default=Visibility.PUBLIC)
    viewing_groups = models.ManyToManyField(Group, blank=True, related_name="viewing_jobs")
    health_check = models.BooleanField(default=False)
    # Of a MultiNode job: one of several that run together.
    group = models.ForeignKey(
        JobGroup,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="jobs",
        db_index=False,  # its constraint has an index
    )
    member = models.PositiveSmallIntegerField(default=0, editable=False)  # its place in the group, from 0
    role = models.CharField(max_length=200, blank=True, editable=False)
    is_essential = models.BooleanField(default=False, editable=False)  # if it fails, the others are canceled

    state = models.PositiveSmallIntegerField(choices=State.choices(), default=State.SUBMITTED.value)
    health = models.PositiveSmallIntegerField(choices=Health.choices(), default=Health.UNKNOWN.value)
    outcome = models.CharField(max_length=16, blank=True, editable=False)  # empty while it is not finished
    attempt = models.PositiveIntegerField(default=1)
    submit_time = models.DateTimeField(default=timezone.now)
    start_time = models.DateTimeField(null=True, blank=True)
    end_time = models.DateTimeField(null=True, blank=True)
    queue_timeout = models.DurationField(null=True, blank=True)
    job_timeout = models.DurationField(null=True, blank=True)
    wall_time = models.DurationField(null=True, blank=True)
    # In the queue alone: when it (re)entered it, if that was not when it was submitted, and before when it gets no device.
    queued_since = models.DateTimeField(null=True, blank=True, editable=False)
    not_before = models.DateTimeField(null=True, blank=True, editable=False)
    not_before_reason = models.TextField(blank=True, editable=False)
    requeue = models.CharField(max_length=8, blank=True, editable=False)  # `jobs.states.Requeue`
    retry = models.JSONField(
        default=dict, blank=True, editable=False
    )  # `jobs.retries`; else its type's columns
    defer_limit = models.DurationField(null=True, blank=True)  # None: the setting DEFER_LIMIT
    deferred_since = models.DateTimeField(null=True, blank=True, editable=False)  # put off for the first time
    overtime_since = models.DateTimeField(null=True, blank=True, editable=False)
    # On a device: when the lab waits no longer for the worker's word. `jobs.watchdogs` has the rules.
    deadline = models.DateTimeField(null=True, blank=True, editable=False)
    lost_since = models.DateTimeField(null=True, blank=True, editable=False)  # its worker fell silent
    expiring_since = models.DateTimeField(null=True, blank=True, editable=False)  # its holder was warned
    error_type = models.CharField(max_length=32, blank=True)
    failure_comment = models.TextField(blank=True)
    # What `jobs.retention` goes by.
    pinned = models.BooleanField(default=False, editable=False)
    log_removed = models.DateTimeField(null=True, blank=True, editable=False)
    resubmitted_from = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="resubmissions"
    )

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["device"], condition=Q(state__in=_ON_A_DEVICE), name="one_unfinished_job_per_device"
            ),
            models.CheckConstraint(
                condition=Q(state=_FINISHED, end_time__isnull=False)
                | Q(state__in=_UNFINISHED, end_time__isnull=True),
                name="job_ends_when_finished",
            ),
            models.CheckConstraint(
                condition=(Q(state=_FINISHED) & ~Q(health=_UNKNOWN))
                | Q(state__in=_UNFINISHED, health=_UNKNOWN),
                name="job_has_health_when_finished",
            ),
            models.CheckConstraint(
                condition=(Q(state=_FINISHED) & ~Q(outcome="")) | Q(state__in=_UNFINISHED, outcome=""),
                name="job_has_outcome_when_finished",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=_ON_A_DEVICE) | Q(device__isnull=False), name="job_at_work_has_device"
            ),
            models.UniqueConstraint(fields=["group", "member"], name="one_job_per_member"),
        ]
        indexes = [
            models.Index(
                fields=["-priority", "submit_time", "id"],
                condition=Q(state=State.SUBMITTED.value),
                name="job_queue",
            ),
            models.Index(fields=["state", "-id"], name="job_state"),
            models.Index(fields=["health", "-id", *_WHO_SEES_IT], name="job_health"),
            models.Index(fields=["outcome", "-id"], name="job_outcome"),
            models.Index(fields=["device_type", "-id"], name="job_type"),
            models.Index(fields=["device", "-id"], name="job_device"),
            models.Index(fields=["device_type", "state"], name="job_type_state"),
            models.Index(fields=["submitter", "-id"], name="job_submitter"),
            # In the order of REST v0.2, which walks far into it by number.
            models.Index(fields=["-end_time", "id", *_WHO_SEES_IT], name="job_end"),
            models.Index(fields=["not_before"], condition=Q(not_before__isnull=False), name="job_not_before"),
            models.Index(fields=["deadline"], condition=Q(deadline__isnull=False), name="job_deadline"),
            models.Index(fields=["-id"], condition=Q(kind="reservation"), name="job_reservation"),
            # All that says who sees a job, to count them by: the rows themselves are as long as their definitions.
            models.Index(fields=["-id", *_WHO_SEES_IT], name="job_seen"),
            # With what else lists are searched by.
            models.Index(
                fields=[
                    "-id",
                    *_WHO_SEES_IT,
                    "state",
                    "health",
                    "submit_time",
                    "end_time",
                    "description",
                ],
                name="job_list",
            ),
        ]

    def __str__(self) -> str:
        return f"job {self.number}: {self.description}"

    def get_absolute_url(self) -> str:
        return address("job", self.pk)

    @property
    def is_reservation(self) -> bool:
        return self.kind == Kind.RESERVATION

    @property
    def number(self) -> int | str:
        """What people and LAVA's clients know it by: its id, or in a group `12.1`."""
        if self.group is None:
            return int(self.pk)
        return f"{self.group.first or self.pk}.{self.member}"

    @property
    def members(self) -> list[Job]:
        """All jobs of its group, in order; of a job without one, itself."""
        if self.group is None:
            return [self]
        return list(self.group.jobs.select_related("submitter", "group").order_by("member"))

    @property
    def whole_definition(self) -> str:
        """As it was submitted: in a group for all of them, where `definition` is that of this one alone."""
        return self.definition if self.group is None else self.group.definition

    def shows_whole_to(self, user: Anyone) -> bool:
        """Whether somebody who sees the job may read `whole_definition`, and so run it again."""
        return self.group_id is None or Job.objects.whole_to(user).filter(pk=self.pk).exists()

    @property
    def is_finished(self) -> bool:
        return self.state == State.FINISHED

    @property
    def duration(self) -> timedelta | None:
        """How long it has run; None if it never started."""
        if self.start_time is None:
            return None
        return (self.end_time or timezone.now()) - self.start_time

    @property
    def waited(self) -> timedelta:
        """How long for a device, since it entered the queue for the last time."""
        since = self.queued_since or self.submit_time
        return max((self.start_time or self.end_time or timezone.now()) - since, timedelta(0))

    @property
    def is_put_off(self) -> bool:
        """Whether it waits in the queue for a time."""
        if self.state != State.SUBMITTED or self.not_before is None:
            return False
        return self.not_before > timezone.now()

    def put_off(self, until: datetime, requeue: Requeue, reason: str) -> None:
        self.not_before, self.not_before_reason, self.requeue = until, reason, requeue
        self.queued_since = until

    def begin_anew(self) -> None:
        """Set what is another attempt's, so that the job waits for one as it did for the first."""
        self.attempt += 1
        self.device = None
        self.start_time = self.overtime_since = self.lost_since = None
        self.error_type = self.failure_comment = ""

    def end_attempt(self, **values: Any) -> Attempt | None:
        """Write how the latest attempt ended. The job's row must be locked."""
        # Its test may ask for a deferral just now: that is read here, or comes too late.
        return Attempt.objects.write(self.pk, self.attempt, **values)

    def log_directory(self, attempt: int | None = None) -> Path:
        """Where the log of an attempt lives; the latest one's unless asked."""
        return logs.directory_for(settings.LOGS, self.submit_time, self.pk, attempt or self.attempt)

    def settle(self) -> None:
        """Say in one word how it ended, by what its latest attempt has stored. Its row must be locked."""
        has_failures = self.health == Health.COMPLETE and self._has_failures()
        self.outcome = outcome(Health(self.health), self.error_type, has_failures=has_failures) or ""

    def _has_failures(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(_HAS_FAILURES, [self.pk, self.attempt, TestCase.Result.FAIL.value, ACTIONS])
            return bool(cursor.fetchone()[0])

    @property
    def closes_device(self) -> bool:
        """Whether the lab ended it by itself, and its device gets no other job before that end is confirmed."""
        if self.device is not None and self.attempt == 1:
            return self.device.closed_by == self.pk
        return Device.objects.filter(closed_by=self.pk).exists()

    @property
    def told_attempt(self) -> int:
        """The attempt that a save tells of: the last thing that happens to one may make the next."""
        return int(self._loaded.get("attempt", self.attempt))

    def attempts_seen_by(self, user: Anyone) -> AttemptQuerySet:
        return Attempt.objects.seen_by(user).filter(job=self)

    def shows_attempt(self, number: int, user: Anyone) -> bool:
        """Whether there is, or is to be, an attempt of this number, whose log and results the user may see."""
        if number == self.attempt:
            return True  # by the rule for the job
        return self.attempts_seen_by(user).filter(number=number).exists()

    def may_be_changed_by(self, user: Anyone) -> bool:
        return Job.objects.changeable_by(user).filter(pk=self.pk).exists()

    def lock_neighbours(self) -> None:
        in_row = Job.objects.filter(pk=self.pk).values_list("device_id", flat=True).first()
        names = {name for name in (in_row, self.device_id) if name is not None}
        list(Device.objects.select_for_update().filter(pk__in=names).order_by("pk"))

    def follow_rule(self) -> None:
        if not self.has_moved:
            return
        move = self.move
        if move.target == State.RUNNING:
            self.start_time = self.start_time or timezone.now()
        if move.target == State.FINISHED:
            self.end_time = self.end_time or timezone.now()
        self.arrive()

    def arrive(self) -> None:
        """Set what comes with the state that it came to just now: its deadline, and at the end its outcome."""
        if self.state != State.SUBMITTED:
            self.not_before, self.not_before_reason, self.requeue = None, "", ""
        rule = watchdogs.end_of_reservation if self.is_reservation else watchdogs.deadline
        self.deadline = rule(State(self.state), self.job_timeout, timezone.now())
        if self.is_finished:
            self.lost_since = None
            if self.attempt > 1 and not self.attempts.filter(number=self.attempt).exists():
                self.attempt -= 1  # the next one, which it waited for, is not to be
            self.settle()

    @property
    def move(self) -> Move:
        """The row of the table that this save follows; InvalidMove if there is none."""
        source = None if self.before is None else State(self.before["state"])
        return find_move(source, State(self.state), Health(self.health))


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def seen_by(self, user: Anyone) -> AttemptQuerySet:
        """Of jobs that the user sees. Those of a job that is seen as a public one were on devices that the user sees."""
        on_hidden = Q(device_name__in=devices_shut_to(user, Right.VIEW), job__visibility=Visibility.PUBLIC)
        return self.exclude(on_hidden & ~Q(job__submitter=user.pk))

    def write(self, job_id: int, number: int, **values: Any) -> Attempt | None:
        """Write this of one attempt, which is held from then on; as it is then, or None if there is none."""
        reading, written = rows.reading(self.model), rows.written(self.model, values)
        changes = ", ".join(f"{column} = %s" for column in written)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE jobs_attempt SET {changes} WHERE job_id = %s AND number = %s RETURNING {reading.columns}",
                [*written.values(), job_id, number],
            )
            row = cursor.fetchone()
        attempt: Attempt | None = row and reading.instance(self.model, row)
        return attempt

    def unconfirmed(self) -> AttemptQuerySet:
        """Those that the lab ended by itself, and whose workers have not said yet that nothing of them runs."""
        return self.filter(unconfirmed_since__isnull=False)


class Attempt(models.Model):
    """One run of a job: it has its own token, log and results."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    device_name = models.CharField(max_length=200)  # kept when the device is gone
    worker_name = models.CharField(max_length=128, blank=True)
    scheduled = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    result = models.CharField(max_length=4, blank=True)  # pass or fail, as the worker said
    error_type = models.CharField(max_length=32, blank=True)
    errors = models.TextField(blank=True)
    pipeline = models.TextField(blank=True)  # the worker's description of its actions, YAML
    unconfirmed_since = models.DateTimeField(null=True)
    # What its test asked for: that the job be run again after so long.
    deferral = models.DurationField(null=True)
    deferral_reason = models.TextField(blank=True)
    # Its worker has these secrets of the submitter's, with the names that stand for them in the definition. The log
    # hides them, also when they were replaced or forgotten meanwhile. Null once nothing of it can come any more.
    given_tokens = models.JSONField(null=True, editable=False)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="attempt_unique")]
        indexes = [
            models.Index(
                fields=["worker_name"],
                condition=Q(unconfirmed_since__isnull=False),
                name="attempt_unconfirmed",
            ),
            models.Index(fields=["device_name", "ended"], name="attempt_device"),
            models.Index(
                fields=["ended"], condition=Q(given_tokens__isnull=False), name="attempt_given_tokens"
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of job {self.job.number}"

    @property
    def is_over(self) -> bool:
        return self.job.is_finished or self.number != self.job.attempt

    @property
    def reason(self) -> str:
        """Why it failed, or why its test asked to be run again."""
        return self.errors if self.deferral is None else self.deferral_reason

    @property
    def log_directory(self) -> Path:
        return self.job.log_directory(self.number)


class DiscardedLog(models.Model):
    """A log that nobody can reach any more, and whose files are to be removed."""

    directory = models.CharField(max_length=200, unique=True)  # of all attempts of a job, below the logs

    def __str__(self) -> str:
        return self.directory

    @property
    def path(self) -> Path:
        return Path(settings.LOGS, self.directory)


class TestSuite(models.Model):
    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="suites")
    name = models.CharField(max_length=200)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["attempt", "name"], name="suite_unique")]

    def __str__(self) -> str:
        return self.name


class TestCase(models.Model):
    """One result, found in one record of the log; that record's index makes it unique."""

    class Result(models.TextChoices):
        PASS = "pass"
        FAIL = "fail"
        SKIP = "skip"
        UNKNOWN = "unknown"

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="cases")
    index = models.PositiveBigIntegerField()  # of the record on the wire
    suite = models.ForeignKey(TestSuite, on_delete=models.CASCADE, related_name="cases")
    test_set = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=1024)
    result = models.CharField(max_length=7, choices=Result.choices)
    measurement = models.DecimalField(max_digits=30, decimal_places=10, null=True)
    units = models.CharField(max_length=64, blank=True)
    metadata = models.JSONField(default=dict)
    log_start = models.PositiveIntegerField(null=True)  # record numbers
    log_end = models.PositiveIntegerField(null=True)
    logged = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["attempt", "index"], name="case_unique")]
        # They are shown and counted by kind and suite, the failures first.
        indexes = [models.Index(fields=["attempt", "result", "suite", "id"], name="case_list")]

    def __str__(self) -> str:
        return f"{self.name}: {self.result}"


class Step(models.Model):
    """One action of an attempt, found in its log: `jobs.outline` has the rules."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="steps")
    index = models.PositiveBigIntegerField()  # on the wire, of the record that began it
    level = models.CharField(max_length=LONGEST_LEVEL)  # as in 2.1.1
    name = models.CharField(max_length=LONGEST_NAME)
    parent = models.PositiveBigIntegerField(null=True)  # index of the step that it is a part of
    trial = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=[(state.value, state.value) for state in StepState])
    began = models.DateTimeField()  # by the worker's clock
    ended = models.DateTimeField(null=True)
    record = models.PositiveBigIntegerField()  # its number in the log, as clients of LAVA count
    last_record = models.PositiveBigIntegerField(null=True)  # that ended it
    offset = models.PositiveBigIntegerField(null=True)  # bytes; where its text begins in the log
    end_offset = models.PositiveBigIntegerField(null=True)
    seen = models.PositiveBigIntegerField()  # on the wire, of the last record that said something of it

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["attempt", "index"], name="step_unique")]
        indexes = [models.Index(fields=["attempt"], condition=Q(ended__isnull=True), name="step_running")]

    def __str__(self) -> str:
        return f"{self.level} {self.name}: {self.state}"

    @property
    def duration(self) -> timedelta:
        """How long it took, or has run until now."""
        return max((self.ended or timezone.now()) - self.began, timedelta())


class ProgressQuerySet(models.QuerySet["Progress"]):
    def pending(self) -> ProgressQuerySet:
        """Those that have changed since they were told."""
        return self.filter(is_pending=True)


class Progress(models.Model):
    """How far an attempt is: `jobs.progress` has the rules."""

    attempt = models.OneToOneField(Attempt, on_delete=models.CASCADE, primary_key=True)
    percent = models.PositiveSmallIntegerField(null=True)  # None: its test does not say
    text = models.CharField(max_length=LONGEST_PROGRESS, blank=True)
    level = models.CharField(max_length=LONGEST_LEVEL, blank=True)  # of the step that began last
    name = models.CharField(max_length=LONGEST_NAME, blank=True)
    told = models.DateTimeField(null=True)
    is_pending = models.BooleanField(default=False)

    objects = ProgressQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "progress"
        indexes = [models.Index(fields=["told"], condition=Q(is_pending=True), name="progress_pending")]

    def __str__(self) -> str:
        return f"{self.percent} % {self.text}"


class Sayings(models.Model):
    """How much an attempt has said in events of its own: `jobs.sayings` has the limits."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="sayings")
    attempt = models.PositiveIntegerField()  # its number; one that is still to come may be spoken for
    heard = models.BigIntegerField(default=-1)  # index of the last record of the log that said something
    told = models.PositiveIntegerField(default=0)
    dropped = models.PositiveIntegerField(default=0)  # that a test said, and nobody was told
    second = models.DateTimeField(null=True)  # of the last one that was told
    in_second = models.PositiveIntegerField(default=0)  # that were told in it

    class Meta:
        verbose_name_plural = "sayings"
        constraints = [models.UniqueConstraint(fields=["job", "attempt"], name="sayings_unique")]

    def __str__(self) -> str:
        return f"{self.told} told, {self.dropped} dropped"


class WaitQuerySet(models.QuerySet["Wait"]):
    def open(self) -> WaitQuerySet:
        """Those that nobody has answered yet, and for which somebody still waits."""
        return self.filter(answer="")


class Wait(models.Model):
    """A test's question to a person: `jobs.waits` has the verbs."""

    class Answer(models.TextChoices):
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        TIMEOUT = "timeout", "Nobody answered in time"
        ENDED = "ended", "The attempt ended first"

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="waits")
    key = models.CharField(max_length=32)  # chosen by the test
    text = models.CharField(max_length=LONGEST_QUESTION)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)  # then the test goes on by itself
    answer = models.CharField(max_length=8, choices=Answer, blank=True)  # empty while it waits
    answered = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=150, blank=True)  # kept when the user is gone
    comment = models.CharField(max_length=LONGEST_QUESTION, blank=True)

    objects = WaitQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["attempt", "key"], name="wait_unique")]
        indexes = [models.Index(fields=["attempt"], condition=Q(answer=""), name="wait_open")]

    def __str__(self) -> str:
        return f"{self.text}: {self.answer or 'waits'}"


def expired(now: datetime) -> JobQuerySet:
    """Queued jobs that have waited longer than their definition allows."""
    limited = Job.objects.filter(state=State.SUBMITTED, queue_timeout__isnull=False)
    late = limited.alias(since=Coalesce("queued_since", "submit_time"))
    found: JobQuerySet = late.filter(since__lt=now - models.F("queue_timeout"))
    return found


class QueueRecord(models.Model):
    """How many unfinished jobs there were in each state, after one of them had moved."""

    number = models.BigIntegerField(primary_key=True)  # 1, 2, 3 …
    sequence = models.BigIntegerField(unique=True)  # of the event that told of the move
    time = models.DateTimeField()
    counts = models.JSONField()  # by the label of the state; those that are 0 are left out

    class Meta:
        ordering = ["number"]
        indexes = [models.Index(fields=["-time", "-number"], name="queue_record_time")]

    def __str__(self) -> str:
        return f"{self.total} jobs at {self.time}"

    @property
    def total(self) -> int:
        return sum(self.counts.values())


class QueueBucket(models.Model):
    """Of a minute, an hour or a day: the busiest of its records, and the last one."""

    span = models.PositiveIntegerField()  # seconds
    start = models.DateTimeField()
    peak = models.JSONField()  # counts as those of a record
    last = models.JSONField()

    class Meta:
        ordering = ["span", "start"]
        constraints = [models.UniqueConstraint(fields=["span", "start"], name="queue_bucket_unique")]

    def __str__(self) -> str:
        return f"{self.span} seconds from {self.start}"
