"""The front of the house: which ASGI application gets a request."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from channels.routing import URLRouter
from django.urls import re_path

from core.asgi import ASGIApp, Message, Receive, Scope, Send
from core.tally import tally
from lava_lite.bridge import Bridge

Routes = Sequence[tuple[re.Pattern[str], ASGIApp]]

# By the first part of their addresses; all others are pages.
PARTS = frozenset({"admin", "api", "core4", "healthz", "metrics", "readyz", "rpc2", "scheduler", "static"})

# Which take as long as they were told to wait.
_WAITING = re.compile(r"/api/v1/subscriptions/[^/]+/fetch/?")
_SLASHES = re.compile(r"/{2,}")


class Front:
    """One entry for all: `sockets` and `streams` are ASGI applications by path, `pages` gets every other request.

    A route's application finds the groups of its pattern in `scope["url_route"]["kwargs"]`, as channels' consumers do.
    """

    def __init__(self, pages: Bridge, *, sockets: Routes, streams: Routes) -> None:
        self._pages = pages
        self.sockets = sockets
        self.streams = streams
        self._to_socket: ASGIApp = _router(sockets, otherwise=_refuse)
        self._to_stream_or_page: ASGIApp = _router(streams, otherwise=pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        # Clients that join an address ending in "/" with a path beginning with "/" are many.
        scope["path"] = _SLASHES.sub("/", scope["path"])
        if scope["type"] != "websocket":
            await self._to_stream_or_page(scope, receive, _timed(scope["path"], send))
        elif _same_origin(scope):
            await self._to_socket(scope, receive, send)
        else:
            await _refuse(scope, receive, send)

    def close_streams(self) -> None:
        """End what would otherwise go on for as long as its listeners like."""
        for _, app in self.streams:
            if close := getattr(app, "close", None):
                close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
                continue
            self._pages.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _timed(path: str, send: Send) -> Send:
    """Note when the answer begins; a stream has no other end than that its listener leaves."""
    begun = time.perf_counter()

    async def send_timed(message: Message) -> None:
        if message["type"] == "http.response.start":
            status = f"{message['status'] // 100}xx"
            seconds = time.perf_counter() - begun
            tally.took(seconds, "lava_lite_http_request_seconds", _part_of(path), status)
        await send(message)

    return send_timed


def _part_of(path: str) -> str:
    if _WAITING.fullmatch(path):
        return "waiting"
    first = path.lstrip("/").partition("/")[0].lower()
    return first if first in PARTS else "pages"


def _router(routes: Routes, *, otherwise: ASGIApp) -> Any:
    known: list[tuple[str, Any]] = [(rf"^{path.pattern}$", app) for path, app in routes]
    return URLRouter([re_path(path, app) for path, app in (*known, ("", otherwise))])


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close", "code": 4404})


def _same_origin(scope: Scope) -> bool:
    """Browsers send their cookies with a socket opened by any page; only our own pages may use them."""
    headers = dict(scope["headers"])
    origin: bytes | None = headers.get(b"origin")
    host: bytes = headers.get(b"host", b"")
    return origin is None or urlsplit(origin.decode("latin-1")).netloc == host.decode("latin-1")
