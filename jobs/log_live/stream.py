"""`GET /job/<id>/log?follow=1`: the whole text, and then each line as it is written, until the job has ended.

For `curl -N` and the like. It stays with the attempt that was the latest when it was asked for, or with `attempt=`;
`start=N` leaves out what comes before that byte.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from urllib.parse import parse_qs

from accounts import visitors
from accounts.visitors import Visitor
from core import asgi
from core.asgi import ASGIApp, Receive, Scope, Send
from core.tally import tally
from events.live import ask
from events.sockets import connection
from events.sse import TRANSPORT
from jobs.log_live.asked import Asked
from jobs.log_live.watching import Piece, Viewer, Which, viewing

log = logging.getLogger(__name__)

WAIT_SECONDS = 60.0  # for more, before it is asked again
OUR_FAULT = 500
STATUSES = {
    connection.BAD_REQUEST: 400,
    connection.UNWELCOME: 401,
    connection.NOT_FOUND: 404,
    connection.TRY_AGAIN: 503,
}
HEADERS = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"vary", b"Authorization, Cookie"),
    (b"x-accel-buffering", b"no"),  # a proxy that gathers an answer would hold it back
    (b"x-content-type-options", b"nosniff"),
]


class LogStream:
    """The application. A log that is not to be followed is answered by `otherwise`."""

    def __init__(self, otherwise: ASGIApp) -> None:
        self._otherwise = otherwise
        self._streams = asgi.Streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _follows(scope):
            await self._streams.run(_answer(scope, send), receive)
        else:
            await self._otherwise(scope, receive, send)

    def close(self) -> None:
        """End all streams, as the server ends."""
        self._streams.close()


def _follows(scope: Scope) -> bool:
    values = parse_qs(scope["query_string"].decode("latin-1"))
    return scope["method"] == "GET" and values.get("follow", ["0"])[-1] not in ("0", "false")


async def _answer(scope: Scope, send: Send) -> None:
    try:
        asked = Asked.of(scope)
        visitor = await ask(visitors.visitor_of, scope)
        which = await _settled(asked.which, visitor)
        async with viewing(which, visitor, asked.start) as viewer:
            first = await viewer.next(WAIT_SECONDS)
            with tally.present("lava_lite_log_viewers", "stream"):
                await _send(first, viewer, scope, send)
    except Exception as error:
        code, words = connection.explained(error)
        await asgi.answer(send, STATUSES.get(code, OUR_FAULT), HEADERS[:1], f"{words}\n".encode())


async def _settled(which: Which, visitor: Visitor) -> Which:
    """With the number of its attempt."""
    async with viewing(which, visitor) as viewer:
        return replace(which, attempt=await viewer.attempt())


async def _send(piece: Piece, viewer: Viewer, scope: Scope, send: Send) -> None:
    """All that comes; what goes wrong breaks the connection, so that nobody takes what they have for the whole."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    try:
        while not piece.is_finished:
            await send({"type": "http.response.body", "body": piece.content.encode(), "more_body": True})
            piece = await viewer.next(WAIT_SECONDS)
    except Exception as error:
        log.info("A followed log was cut off: %s", connection.explained(error)[1])
        scope["extensions"][TRANSPORT]["transport"].abort()
    else:
        await send({"type": "http.response.body", "body": piece.content.encode()})
