"""`GET /api/v1/events` for who asks for `text/event-stream`: each event that a listener may hear, as a CloudEvent.

An ASGI application beside Django. Each message has the event's `sequence` as its id, so whoever was cut off goes on
from there: browsers send it as `Last-Event-ID` by themselves. A ping carries the id up to which nothing was for this
listener, so that one whose filter chooses little need not be looked up from long ago.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs

from accounts import visitors
from accounts.visitors import Unwelcome, Visitor
from core import asgi
from core.asgi import ASGIApp, Receive, Scope, Send
from core.tally import tally
from events import cloud, feed, snapshots
from events.feed import Lost
from events.live import DATABASE_AWAY, Listener, ask, listening
from events.models import Event
from events.once import Once
from events.selection import Selection

log = logging.getLogger(__name__)

Headers = list[tuple[bytes, bytes]]

MEDIA_TYPE = "text/event-stream"
TRANSPORT = "lava_lite.transport"  # the extension of ASGI that has the `transport` of the connection
SNAPSHOTS = "/api/v1/events?snapshot=1"  # where one begins anew

PING_SECONDS = 15.0
PATIENCE = 40.0  # seconds for which a listener may take nothing
VANISHED_SECONDS = (
    45.0  # for which a ping may stay without acknowledgement; longer than PATIENCE, which says why
)
GOODBYE = 1.0  # seconds for the end of a stream
RETRY_SECONDS = 2.0  # after which a browser comes back
CHUNK = 16 * 1024  # bytes that wait for one listener, at least; the sockets' own buffers come on top

# A number as it stands in a header or a query; nothing else is one.
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)

HEADERS: Headers = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"vary", b"Accept, Authorization, Cookie"),
    (b"x-accel-buffering", b"no"),  # a proxy that gathers an answer would hold it back for ever
    (b"x-content-type-options", b"nosniff"),
    (b"connection", b"close"),
]


class BadQuery(ValueError):
    """What a stream is asked for cannot be; says of each parameter what would be right."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in errors.items()))
        self.errors = {name: [text] for name, text in errors.items()}


REFUSED = (BadQuery, Unwelcome, Lost, *DATABASE_AWAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer instead of a stream."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a stream is asked for."""

    selection: Selection
    since: int | None
    snapshot: bool

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """BadQuery names all that is wrong with it."""
        given = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        texts = {name: ",".join(values) for name, values in given.items()}
        if last := dict(scope["headers"]).get(b"last-event-id"):
            texts["since"] = last.decode("latin-1")
        values, errors = dict[str, Any](), dict[str, str]()
        for name in {**_READ, **texts}:
            try:
                values[name] = _READ.get(name, _unknown)(texts.get(name, ""))
            except ValueError as wrong:
                errors[name] = str(wrong)
        if errors:
            raise BadQuery(errors)
        return cls(selection=values["filter"], since=values["since"], snapshot=values["snapshot"])


def _unknown(text: str) -> None:
    raise ValueError(f"there is no parameter of this name here; expected one of {', '.join(_READ)}")


def _number(text: str) -> int | None:
    if not text:
        return None
    if not NUMBER.fullmatch(text):
        raise ValueError(f"expected the `sequence` of an event, got {text[:80]!r}")
    return int(text)


def _flag(text: str) -> bool:
    known = {"": False, "0": False, "false": False, "1": True, "true": True}
    if text.lower() not in known:
        raise ValueError(f"expected 1 or 0, got {text[:80]!r}")
    return known[text.lower()]


_READ: dict[str, Callable[[str], Any]] = {
    "filter": Selection.parse,
    "since": _number,
    "snapshot": _flag,
    "token": str,  # accounts.visitors reads it
}


class EventStream:
    """The application. Whoever asks for something else at its address is answered by `otherwise`."""

    def __init__(self, otherwise: ASGIApp, refusal: Callable[[Exception], Refusal]) -> None:
        self._otherwise = otherwise
        self._refusal = refusal
        self._streams = asgi.Streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_wanted(scope):
            await self._streams.run(self._answer(scope, send), receive)
        else:
            await self._otherwise(scope, receive, send)

    def close(self) -> None:
        """End all streams, as the server ends; those who listen come back by themselves to the next one."""
        self._streams.close()

    async def _answer(self, scope: Scope, send: Send) -> None:
        async with AsyncExitStack() as stack:
            try:
                wish = Wish.of(scope)
                visitor = await ask(visitors.visitor_of, scope)
                since, opening = await _opening(visitor, wish)
                listener = await stack.enter_async_context(
                    listening(visitor, wish.selection, since, dialect="sse")
                )
            except REFUSED as error:
                await _refuse(self._refusal(error), send)
                return
            await _Stream(listener, scope, send).run(opening)


class _Stream:
    """One stream that has begun."""

    def __init__(self, listener: Listener, scope: Scope, send: Send) -> None:
        self._listener = listener
        self._send = send
        known = scope.get("extensions", {}).get(TRANSPORT, {})
        self._transport: asyncio.Transport | None = known.get("transport")

    async def run(self, opening: bytes) -> None:
        if self._transport is not None:
            _notice_its_end(self._transport)
        await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        try:
            await self._tell_all(opening)
        except TimeoutError:
            self._drop()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    await self._send({"type": "http.response.body", "body": b""})

    async def _tell_all(self, opening: bytes) -> None:
        await self._give([b"retry: %d\n" % (RETRY_SECONDS * 1000), opening or self._ping])
        try:
            while True:
                events = await self._listener.next(PING_SECONDS)
                await self._give(map(_text, events) if events else [self._ping])
        except Unwelcome as end:
            await self._give([_message("end", {"reason": str(end)})])
        except Lost as lost:
            await self._give([_message("reset", of_lost(lost))])

    @property
    def _ping(self) -> bytes:
        """Without data, so it is no event; its id is kept all the same."""
        return b": ping\nid: %d\n\n" % self._listener.cursor

    async def _give(self, parts: Iterable[bytes]) -> None:
        """TimeoutError when nothing is taken for so long."""
        for chunk in _chunks(parts):
            async with asyncio.timeout(PATIENCE):
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            # Who reads quickly is never waited for: others have their turn here, and it is noticed who has left.
            await asyncio.sleep(0)

    def _drop(self) -> None:
        tally.count("lava_lite_listeners_dropped_total", "sse")
        log.info(
            "A listener was dropped, as it took nothing for %g s: it may come back after %d or before",
            PATIENCE,
            self._listener.cursor,
            extra={"action": "listener_dropped"},
        )
        if self._transport is not None:
            self._transport.abort()  # what waits for it would stay in memory for as long as it does not take it


def of_lost(lost: Lost) -> dict[str, Any]:
    """What a listener must know of a cursor from which one cannot go on."""
    return {
        "reason": str(lost),
        "since": lost.since,
        "oldest_sequence": lost.oldest,
        "last_sequence": lost.last,
        "snapshot": SNAPSHOTS,
    }


async def _opening(visitor: Visitor, wish: Wish) -> tuple[int | None, bytes]:
    """After which event a stream goes on, and what it tells before. Lost for whom no snapshot helps."""
    if wish.since is not None:
        try:
            await ask(feed.check, wish.since)
            return wish.since, b""
        except Lost:
            if not wish.snapshot:
                raise
    if not wish.snapshot:
        return None, b""
    return await ask(_snapshot, visitor, wish.selection)


def _snapshot(visitor: Visitor, selection: Selection) -> tuple[int, bytes]:
    taken = snapshots.taken(visitors.user_of(visitor), selection)
    sequence = taken[snapshots.AS_OF]
    return sequence, b"id: %d\n" % sequence + _message("snapshot", taken)


def _written(event: Event) -> bytes:
    return b"id: %d\n" % (event.sequence or 0) + _message(event.type, cloud.rendered(event))


_text = Once(_written)


def _message(kind: str, data: Mapping[str, Any]) -> bytes:
    """In ASCII, so that nothing in it ends a line."""
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")


def _chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """As few as may be of small parts, and as many as must be of a large one."""
    waiting, size = list[bytes](), 0
    for part in parts:
        for start in range(0, len(part), CHUNK):
            waiting.append(part[start : start + CHUNK])
            size += len(waiting[-1])
            if size >= CHUNK:
                yield b"".join(waiting)
                waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _is_wanted(scope: Scope) -> bool:
    accepted = dict(scope["headers"]).get(b"accept", b"").lower()
    return scope["method"] == "GET" and MEDIA_TYPE.encode() in accepted


def _notice_its_end(transport: asyncio.Transport) -> None:
    """A machine that vanished says no goodbye: it is one that does not acknowledge a ping."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(VANISHED_SECONDS * 1000))


async def _refuse(refusal: Refusal, send: Send) -> None:
    await asgi.answer(send, refusal.status, refusal.headers, refusal.body)
