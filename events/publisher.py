"""The publisher: numbers events where that is left to do, and drives the outgoing transports.

Each transport has a thread, a position and a database connection of its own: what holds up one is nothing to the others.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import connections, transaction

from core import doorbell, rows
from core.daemon import Daemon
from core.doorbell import Doorbell
from events import feed, numbering
from events.models import Position
from events.transports import Transport, TransportDown
from events.transports.zmq import PublicSocket, TrustedSocket

log = logging.getLogger(__name__)

BELL = "transports"  # rung when there are new numbers
POLL_SECONDS = 1.0
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.1, 5.0  # seconds between two tries of a transport that is down
LAST_SECONDS = 3.0  # that transports have in all to hand on what they have begun, when the publisher ends

_NEVER = threading.Event()


def run(stop: threading.Event) -> None:
    """Pass after pass until `stop` is set; woken by the engine's doorbell."""
    crew = Crew(configured(), stop)
    try:
        with Doorbell(settings.RUN, "engine") as bell:
            Daemon("publisher", bell, poll=POLL_SECONDS, stop=stop).run(crew.work)
    finally:
        crew.leave()


def run_once(transports: Sequence[Transport]) -> None:
    """What `run` does, once and in this thread: for tests, and for trying out."""
    number()
    prepare(transports)
    for transport in transports:
        try:
            Driver(transport).send_all()
        except Exception:
            log.exception("%s failed", transport.name)


def configured() -> list[Transport]:
    """The outgoing transports of this lab."""
    if not settings.EVENT_NOTIFICATION:
        return []
    transports: list[Transport] = [PublicSocket(settings.EVENT_SOCKET)]
    transports += [TrustedSocket(address) for address in settings.EVENT_ADDITIONAL_SOCKETS]
    if settings.EVENT_AMQP_ENABLED:
        # Most labs have no broker, and do without its client.
        from events.transports.amqp import TopicExchange

        url, exchange = settings.EVENT_AMQP_URL, settings.EVENT_AMQP_EXCHANGE
        transports.append(TopicExchange(url, exchange, tells_all=settings.EVENT_AMQP_AUDIENCE == "all"))
    return transports


def number() -> bool:
    """Give numbers to what is committed, and skip what happens while the transports are switched off.

    Whether it gave any. Then it has rung whoever follows `sequence`, and finds something only now.
    """
    has_numbered = False
    while numbered := numbering.number_committed():
        doorbell.ring(settings.RUN, BELL, "web")
        has_numbered = True
        if numbered < numbering.BATCH:
            break
    if not settings.EVENT_NOTIFICATION:
        # It is not sent when they are switched on again.
        Position.objects.update(sequence=numbering.last_number())
    return has_numbered


@transaction.atomic
def prepare(transports: Sequence[Transport]) -> None:
    """Note where those begin that are new, before one of them takes its time."""
    for transport in transports:
        _position(transport)


class Crew:
    """The threads of the transports, and the pass that wakes them."""

    def __init__(self, transports: Sequence[Transport], stop: threading.Event) -> None:
        self._transports = transports
        self._stop = stop
        self._threads: dict[str, threading.Thread] = {}

    def work(self) -> None:
        has_rung = number()
        if not self._threads:
            prepare(self._transports)
        for transport in self._transports:
            self._see_to(transport)
        if not has_rung:
            doorbell.ring(settings.RUN, BELL)

    def leave(self) -> None:
        """Wait for the threads, which know that they are to end, but not for one that hangs."""
        deadline = time.monotonic() + LAST_SECONDS
        for thread in self._threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.warning("%s hangs; what it has not confirmed is sent at the next start", thread.name)

    def _see_to(self, transport: Transport) -> None:
        """That it has a thread, even if something unheard-of ended the last one."""
        thread = self._threads.get(transport.name)
        if thread is None or not thread.is_alive():
            # A daemon: a transport that hangs does not keep the process from ending.
            thread = threading.Thread(
                target=_drive, args=(transport, self._stop), name=transport.name, daemon=True
            )
            self._threads[transport.name] = thread
            thread.start()


def _position(transport: Transport) -> Position:
    # In SQL, as every event waits for it on its way out.
    if known := rows.select(Position, "WHERE transport = %s", [transport.name]):
        return known[0]
    # A new transport begins with what comes next, and not with the lab's whole past.
    begin = {"sequence": numbering.last_number}
    return Position.objects.get_or_create(transport=transport.name, defaults=begin)[0]


def _drive(transport: Transport, stop: threading.Event) -> None:
    try:
        with Doorbell(settings.RUN, BELL) as bell:
            daemon = Daemon(transport.name, bell, poll=POLL_SECONDS, stop=stop)
            daemon.run(Driver(transport, stop, daemon.pulse.beat).work)
    finally:
        transport.close()
        connections.close_all()


class Driver:
    """Sends what comes after one transport's position, and notes how that goes."""

    def __init__(
        self,
        transport: Transport,
        stop: threading.Event = _NEVER,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._transport = transport
        self._stop = stop
        self._beat = beat  # called whenever some were sent: a day's events may take longer than a pass should
        self._failures = 0

    def work(self) -> None:
        """Send all there is; after a failure, only when some time has passed, whatever happens meanwhile."""
        if self.send_all():
            self._failures = 0
            return
        self._failures += 1
        self._stop.wait(min(FIRST_BACK_OFF * 2.0 ** min(self._failures - 1, 16), LONGEST_BACK_OFF))

    def send_all(self) -> bool:
        """False if the transport is down. What else it raises goes on to the caller."""
        position = _position(self._transport)
        try:
            self._send_after(position)
        except TransportDown as down:
            position.note_trouble(str(down))
            return False
        except Exception as error:
            position.note_trouble(f"{type(error).__name__}: {error}")
            raise
        return True

    def _send_after(self, position: Position) -> None:
        while not self._stop.is_set():
            events = feed.after(position.sequence)
            self._transport.send(events)
            self._beat()
            position.note_health()
            # If another publisher moved on with it, what that one has sent is not sent again from here.
            if not events or not position.move(events) or len(events) < feed.BATCH:
                return
