"""Old events are cleared away, the oldest first. Their numbers are never given again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from events import numbering
from events.models import Counter, Event

CLEARED = "cleared"  # the counter that knows the last event that is gone
BATCH = 1000  # of one transaction

Events = QuerySet[Event]


def due(*, before: datetime | None, at_most: int, kept_jobs: QuerySet[Any, Any]) -> Events:
    """Those older than `before`, and those beyond the newest `at_most` (0: no limit), but none of `kept_jobs`.

    An event without a number has not been told to anybody yet, and stays.
    """
    old = Q(pk__in=[]) if before is None else Q(time__lt=before)
    if at_most:
        old |= Q(sequence__lte=numbering.last_number() - at_most)
    kept = Q(job_id__isnull=False, job_id__in=kept_jobs)
    return Event.objects.filter(old, ~kept, sequence__isnull=False)


@transaction.atomic
def clear(events: Events) -> int:
    """Delete a batch of them; how many there were."""
    sequences = list(events.order_by("sequence").values_list("sequence", flat=True)[:BATCH])
    if sequences:
        Event.objects.filter(sequence__in=sequences).delete()
        Counter.objects.get_or_create(name=CLEARED)
        Counter.objects.filter(name=CLEARED, value__lt=sequences[-1]).update(value=sequences[-1])
    return len(sequences)


def last_cleared() -> int:
    """Whoever comes with a cursor below this number may have missed something; 0: nothing was cleared yet."""
    return Counter.objects.filter(name=CLEARED).values_list("value", flat=True).first() or 0
