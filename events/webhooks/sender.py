"""The loop behind the webhooks: it looks through what happened for all of them, and delivers for several at once.

Each turn of a webhook is a thread of its own, and short: a slow endpoint holds up nobody, rights are asked anew every
few seconds, and no endpoint gets two requests at a time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from django.conf import settings
from django.db import close_old_connections, connection, connections
from django.utils import timezone

from core.daemon import Daemon
from core.doorbell import Doorbell
from events import feed, numbering, retention, visibility
from events.models import Event
from events.selection import BadFilter, Selection
from events.webhooks import courier, messages
from events.webhooks.client import Client
from events.webhooks.courier import Clock, Courier, Poster
from events.webhooks.models import Delivery, Webhook

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
PAUSE_SECONDS = (
    0.05  # between two passes: with 1,000 webhooks each takes 7 ms, and a busy lab rings without end
)
AT_ONCE = 8  # webhooks that have their turn
AT_ONCE_OF_ONE_USER = 4
TURN_SECONDS = 2.0  # after which a turn begins no further delivery
NOTE_SECONDS = 5.0  # between two times that the cursors of those who wanted nothing are written down
TIDY_SECONDS = 3600.0  # between two times that old deliveries are deleted
LAST_TURNS_SECONDS = 2.0  # that those under way have when the lab ends
LOCK = 5_501  # any number, the same in every process of the lab

selection = lru_cache(maxsize=4096)(Selection.parse)


@dataclass(frozen=True, slots=True)
class _Due:
    """As much of a webhook as tells whether something may be for it."""

    pk: int
    user_id: int
    cursor: int
    told_of_gap: int
    filter: str

    def candidates(self, events: Iterable[Event]) -> list[Event]:
        """What it wants, and perhaps more: an event fits a filter no better without what its user may not know."""
        wanted = selection(self.filter)
        return [event for event in events if wanted.matches(event.type, event.data)]

    def has_gap(self, cleared: int) -> bool:
        return max(self.cursor, self.told_of_gap) < cleared


@dataclass(frozen=True, slots=True)
class _Turn:
    webhook: _Due
    candidates: list[Event]
    end: int  # all up to here was looked through
    cleared: int  # the last event that is not kept


class Sender:
    """`run_once` begins turns and does not wait for them; `settle` does."""

    def __init__(
        self,
        *,
        client: Poster | None = None,
        now: Clock = timezone.now,
        ring: Callable[[], None] = lambda: None,
        stop: threading.Event | None = None,
    ) -> None:
        self._courier = Courier(client or Client(), now)
        self._now = now
        self._ring = ring  # called after each turn, from its thread
        self._stop = stop or threading.Event()
        self._turns: dict[int, tuple[_Turn, threading.Thread]] = {}  # by webhook
        self._passed: dict[int, int] = {}  # cursors that are not written down yet
        self._served: dict[int, int] = defaultdict(int)  # in which turn of all a webhook was served last
        self._count = 0
        self._noted = self._tidied = time.monotonic()

    def run_once(self) -> None:
        self._clear_up()
        if not _is_leader():
            return
        last = numbering.last_number()
        if not settings.EVENT_NOTIFICATION:
            # What happens while the transports are off is not sent when they are switched on again.
            Webhook.objects.filter(sequence__lt=last).update(sequence=last)
            return
        for cursor, group in self._groups(last):
            if len(self._turns) >= AT_ONCE:
                break
            self._look_through(cursor, group, last)
        self._note_passed()
        self._tidy()

    def settle(self, seconds: float = 60.0) -> None:
        """Wait for the turns under way."""
        until = time.monotonic() + seconds
        for _, thread in list(self._turns.values()):
            thread.join(max(0.0, until - time.monotonic()))
        self._clear_up()

    @property
    def is_busy(self) -> bool:
        return bool(self._turns)

    def close(self) -> None:
        """What is under way is written down if it ends soon. If not, it is sent again, with the same id."""
        self.settle(LAST_TURNS_SECONDS)
        self._note_passed(at_once=True)
        _resign()

    def _clear_up(self) -> None:
        self._turns = {pk: turn for pk, turn in self._turns.items() if turn[1].is_alive()}

    def _groups(self, last: int) -> list[tuple[int, list[_Due]]]:
        """Those with something to look through, by their cursors, whoever waits longest first."""
        groups: dict[int, list[_Due]] = defaultdict(list)
        rows = Webhook.objects.due(self._now()).values_list(
            "pk", "user_id", "sequence", "told_of_gap", "filter"
        )
        for pk, user_id, sequence, told_of_gap, filter in rows:
            cursor = max(sequence, self._passed.get(pk, 0))
            if cursor < last and pk not in self._turns:
                groups[cursor].append(_Due(pk, user_id, cursor, told_of_gap, filter))
        for group in groups.values():
            group.sort(key=self._last_served)
        return sorted(groups.items(), key=lambda group: self._last_served(group[1][0]))

    def _last_served(self, webhook: _Due) -> int:
        return self._served.get(webhook.pk, 0)

    def _look_through(self, cursor: int, group: Sequence[_Due], last: int) -> None:
        events = feed.after(cursor)
        cleared = retention.last_cleared()  # asked afterwards: what goes between the two questions is noticed
        end = events[-1].sequence or cursor if events else last
        for webhook in group:
            try:
                candidates = webhook.candidates(events)
            except BadFilter as bad:
                # One that an older version wrote; it must not hold up the others.
                courier.disable(webhook.pk, f"Its filter cannot be understood any more: {bad}.", self._now())
                continue
            if candidates or webhook.has_gap(cleared):
                self._begin(_Turn(webhook, candidates, end, cleared))
            else:
                self._passed[webhook.pk] = end

    def _begin(self, turn: _Turn) -> None:
        if self._stop.is_set() or len(self._turns) >= AT_ONCE:
            return
        user_id = turn.webhook.user_id
        if sum(other.webhook.user_id == user_id for other, _ in self._turns.values()) >= AT_ONCE_OF_ONE_USER:
            return
        self._count += 1
        self._served[turn.webhook.pk] = self._count
        # It ends with the process, however long its endpoint takes: what is not written down is sent again.
        thread = threading.Thread(
            target=self._take_turn, args=(turn,), name=f"webhook-{turn.webhook.pk}", daemon=True
        )
        self._turns[turn.webhook.pk] = (turn, thread)
        thread.start()

    def _take_turn(self, turn: _Turn) -> None:
        try:
            self._deliver_all(turn)
        except Exception:
            log.exception("The webhook %d could not be served; it is tried again", turn.webhook.pk)
            self._stop.wait(POLL_SECONDS)
        finally:
            connections.close_all()
            self._ring()

    def _deliver_all(self, turn: _Turn) -> None:
        """As many as the time allows. What is left comes with the next turn."""
        close_old_connections()
        until = time.monotonic() + TURN_SECONDS

        def is_over() -> bool:
            return self._stop.is_set() or time.monotonic() > until

        webhook = Webhook.objects.due(self._now()).select_related("user").filter(pk=turn.webhook.pk).first()
        if webhook is None:
            return
        if self._courier.deliver(webhook, self._messages(turn, webhook), is_over):
            _pass(webhook.pk, turn.end)

    def _messages(self, turn: _Turn, webhook: Webhook) -> Iterator[messages.Message]:
        if turn.webhook.has_gap(turn.cleared):
            first = max(turn.webhook.cursor, turn.webhook.told_of_gap) + 1
            yield messages.reset(webhook, first, turn.cleared, self._now())
        wanted = selection(webhook.filter)
        for event in visibility.seen_by(webhook.user, turn.candidates):
            # Chosen from what is shown: a filter must not tell what an event hides.
            if wanted.matches(event.type, event.data) and (event.sequence or 0) > webhook.sequence:
                yield messages.of_event(event)

    def _note_passed(self, *, at_once: bool = False) -> None:
        """Write the cursors of those for whom there was nothing: seldom, as there may be many of them."""
        if not at_once and time.monotonic() - self._noted < NOTE_SECONDS:
            return
        self._noted = time.monotonic()
        groups: dict[int, list[int]] = defaultdict(list)
        for pk, cursor in self._passed.items():
            groups[cursor].append(pk)
        for cursor, keys in groups.items():
            Webhook.objects.filter(pk__in=keys, sequence__lt=cursor).update(sequence=cursor)
        self._passed.clear()

    def _tidy(self) -> None:
        if time.monotonic() - self._tidied > TIDY_SECONDS:
            self._tidied = time.monotonic()
            Delivery.objects.filter(time__lt=self._now() - Delivery.KEPT_FOR).delete()


def run(stop: threading.Event) -> None:
    """Pass after pass until `stop` is set; woken as whoever follows the numbers of events is, and by each turn's end."""
    with Doorbell(settings.RUN, "web") as bell:
        sender = Sender(ring=partial(_press, bell), stop=stop)

        def pass_once() -> None:
            sender.run_once()
            stop.wait(PAUSE_SECONDS)

        try:
            Daemon("webhooks", bell, poll=POLL_SECONDS, stop=stop).run(pass_once)
        finally:
            sender.close()


def _press(bell: Doorbell) -> None:
    try:
        bell.press()
    except OSError:
        log.debug("A webhook's turn ended after the loop did")


def _is_leader() -> bool:
    """Of several engines on PostgreSQL one serves the webhooks, as long as its connection lasts; SQLite has but one."""
    if connection.vendor == "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = %s"
            " AND granted AND pid = pg_backend_pid()) THEN true ELSE pg_try_advisory_lock(%s) END",
            [LOCK, LOCK],
        )
        return bool(cursor.fetchone()[0])


def _resign() -> None:
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _pass(pk: int, end: int) -> None:
    Webhook.objects.filter(pk=pk, sequence__lt=end).update(sequence=end)
    kept = Delivery.objects.filter(webhook=pk).order_by("-pk").values_list("pk", flat=True)
    if oldest := kept[Delivery.KEPT : Delivery.KEPT + 1].first():
        Delivery.objects.filter(webhook=pk, pk__lte=oldest).delete()
