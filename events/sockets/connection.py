"""One WebSocket, as the ASGI server carries it: what every socket of the lab has in common.

Nothing waits here to be sent: `send` returns when the server has taken the text, which it does not while its own
small buffer for this client is full. So a client that does not read holds up nobody but itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from accounts.visitors import Unwelcome
from core.asgi import Message, Receive, Scope, Send
from events.live import DATABASE_AWAY, Lost
from events.selection import BadFilter

log = logging.getLogger(__name__)

AT_A_STRETCH = 4  # texts to one client, before others have their turn
REASON_BYTES = 123  # that a close frame has room for

# Why a socket is closed. Those from 4000 on are for applications to give a meaning to; here it is that of HTTP.
FAILED = 1011
TRY_AGAIN = 1013
BAD_REQUEST = 4400
UNWELCOME = 4401
NOT_FOUND = 4404
GONE = 4410


class Gone(Exception):
    """The client has left, or is being left."""


class NotFound(Exception):
    """What a socket is about is not there, or not for this visitor; says what."""


class BadQuery(ValueError):
    """Something in a socket's address that cannot be understood; says what, and what would be right."""


# What ends a socket, and with which code; what is not here is a fault of the lab's own.
CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((Unwelcome,), UNWELCOME),
    ((BadFilter, BadQuery), BAD_REQUEST),
    ((NotFound,), NOT_FOUND),
    ((Lost,), GONE),
    (DATABASE_AWAY, TRY_AGAIN),
)
STATUSES = {UNWELCOME: 401, TRY_AGAIN: 503}  # of HTTP, before a socket is accepted
TEXT = [(b"content-type", b"text/plain; charset=utf-8")]
AWAY = "The database does not answer. Connect again in a while."
OUR_FAULT = "Something went wrong in the lab; its log says what. Connect again."


class Socket:
    """The connection of one client. `accept`, `send` and `receive` may raise Gone."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.is_open = False
        self._sent = 0

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.scope["headers"])

    @property
    def agent(self) -> bytes:
        return self.headers.get(b"user-agent", b"")

    @property
    def query(self) -> str:
        return str(self.scope.get("query_string", b"").decode("latin-1"))

    async def accept(self) -> None:
        if not self.is_open:
            await self._hand_on({"type": "websocket.accept"})
            self.is_open = True

    async def send(self, text: str) -> None:
        await self._hand_on({"type": "websocket.send", "text": text})
        self._sent += 1
        if self._sent % AT_A_STRETCH == 0:
            # A client that reads quickly is never waited for; one that has a lot to hear would hold up everybody.
            await asyncio.sleep(0)

    async def _hand_on(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:
            raise Gone from error

    async def receive(self) -> str:
        """The next text of the client; what it sends as bytes is taken for none."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        return message.get("text") or ""

    async def close(self, code: int, reason: str) -> None:
        with suppress(OSError):
            await self._send({"type": "websocket.close", "code": code, "reason": _shortened(reason)})

    async def refuse(self, error: Exception) -> None:
        """Answer the handshake of a socket that is not accepted yet as HTTP does, where the server can."""
        code, words = explained(error)
        if "websocket.http.response" not in self.scope.get("extensions", {}):
            await self.close(code, words)
            return
        start = {"type": "websocket.http.response.start", "status": STATUSES.get(code, 500), "headers": TEXT}
        with suppress(OSError):
            await self._send(start)
            await self._send({"type": "websocket.http.response.body", "body": f"{words}\n".encode()})

    async def end(self, error: Exception, **frame: str) -> None:
        """Say in a last frame why there will be no more, under the key `error` as LAVA does, and close.

        `frame`: the other keys of that frame.
        """
        code, words = explained(error)
        with suppress(Gone):
            await self.accept()
            await self.send(json.dumps({**frame, "error": words}))
            await self.close(code, words)

    async def until_gone(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work for as long as the client is there; what it sends is passed over."""
        await first_of(work, self._until_gone())

    async def _until_gone(self) -> None:
        with suppress(Gone):
            while True:
                await self.receive()


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Until one of them has ended; the others are ended then. Raises what that one raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def explained(error: Exception) -> tuple[int, str]:
    """The code and the words with which a socket is closed."""
    for kinds, code in CODES:
        if isinstance(error, kinds):
            return code, AWAY if code == TRY_AGAIN else str(error)
    log.error("A socket failed", exc_info=error)
    return FAILED, OUR_FAULT


def _shortened(reason: str) -> str:
    if len(reason.encode()) <= REASON_BYTES:
        return reason
    return reason.encode()[: REASON_BYTES - 3].decode(errors="ignore") + "…"
