"""A fetch that finds nothing waits for something, and holds no thread meanwhile.

An ASGI application before Django. Django answers each fetch at once and decides who may do what; one whose answer has
no events, and that may wait, is asked once more when something has happened that may be for it. Where Django is served
alone, such a fetch is answered at once.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from accounts import visitors
from accounts.visitors import Unwelcome, Visitor
from core.asgi import ASGIApp, Message, Receive, Scope, Send, until_gone
from events.feed import Lost
from events.live import DATABASE_AWAY, ask, listening
from events.subscriptions.models import Subscription

LONGEST_WAIT = 30.0  # seconds
DIALECT = "subscription"
SHORT = 4_096  # bytes of a request to fetch, and of an answer without events


class Waiting:
    """The application. `otherwise` answers each fetch at once, and all else at its addresses."""

    def __init__(self, otherwise: ASGIApp) -> None:
        self._otherwise = otherwise
        self._waiting: set[asyncio.Task[bool]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self._otherwise(scope, receive, send)
            return
        request = _Request(receive)
        answer = await self._asked(scope, request)
        until = time.monotonic() + request.wait
        while answer.is_empty and (left := until - time.monotonic()) > 0:
            if not await self._something_happens(scope, request, left):
                break
            answer = await self._asked(scope, request)
        await answer.give(send)

    def close(self) -> None:
        """Answer all who wait, as the server ends."""
        for waiting in self._waiting:
            waiting.cancel()

    async def _asked(self, scope: Scope, request: _Request) -> _Answer:
        answer = _Answer()
        await self._otherwise(scope, request.again(), answer.take)
        return answer

    async def _something_happens(self, scope: Scope, request: _Request, seconds: float) -> bool:
        waiting = asyncio.create_task(_something_happens(scope, seconds))
        gone = asyncio.create_task(request.until_gone())
        self._waiting.add(waiting)
        try:
            await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(waiting)
            gone.cancel()
            waiting.cancel()
        with suppress(asyncio.CancelledError):
            return await waiting
        return False


class _Request:
    """One that can be asked again, if it is short."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._size = 0

    @property
    def wait(self) -> float:
        """Seconds. What Django has refused needs no care here."""
        body = b"".join(message.get("body", b"") for message in self._messages)
        asked = _object(body).get("wait") if self._size <= SHORT else None
        return min(float(asked), LONGEST_WAIT) if isinstance(asked, int | float) else 0.0

    def again(self) -> Receive:
        heard = iter(list(self._messages))

        async def receive() -> Message:
            message = next(heard, None)
            return await self._hear() if message is None else message

        return receive

    async def until_gone(self) -> None:
        await until_gone(self._receive)

    async def _hear(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size <= SHORT:
            self._messages.append(message)
        return message


class _Answer:
    def __init__(self) -> None:
        self._messages: list[Message] = []

    async def take(self, message: Message) -> None:
        self._messages.append(message)

    async def give(self, send: Send) -> None:
        for message in self._messages:
            await send(message)

    @property
    def is_empty(self) -> bool:
        """Whether a fetch was answered that found nothing."""
        if not self._messages or self._messages[0].get("status") != 200:
            return False
        body = b"".join(message.get("body", b"") for message in self._messages)
        return len(body) <= SHORT and _object(body).get("events") == []


async def _something_happens(scope: Scope, seconds: float) -> bool:
    """Whether there may be another answer before the seconds are over."""
    try:
        visitor = await ask(visitors.visitor_of, scope)
        place = await ask(_place_of, visitor, scope["url_route"]["kwargs"]["name"])
        if place is None:
            return False
        async with listening(visitor, place.selection, place.sequence, dialect=DIALECT) as listener:
            return bool(await listener.next(seconds))
    except (Unwelcome, Lost):
        return True  # the next answer says so
    except DATABASE_AWAY:
        return False


def _place_of(visitor: Visitor, name: str) -> Subscription | None:
    if visitor.user_id is None:
        return None
    return Subscription.objects.filter(user_id=visitor.user_id, name=name).first()


def _object(body: bytes) -> Mapping[str, Any]:
    with suppress(ValueError, RecursionError):
        value = json.loads(body)
        if isinstance(value, dict):
            return value
    return {}
