"""What a lab that runs is asked about its health. Each check changes nothing and says how to mend what it finds.

`bad` is for what keeps the lab from its work: a probe is then answered with 503. What somebody should look at while
the lab goes on, such as a broker that is away, is a warning.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.db import Error, connection

from core import beats
from core.beats import Beat
from events import live, numbering, publisher, status
from lava_lite.client.findings import Finding, bad, ok, warn

Checks = Iterator[Finding]

# The loops of the engine that every lab has; each transport has one more.
ENGINE_LOOPS = ("scheduler", "publisher", "webhooks", "history", "retention")
BEHIND = timedelta(minutes=1)
LOOK = "look at what the lab printed, and start it again: lava-lite up"


def all_of_them() -> Checks:
    """Those that need no database come first, and say what they know while it is away."""
    yield from loops()
    yield from feed()
    try:
        connection.ensure_connection()
        yield ok("database", f"{connection.display_name} answers")
        yield from migrations()
        yield from of_contents()
    except Error as error:
        yield bad("database", f"cannot be used: {error}", "is its server running, and is its disk not full?")


def of_contents() -> Checks:
    yield from unnumbered()
    yield from transports()
    yield from workers()


def loops() -> Checks:
    """That each goes round: one that hangs, one that fails again and again and a dead one are silent alike."""
    known = beats.read(settings.RUN)
    if not known:
        # The web role may be alone on its machine.
        text = "no engine has run with this data directory"
        yield warn("loop", text, "start it, unless it runs on another machine: lava-lite up")
        return
    for name in expected_loops():
        yield _of_loop(name, known.get(name))


def expected_loops() -> list[str]:
    plugins = ["plugins"] if settings.PLUGINS else []
    return [*ENGINE_LOOPS, *plugins, *(transport.name for transport in publisher.configured())]


def is_stuck(beat: Beat) -> bool:
    return beat.silent_for() > beat.poll + beats.EVERY + settings.STUCK_AFTER


def _of_loop(name: str, beat: Beat | None) -> Finding:
    if beat is None:
        return bad("loop", f"{name} has not begun", LOOK)
    if not is_stuck(beat):
        return ok("loop", f"{name} goes on")
    silent = beat.silent_for()
    trouble = f"; its passes fail: {beat.trouble}" if beat.trouble else ""
    since = "since this machine was started" if silent == float("inf") else f"for {silent:.0f} s"
    return bad("loop", f"{name} is stuck: it has ended no pass {since}{trouble}", LOOK)


def feed() -> Checks:
    """Of this process: the reader that all live listeners share. It rests while there are none."""
    silent = time.monotonic() - live.live.read_at
    if not live.live.listeners:
        return
    if silent <= live.POLL_SECONDS + settings.STUCK_AFTER:
        yield ok("feed", f"{len(live.live.listeners):,} listen live")
    else:
        yield bad("feed", f"is stuck: live listeners have been told nothing for {silent:.0f} s", LOOK)


def migrations() -> Checks:
    from django.db.migrations.recorder import MigrationRecorder

    yield _of_migrations(frozenset(MigrationRecorder(connection).applied_migrations()))


@lru_cache(maxsize=1)  # who asks every second gets the same answer until something is applied
def _of_migrations(applied: frozenset[tuple[str, str]]) -> Finding:
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if newer := sorted(applied - set(executor.loader.disk_migrations)):
        names = ", ".join(f"{app}.{name}" for app, name in newer)
        return bad(
            "migrations", f"the database is of a newer lava_lite ({names})", "install that version again"
        )
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return bad(
            "migrations", f"{len(plan)} are not applied yet", "stop the lab and start it again: lava-lite up"
        )
    return ok("migrations", "all applied")


def unnumbered() -> Checks:
    """That events get their numbers, without which nobody hears of them; where an insert does not give them."""
    waiting = numbering.oldest_unnumbered()
    if waiting is not None and _ago(waiting) > timedelta(seconds=settings.STUCK_AFTER):
        text = f"have got no numbers for {_ago(waiting).seconds} s, so nobody hears of them"
        yield bad("events", text, "the publisher gives them: " + LOOK)


def transports() -> Checks:
    """Whether events leave the lab."""
    for each in status.transports():
        name, position = each.position.transport, each.position
        if position.down_since is not None:
            text = f"{name} takes none since {position.down_since:%Y-%m-%d %H:%M} UTC; {each.lag:,} wait. {position.trouble}"
            yield warn("events", text, "mend that; they are kept meanwhile, and sent then, in their order")
        elif each.oldest is not None and _ago(each.oldest) > BEHIND:
            text = f"{name} is {each.lag:,} events behind; the first is of {each.oldest:%Y-%m-%d %H:%M} UTC"
            yield warn("events", text, "if that does not change, " + LOOK)
        else:
            yield ok("events", f"{name} takes them; {position.published:,} so far")


def workers() -> Checks:
    from devices.models import Worker
    from devices.states import WorkerHealth, WorkerState

    for worker in Worker.objects.exclude(health=WorkerHealth.RETIRED).order_by("name"):
        if worker.state == WorkerState.ONLINE:
            yield ok("worker", f"{worker.name} is online, of version {worker.version or 'unknown'}")
        else:
            last = f"{worker.last_ping:%Y-%m-%d %H:%M} UTC" if worker.last_ping else "never"
            text = f"{worker.name} is offline; its last ping: {last}"
            yield warn(
                "worker", text, f"start it on its machine, or take it out in the admin site: {worker.name}"
            )
        if trouble := worker.trouble:
            yield warn(
                "worker", f"{worker.name} is of version {worker.version}: {trouble.what}", trouble.remedy
            )


def _ago(moment: datetime) -> timedelta:
    return datetime.now(UTC) - moment
