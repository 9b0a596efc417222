"""The WebSocket `/ws/` as workers use it: a frame that says "ask again" when there is something to do.

A worker sends no credentials here, so the frames say nothing but a worker's name and a state. LAVA 2023.01's
worker reads just these two keys of a frame whose topic ends in `.testjob`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import close_old_connections

from core.doorbell import Doorbell
from events import feed, numbering
from events.lava import SERVER
from events.models import Event

log = logging.getLogger(__name__)

T = TypeVar("T")

POLL_SECONDS = 5.0
STATES = {"job.scheduled": "Scheduled", "job.cancel_requested": "Canceling"}
ENDS = {
    "job.start_failed",
    "job.failed",
    "job.canceled",
}  # by a timer: without the worker, which is to stop it yet
WORKER_AGENTS = (b"lava-worker", b"lava-lite-worker")

_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed")


class WakeUpConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One connection of a worker."""

    async def connect(self) -> None:
        headers = dict(self.scope["headers"])
        if not headers.get(b"user-agent", b"").startswith(WORKER_AGENTS):
            # Whoever else listens here gets events as soon as rights can be checked on this socket.
            await self.close(code=4403)
            return
        # From before the worker knows that it is connected, so that nothing falls in between.
        await watcher.add(self)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        watcher.remove(self)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """What a worker sends is ignored."""


class Watcher:
    """Follows the feed for all connections of this process; rests while there is none."""

    def __init__(self) -> None:
        self._connections: set[WakeUpConsumer] = set()
        self._task: asyncio.Task[None] | None = None

    async def add(self, connection: WakeUpConsumer) -> None:
        self._connections.add(connection)
        if self._rests:
            cursor = await _ask(numbering.last_number)
            if self._rests:  # another connection may have come meanwhile
                self._task = asyncio.create_task(self._follow(cursor))

    @property
    def _rests(self) -> bool:
        return self._task is None or self._task.done()

    def remove(self, connection: WakeUpConsumer) -> None:
        self._connections.discard(connection)
        if not self._connections and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _follow(self, cursor: int) -> None:
        with Doorbell(settings.RUN, "web") as bell, _event_of(bell) as rung:
            while True:
                cursor = await self._pass(cursor)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), POLL_SECONDS)
                rung.clear()

    async def _pass(self, cursor: int) -> int:
        try:
            events = await _ask(feed.after, cursor)
        except Exception:
            log.warning("The events could not be read; workers ask by themselves meanwhile", exc_info=True)
            return cursor
        for frame in frames(events):
            await self._send(frame)
        return events[-1].sequence or cursor if events else cursor

    async def _send(self, frame: str) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(Exception):  # a connection that is gone is removed by its own end
                await connection.send(text_data=frame)


watcher = Watcher()


def frames(events: Iterable[Event]) -> list[str]:
    """One frame for each worker and state that these events call for."""
    calls = {
        (event.data["worker"], state)
        for event in events
        if "worker" in event.data and (state := _state_to_act_on(event)) is not None
    }
    return [_frame(worker, state) for worker, state in sorted(calls)]


def _state_to_act_on(event: Event) -> str | None:
    """The word on which a worker asks at once what to do; None for what it need not hear of."""
    if event.type in ENDS and event.cause == "timer":
        return STATES["job.cancel_requested"]
    return STATES.get(event.type)


def _frame(worker: str, state: str) -> str:
    time = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    data = json.dumps({"worker": worker, "state": state})
    return json.dumps([f"{settings.EVENT_TOPIC}.testjob", str(uuid.uuid1()), time, SERVER, data])


@contextlib.contextmanager
def _event_of(bell: Doorbell) -> Iterator[asyncio.Event]:
    """An asyncio event that the doorbell sets."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()

    def rung() -> None:
        bell.drain()
        event.set()

    loop.add_reader(bell.fileno(), rung)
    try:
        yield event
    finally:
        loop.remove_reader(bell.fileno())


async def _ask(question: Callable[..., T], *args: Any) -> T:
    """Ask the database from the one thread that this process keeps for it."""

    def ask() -> T:
        close_old_connections()
        return question(*args)

    return await asyncio.get_running_loop().run_in_executor(_reader, ask)
