"""The queue summed up for everybody: how many unfinished jobs there are in each state, told when it has changed.

Numbers alone, as in the history of the queue: nobody learns from them which jobs there are.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from events import outbox
from events.models import Counter, Event
from events.outbox import Cause
from jobs.models import Job
from jobs.states import ON_A_DEVICE, Requeue, State

TYPE: Final = "queue.summary"
SUBJECT: Final = "queue"
PAUSE: Final = timedelta(seconds=1)  # at least between two of them
COUNTER: Final = "queue-summary"  # the id of the last one; its row is the lock of whoever tells the next

Summary = dict[str, dict[str, int]]

_NOTHING: Final[Summary] = {"states": {}, "flags": {}}
_WAITS: Final = {Requeue.DEFERRAL: "deferred", Requeue.RETRY: "retry"}


def run_once() -> bool:
    """Tell how the queue is, unless that was told. False: the last one is too new for another, so look again."""
    last = Event.objects.filter(pk__in=Counter.objects.filter(name=COUNTER).values("value")).first()
    # Without a lock, as nearly always another thing has happened.
    return _said(last) == now() or _tell()


def now() -> Summary:
    """Counted by indexes, however many jobs wait."""
    states = Job.objects.unfinished().order_by().values_list("state").annotate(Count("pk"))
    put_off = Job.objects.filter(state=State.SUBMITTED, not_before__isnull=False, requeue__in=_WAITS)
    waits = put_off.order_by().values_list("requeue").annotate(Count("pk"))
    at_work = Job.objects.filter(state__in=ON_A_DEVICE).order_by()
    flags = {_WAITS[Requeue(why)]: n for why, n in waits}
    flags |= at_work.aggregate(lost=Count("lost_since"), overtime=Count("overtime_since"))
    return {
        "states": {State(state).label: n for state, n in states},
        "flags": {flag: n for flag, n in flags.items() if n},
    }


@transaction.atomic
def _tell() -> bool:
    Counter.objects.get_or_create(name=COUNTER)
    # Another engine may have told it meanwhile.
    told = Counter.objects.select_for_update().get(name=COUNTER)
    last, summary = Event.objects.filter(pk=told.value).first(), now()
    if _said(last) == summary:
        return True
    if last is not None and timedelta(0) <= timezone.now() - last.time < PAUSE:
        return False
    told.value = outbox.record(TYPE, subject=SUBJECT, data=summary, cause=Cause(kind="timer")).pk
    told.save()
    return True


def _said(last: Event | None) -> dict[str, Any]:
    """What listeners know; one that was cleared away is told again, unless nothing is in the queue any more."""
    return _NOTHING if last is None else last.data
