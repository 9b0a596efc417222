"""core4's WebSocket of events: a client announces its interest in channels, hears of them and speaks on them.

`docs/core4.md` has the frames.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

from django.utils import timezone

from accounts import visitors
from accounts.visitors import Visitor
from api.core4 import dialect, frames, messages
from api.core4.counting import counting
from api.core4.frames import BadFrame
from api.core4.interest import Interest
from api.core4.messages import Message, NotHeard
from core.asgi import Receive, Scope, Send
from events.live import Listener, Lost, ask, listening
from events.models import Event
from events.once import Once
from events.selection import Selection
from events.sockets.connection import Gone, Socket

SUMMARY_SECONDS = 1.0
WAIT_SECONDS = 60.0  # for an event, before it is asked again
NOTHING = Interest()
ERROR = {"type": "error"}


async def socket(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application for one connection."""
    await receive()  # that somebody wants to connect
    client = Socket(scope, receive, send)
    try:
        await _converse(client)
    except Gone:
        return
    except Exception as error:
        await (client.end(error, **ERROR) if client.is_open else client.refuse(error))


async def _converse(client: Socket) -> None:
    visitor, name = await ask(_who_is_there, client.scope)
    async with listening(visitor, Selection(), dialect="core4") as listener:
        await client.accept()
        await Conversation(client, visitor, name, listener).hold()


class Conversation:
    """With one client: it may announce another interest at any time, and then hears of nothing else."""

    def __init__(self, client: Socket, visitor: Visitor, name: str, listener: Listener) -> None:
        self._client = client
        self._visitor = visitor
        self._name = name  # of the user
        self._listener = listener
        self._interest = NOTHING
        self._half_told: int | None = None  # the last event that was told, of several that are being told
        self._teller: asyncio.Task[None] | None = None

    async def hold(self) -> None:
        """Until the client is gone."""
        self._begin(NOTHING)
        try:
            while True:
                await self._answer(await self._client.receive())
        finally:
            await self._stop()

    async def _answer(self, text: str) -> None:
        try:
            said = frames.read(text)
            await (self._heed(said) if isinstance(said, Interest) else self._pass_on(said))
        except (BadFrame, NotHeard) as refused:
            await self._send({**ERROR, "error": f"{refused}."})

    async def _heed(self, interest: Interest) -> None:
        await self._stop()
        try:
            await self._listener.go_on_after(self._position if interest.since is None else interest.since)
        except Lost as lost:
            await self._reset(lost)
            return
        await self._send(_confirmation(interest, self._listener.cursor))
        self._begin(interest)

    async def _pass_on(self, message: Message) -> None:
        """Whoever speaks on a channel hears from then on what others say there."""
        interest = self._interest.with_channel(message.channel)
        # Not by `ask`: whoever listens must not wait for what somebody writes.
        event = await asyncio.to_thread(messages.tell, message, self._visitor)
        is_new = interest is not self._interest
        if is_new:
            await self._stop()
            await self._listener.go_on_after(self._position)
        await self._send(_receipt(event, is_new=is_new))
        if is_new:
            self._begin(interest)

    @property
    def _position(self) -> int:
        """All up to it was told, or was not of interest."""
        return self._listener.cursor if self._half_told is None else self._half_told

    def _begin(self, interest: Interest) -> None:
        self._interest = interest
        self._half_told = None
        self._teller = asyncio.create_task(self._tell_until_the_end(interest))

    async def _stop(self) -> None:
        if self._teller is not None:
            self._teller.cancel()
            await asyncio.gather(self._teller, return_exceptions=True)

    async def _tell_until_the_end(self, interest: Interest) -> None:
        with suppress(Gone):
            try:
                await self._tell(interest)
            except Lost as lost:
                await self._reset(lost)
            except Gone:
                raise
            except Exception as error:
                await self._client.end(error, **ERROR)

    async def _tell(self, interest: Interest) -> None:
        self._listener.selection = interest.selection
        summarized, due = None, time.monotonic()
        while True:
            if interest.has_queue and time.monotonic() >= due:
                due = time.monotonic() + SUMMARY_SECONDS
                summarized = await self._summarize(summarized)
            wait = due - time.monotonic() if interest.has_queue else WAIT_SECONDS
            await self._tell_of(await self._listener.next(wait), interest)

    async def _tell_of(self, events: list[Event], interest: Interest) -> None:
        if not events:
            return
        self._half_told = (events[0].sequence or 0) - 1
        queue: dict[str, int] = {}
        if any(map(interest.tells_of_queue, events)):
            queue = (await counting().after(self._visitor, self._listener.cursor)).seen
        for event in events:
            if (text := self._text(event, interest, queue)) is not None:
                await self._client.send(text)
            self._half_told = event.sequence
        self._half_told = None

    def _text(self, event: Event, interest: Interest, queue: dict[str, int]) -> str | None:
        if interest.tells_of_queue(event):
            return _written(dialect.of_queue(event, queue), event, interest)
        if interest.tells_on_channel(event):
            is_own = bool(self._name) and event.actor == self._name  # and was heard when it was said
            return None if is_own else _written(dialect.of_channel(event), event, interest)
        return _of_topic(event) if interest.tells_of_topic(event) else None

    async def _summarize(self, last: Any) -> Any:
        """The rows that the client has now; they are sent if they are not those that it had."""
        summary = dialect.summary(await counting().now(self._visitor), timezone.now())
        if summary["data"] != last:
            await self._send(summary)
        return summary["data"]

    async def _reset(self, lost: Lost) -> None:
        await self._send({"type": "reset", "oldest": lost.oldest, "message": str(lost)})
        self._listener.go_on_from_now()
        self._begin(NOTHING)

    async def _send(self, frame: dict[str, Any]) -> None:
        await self._client.send(json.dumps(frame))


def _written(frame: dict[str, Any], event: Event, interest: Interest) -> str:
    return json.dumps(frame | {"sequence": event.sequence} if interest.is_numbered else frame)


_of_topic = Once(lambda event: json.dumps(dialect.of_topic(event)))


def _receipt(event: Event, *, is_new: bool) -> dict[str, Any]:
    told = "OK, added interest in channel" if is_new else "OK"
    return {"type": "message", "message_id": dialect.id_of(event.uid.hex), "message": told}


def _who_is_there(scope: Scope) -> tuple[Visitor, str]:
    """And the name of the user; none of an anonymous one."""
    visitor = visitors.visitor_of(scope)
    return visitor, visitors.user_of(visitor).get_username()


def _confirmation(interest: Interest, position: int) -> dict[str, Any]:
    channels = list(interest.channels)
    frame = {"data": channels, "message": f"processed interest in {channels}", "type": "interest"}
    return frame | {"sequence": position} if interest.is_numbered else frame
