"""Plugins: modules of the administrator's that run inside the engine and hear of everything that happens.

Each module that the setting PLUGINS names has a function `connect(bus)`, which is called once and subscribes to what it
wants on the bus (events.bus). Every event is published there under its canonical type, and under LambdaCD's topic if it
has one, after it was committed: who is told of something finds it in the database. What a plugin misses while the engine
is down, it can find in the event table.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import close_old_connections, connections

from core.daemon import Daemon
from core.doorbell import Doorbell
from events import catalogue, feed, lambdacd, numbering
from events.bus import Bus
from events.models import Event

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 2.0
# Who follows `sequence` is rung under this name: at each commit, and when the publisher has numbered something.
BELL: Final = "web"
CONNECT_PATIENCE: Final = 5.0  # seconds that all plugins have together before the first event is published
LAST_WORDS: Final = 3.0  # seconds that handlers have to come to an end

Connect = Callable[[Bus], object]


class BadPlugin(Exception):
    """A module that cannot be a plugin; says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    name: str  # of its module
    connect: Connect


def find(name: str) -> Plugin:
    """BadPlugin if there is none of this name."""
    places = _make_importable()
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise BadPlugin(
            f"the plugin {name} cannot be imported ({type(error).__name__}: {error}); "
            f"install it beside lava_lite, put it into {places}, or take it out of PLUGINS"
        ) from error
    connect = getattr(module, "connect", None)
    if not callable(connect):
        raise BadPlugin(f"the plugin {name} has no function connect(bus), which a plugin is called with")
    return Plugin(name=name, connect=connect)


def faults() -> Iterator[str]:
    """What is wrong with the plugins that the settings name."""
    for name in settings.PLUGINS:
        try:
            find(name)
        except BadPlugin as bad:
            yield str(bad)


def run(stop: threading.Event) -> None:
    """Publish what happens from now on, until `stop` is set. For a process that has plugins."""
    bus = Bus(before_each=close_old_connections, at_end=connections.close_all)
    follower = Follower(bus)
    with Doorbell(settings.RUN, BELL) as bell:
        Daemon("plugins", bell, poll=POLL_SECONDS, stop=stop).run(lambda: follower.run_once(stop))
    if late := bus.close(LAST_WORDS):
        log.warning("These plugins were still busy at the end: %s", ", ".join(late))


class Follower:
    """Brings the events of the lab to a bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._position: int | None = None  # the sequence of the last event that was published

    def run_once(self, stop: threading.Event) -> None:
        if self._position is None:
            # What happens while the plugins connect is told to them when they have.
            self._position = numbering.last_number()
            connect_all(self._bus, settings.PLUGINS)
        while not stop.is_set() and (events := feed.after(self._position)):
            for event in events:
                publish(self._bus, event)
                self._move_to(event.sequence or 0)

    def _move_to(self, sequence: int) -> None:
        if (missed := sequence - (self._position or 0) - 1) > 0:
            log.warning("The plugins missed %d events, which were cleared away before they were told", missed)
        self._position = sequence


def publish(bus: Bus, event: Event) -> None:
    """An event that has its number."""
    entry = catalogue.find(event.type)
    topic = entry.lambdacd if entry else None
    as_lambdacd = None if topic is None else lambdacd.payload(event, topic)
    bus.publish(event.type, event.payload)
    if topic is not None:
        bus.publish(topic, as_lambdacd)


def connect_all(bus: Bus, names: Sequence[str]) -> None:
    """Connect each plugin that can be; the others are logged."""
    threads = [threading.Thread(target=_connect, args=(bus, name), name=name, daemon=True) for name in names]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + CONNECT_PATIENCE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    for thread in threads:
        if thread.is_alive():
            log.warning(
                "connect() of the plugin %s has not returned for %.0f s; the others go on without waiting for it",
                thread.name,
                CONNECT_PATIENCE,
            )


def _connect(bus: Bus, name: str) -> None:
    try:
        find(name).connect(bus)
    except BadPlugin as bad:
        log.error("The lab goes on without a plugin: %s", bad, extra={"action": "plugin_failed"})
    except (Exception, SystemExit):
        log.exception("connect() of the plugin %s failed; the lab goes on without it", name)
    else:
        log.info("The plugin %s is connected", name)
    finally:
        connections.close_all()


def _make_importable() -> str:
    """The place for plugins that are not installed as packages."""
    place = str(settings.DATA / "plugins")
    if place not in sys.path:
        sys.path.append(place)
    return place
