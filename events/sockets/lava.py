"""`/ws/`, LAVA's WebSocket: each event is a JSON list of the five texts that its ZMQ socket sends as frames.

Whoever connects hears what they may see: by the token that they show, or as an anonymous visitor.
"""

from __future__ import annotations

import json
from functools import partial

from accounts import visitors
from core.asgi import Receive, Scope, Send
from events import lava
from events.live import Listener, ask, listening
from events.models import Event
from events.once import Once
from events.sockets.asked import Asked
from events.sockets.connection import Gone, Socket

LAVACLI = b"lavacli"
WAIT_SECONDS = 60.0  # for an event, before it is asked again


def _text(event: Event, *, job_as_text: bool) -> str | None:
    frames = lava.frames(event, job_as_text=job_as_text)
    return None if frames is None else json.dumps(frames)


_for_all = Once(partial(_text, job_as_text=False))
_for_lavacli = Once(partial(_text, job_as_text=True))


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
    asked = Asked.of(client.query)
    visitor = await ask(visitors.visitor_of, client.scope)
    # From before the client knows that it is connected, so that nothing falls in between.
    async with listening(visitor, asked.selection, asked.since, dialect="lava") as listener:
        await client.accept()
        await client.until_gone(_tell(client, listener))


async def _tell(client: Socket, listener: Listener) -> None:
    text_of = _for_lavacli if client.agent.startswith(LAVACLI) else _for_all
    while True:
        for event in await listener.next(WAIT_SECONDS):
            if (text := text_of(event)) is not None:
                await client.send(text)
