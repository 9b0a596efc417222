"""`/ws/job/<id>/log?start=N`: what `log-tail` answers, pushed as soon as it is written.

Each frame has the three keys of log-tail, and `start`: `{"start", "content", "new_size", "is_finished"}`. The first one
comes at once, with content or without, and one without at least every HEARTBEAT_SECONDS. A frame that starts before the
end of the one before it is of a new attempt. After the frame that says finished the socket is closed.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from functools import lru_cache

from accounts import visitors
from core.asgi import Receive, Scope, Send
from core.tally import tally
from events.live import ask
from events.sockets.connection import Gone, Socket
from jobs.log_live.asked import Asked
from jobs.log_live.watching import PIECE, Piece, Viewer, viewing

HEARTBEAT_SECONDS = 10.0
PUSH_SECONDS = 0.05  # the least time between two pushes to one viewer who has all there was
DONE = 1000  # the code of a socket that is closed as there is no more to tell


async def socket(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application for one connection."""
    await receive()  # that somebody wants to connect
    client = Socket(scope, receive, send)
    try:
        await _serve(client)
    except Gone:
        return
    except Exception as error:
        await client.end(error)


async def _serve(client: Socket) -> None:
    asked = Asked.of(client.scope)
    visitor = await ask(visitors.visitor_of, client.scope)
    async with viewing(asked.which, visitor, asked.start) as viewer:
        with tally.present("lava_lite_log_viewers", "socket"):
            await client.until_gone(_show(client, viewer))


async def _show(client: Socket, viewer: Viewer) -> None:
    piece = await viewer.next(HEARTBEAT_SECONDS)
    await client.accept()
    while True:
        pushed = time.monotonic()
        await client.send(_text(piece))
        if piece.is_finished:
            await client.close(DONE, "")
            raise Gone
        if piece.new_size - piece.start < PIECE // 2:
            await asyncio.sleep(pushed + PUSH_SECONDS - time.monotonic())  # a burst is one push
        piece = await viewer.next(HEARTBEAT_SECONDS)


@lru_cache(maxsize=16)
def _text(piece: Piece) -> str:
    """Once for all viewers of a log."""
    return json.dumps(asdict(piece), separators=(",", ":"))
