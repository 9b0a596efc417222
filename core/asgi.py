"""What ASGI applications are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from contextlib import suppress
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]


async def answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """The whole of a short answer, which nobody keeps."""
    own = [(b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *own]})
    await send({"type": "http.response.body", "body": body})


class Streams:
    """The answers that have no end of their own: each lasts until its client leaves, or the server ends."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    async def run(self, work: Coroutine[Any, Any, None], receive: Receive) -> None:
        streaming = asyncio.create_task(work)
        gone = asyncio.create_task(until_gone(receive))
        self._open.add(streaming)
        try:
            await asyncio.wait({streaming, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(streaming)
            gone.cancel()
            streaming.cancel()
        with suppress(asyncio.CancelledError):
            await streaming

    def close(self) -> None:
        """End all of them, as the server ends; who wants more comes back to the next one."""
        for streaming in self._open:
            streaming.cancel()


async def until_gone(receive: Receive) -> None:
    """Until the client of a request has left; the request must have been received."""
    while (await receive())["type"] != "http.disconnect":
        pass
