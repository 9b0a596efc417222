"""The publisher: numbers events where that is left to do, and drives the outgoing transports."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from django.conf import settings

from core import doorbell
from core.daemon import Daemon
from core.doorbell import Doorbell
from events import feed, numbering
from events.models import Position
from events.transports import Transport, TransportDown
from events.transports.zmq import PublicSocket, TrustedSocket

log = logging.getLogger(__name__)

_troubles: dict[str, str] = {}  # what was said last of each transport that is down

POLL_SECONDS = 1.0


def run(stop: threading.Event) -> None:
    """Pass after pass until `stop` is set; woken by the engine's doorbell."""
    transports = configured()
    try:
        with Doorbell(settings.RUN, "engine") as bell:
            Daemon("publisher", bell, poll=POLL_SECONDS, stop=stop).run(lambda: run_once(transports))
    finally:
        for transport in transports:
            transport.close()


def configured() -> list[Transport]:
    """The outgoing transports of this lab."""
    if not settings.EVENT_NOTIFICATION:
        return []
    trusted = [TrustedSocket(address) for address in settings.EVENT_ADDITIONAL_SOCKETS]
    return [PublicSocket(settings.EVENT_SOCKET), *trusted]


def run_once(transports: Sequence[Transport]) -> None:
    while numbered := numbering.number_committed():
        # Whoever follows `sequence` has been rung at the commit, too early to find a number.
        doorbell.ring(settings.RUN, "web")
        if numbered < numbering.BATCH:
            break
    if not settings.EVENT_NOTIFICATION:
        _silence()
    for transport in transports:
        _drive(transport)


def _silence() -> None:
    # What happens while the transports are off is not sent when they are switched on again.
    Position.objects.update(sequence=numbering.last_number())


def _drive(transport: Transport) -> None:
    """Send what comes after the transport's position. One that is down delays itself only."""
    position = _position(transport.name)
    while events := feed.after(position):
        try:
            transport.send(events)
        except TransportDown as down:
            _tell_once(transport.name, str(down))
            return
        _troubles.pop(transport.name, None)
        moved = Position.objects.filter(pk=transport.name, sequence=position)
        position = events[-1].sequence or position
        if not moved.update(sequence=position):
            # Another publisher moved on with it: what it has sent is not sent again from here.
            return


def _tell_once(name: str, trouble: str) -> None:
    """A subscriber that is away for a day is worth one line, not one a second."""
    if _troubles.get(name) != trouble:
        log.warning("%s does not take events now: %s", name, trouble)
    _troubles[name] = trouble


def _position(name: str) -> int:
    start = {"sequence": numbering.last_number()}  # a new transport does not begin with the lab's whole past
    return Position.objects.get_or_create(transport=name, defaults=start)[0].sequence
