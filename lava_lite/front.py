"""The front of the house: which ASGI application gets a request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from lava_lite.bridge import ASGIApp, Bridge, Receive, Scope, Send

Routes = Sequence[tuple[re.Pattern[str], ASGIApp]]

_SLASHES = re.compile(r"/{2,}")


class Front:
    """One entry for all: `sockets` and `streams` are ASGI applications by path, `pages` gets every other request.

    A route's application finds the groups of its pattern in `scope["url_route"]["kwargs"]`, as channels' consumers
    expect.
    """

    def __init__(self, pages: Bridge, *, sockets: Routes, streams: Routes) -> None:
        self._pages = pages
        self.sockets = sockets
        self.streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        # Clients that join an address ending in "/" with a path beginning with "/" are many.
        scope["path"] = _SLASHES.sub("/", scope["path"])
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
            return
        app = _routed(scope, self.streams) or self._pages
        await app(scope, receive, send)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = _routed(scope, self.sockets) if _same_origin(scope) else None
        if app is None:
            await send({"type": "websocket.close", "code": 4404})
            return
        await app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
                continue
            self._pages.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _routed(scope: Scope, routes: Routes) -> ASGIApp | None:
    for pattern, app in routes:
        if found := pattern.fullmatch(scope["path"]):
            scope["url_route"] = {"args": (), "kwargs": found.groupdict()}
            return app
    return None


def _same_origin(scope: Scope) -> bool:
    """Browsers send their cookies with a socket opened by any page; only our own pages may use them."""
    headers = dict(scope["headers"])
    origin: bytes | None = headers.get(b"origin")
    host: bytes = headers.get(b"host", b"")
    return origin is None or urlsplit(origin.decode("latin-1")).netloc == host.decode("latin-1")
