"""The queue as it is now, by name and state, as core4 counts it: the jobs that somebody may see, and how many others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, Value, When

from accounts.rights import Anyone
from jobs.models import Job
from jobs.states import Requeue, State

HIDDEN = "UnauthorizedJob"  # the name of all jobs that somebody may not see
OTHERS = "OtherJobs"  # the name of all jobs beyond MOST_NAMES of them
MOST_NAMES = 500


class Core4(StrEnum):
    """core4's words for the states of what is not over."""

    PENDING = "pending"
    DEFERRED = "deferred"
    FAILED = "failed"
    RUNNING = "running"


# In the queue. A member of a group that waits for the others has a device, and does not run.
_WAITS = (State.SUBMITTED, State.SCHEDULING)
_STATE = Case(
    When(state=State.SUBMITTED, requeue=Requeue.RETRY, then=Value(Core4.FAILED.value)),
    When(state=State.SUBMITTED, requeue=Requeue.DEFERRAL, then=Value(Core4.DEFERRED.value)),
    When(state__in=_WAITS, then=Value(Core4.PENDING.value)),
    default=Value(Core4.RUNNING.value),
    output_field=CharField(),
)


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """What jobs of one row have in common."""

    state: str
    name: str
    zombie: bool  # its worker is silent
    wall: bool  # it runs for longer than its wall time
    killed: bool  # somebody asked it to stop


@dataclass(frozen=True, slots=True)
class QueueNow:
    rows: Mapping[Kind, int]

    @property
    def seen(self) -> dict[str, int]:
        """By state, those that one may see; states without any are left out."""
        counts: Counter[str] = Counter()
        for kind, n in self.rows.items():
            if kind.name != HIDDEN:
                counts[kind.state] += n
        return dict(sorted(counts.items()))


def of(user: Anyone) -> QueueNow:
    """One look, so that no job is counted twice or not at all."""
    counted = (
        Job.objects.unfinished()
        .order_by()
        .annotate(
            shown=_name(user),
            word=_STATE,
            zombie=Q(lost_since__isnull=False),
            wall=Q(overtime_since__isnull=False),
            killed=Q(state=State.CANCELING),
        )
        .values_list("word", "shown", "zombie", "wall", "killed")
        .annotate(n=Count("pk"))
    )
    rows: Counter[Kind] = Counter()
    for number, (*kind, n) in enumerate(counted.order_by("-n", "word", "shown")):
        found = Kind(*kind)
        rows[found if number < MOST_NAMES or found.name == HIDDEN else _unnamed(found)] += n
    return QueueNow(rows=rows)


def _name(user: Anyone) -> Case | F:
    if user.is_superuser:
        return F("description")
    seen = Job.objects.visible_to(user).filter(pk=OuterRef("pk"))
    return Case(When(Exists(seen), then=F("description")), default=Value(HIDDEN), output_field=CharField())


def _unnamed(kind: Kind) -> Kind:
    return replace(kind, name=OTHERS)
