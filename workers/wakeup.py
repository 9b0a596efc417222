"""The WebSocket `/ws/` as workers use it: a frame that says "ask again" when there is something to do.

A worker sends no credentials here, so the frames say nothing but a worker's name and a state. LAVA 2023.01's
worker reads just these two keys of a frame whose topic ends in `.testjob`.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from django.conf import settings
from django.db import OperationalError

from core.asgi import Receive, Scope, Send
from events.lava import SERVER
from events.live import DATABASE_AWAY, Listener, listening_inside
from events.models import Event
from events.selection import Selection
from events.sockets import lava
from events.sockets.connection import Gone, Socket, first_of
from workers.ending_runs import watch

STATES = {"job.scheduled": "Scheduled", "job.cancel_requested": "Canceling"}
ENDS = {
    "job.start_failed",
    "job.failed",
    "job.canceled",
}  # by a timer: without the worker, which is to stop it yet
CALLS = Selection(topics=tuple(sorted({*STATES, *ENDS})))
AGENTS = (b"lava-worker", b"lava-lite-worker")
WAIT_SECONDS = 60.0  # for an event, before it is asked again
# LAVA 2023.01's worker ends when its handshake is not answered for five minutes; refused, it comes again in a second.
ANSWER_SECONDS = 20.0


async def socket(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application for one connection: a worker is called, anybody else hears LAVA's frames."""
    client = Socket(scope, receive, send)
    if not client.agent.startswith(AGENTS):
        await lava.socket(scope, receive, send)
        return
    await receive()  # that it wants to connect
    try:
        await _serve(client)
    except Gone:
        return
    except DATABASE_AWAY as error:
        await client.refuse(error)  # it comes again in a second


async def _serve(client: Socket) -> None:
    # From before the worker knows that it is connected, so that nothing falls in between.
    async with _listening() as listener:
        await client.accept()
        await client.until_gone(first_of(_call(client, listener), _call_for_ends(client)))


@asynccontextmanager
async def _listening() -> AsyncIterator[Listener]:
    """OperationalError if the database lets it wait for too long."""
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                listener = await stack.enter_async_context(listening_inside(CALLS))
                await stack.enter_async_context(watch.listening())
        except TimeoutError as late:
            raise OperationalError(f"no answer for {ANSWER_SECONDS:.0f} s") from late
        yield listener


async def _call(client: Socket, listener: Listener) -> None:
    while True:
        for frame in frames(await listener.next(WAIT_SECONDS)):
            await client.send(frame)


async def _call_for_ends(client: Socket) -> None:
    while True:
        for worker in sorted(await watch.next()):
            await client.send(_frame(worker, STATES["job.scheduled"]))


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
