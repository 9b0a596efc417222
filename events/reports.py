"""Which Task Reports events make. A report tells all of a task, an event only what is new: the rest is in earlier ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from events import pulp
from events.models import Event

REMEMBERED = 2000  # unfinished jobs; of others it is read again

See = Callable[[Sequence[Event]], Sequence[Event]]  # those that may be told, as far as they may


@dataclass(slots=True)
class Past:
    """What the events of a job have said, up to one of them."""

    job_sequence: int
    state: Event | None = None
    progress: Event | None = None


class Reporter:
    """Follows the events of jobs in their order."""

    def __init__(self, see: See) -> None:
        self._see = see
        self._pasts: OrderedDict[int, Past] = OrderedDict()

    def reports(self, events: Sequence[Event]) -> dict[UUID, pulp.Report]:
        """By the ids of their events, all of which may be told. Not every event makes one."""
        found = [(event, *self._follow(event)) for event in events if event.job_id is not None]
        states = {event.uid: state for event, state, _ in found if state is not None}
        shown = self._shown(states.values(), told={event.uid: event for event in events})
        return {
            event.uid: pulp.report(event, state=shown[states[event.uid].uid], progress=progress)
            for event, _, progress in found
            if event.uid in states and states[event.uid].uid in shown
        }

    def _follow(self, event: Event) -> tuple[Event | None, Event | None]:
        """The job's state and progress after a report's event; nothing after another."""
        job_id, number = event.job_id or 0, event.job_sequence or 0
        past = self._pasts.pop(job_id, None)
        is_known = past is not None and past.job_sequence == number - 1
        if event.type not in pulp.REPORTED:
            if past is not None and is_known:
                past.job_sequence = number
                self._pasts[job_id] = past
            return None, None
        if past is None or not is_known:
            past = _look_up(event)
        past.job_sequence = number
        if event.type in pulp.PROGRESSES:
            past.progress = event
        else:
            past.state = event
        if not pulp.is_over(event):
            self._remember(job_id, past)
        is_of_attempt = past.progress is not None and past.progress.attempt == event.attempt
        return past.state, past.progress if is_of_attempt else None

    def _remember(self, job_id: int, past: Past) -> None:
        self._pasts[job_id] = past
        if len(self._pasts) > REMEMBERED:
            self._pasts.popitem(last=False)

    def _shown(self, states: Collection[Event], told: dict[UUID, Event]) -> dict[UUID, Event]:
        """What was seen earlier is asked about again: it may be hidden by now."""
        earlier = [
            state for state in {state.uid: state for state in states}.values() if state.uid not in told
        ]
        return told | {state.uid: state for state in self._see(earlier)}


def _look_up(event: Event) -> Past:
    past = Past(job_sequence=event.job_sequence or 0)
    if past.job_sequence > 1:
        before = Event.objects.filter(job_id=event.job_id, job_sequence__lt=event.job_sequence)
        backwards = before.order_by("-job_sequence")
        past.state = backwards.filter(type__in=pulp.STATES).first()
        past.progress = backwards.filter(type__in=pulp.PROGRESSES).first()
    return past
