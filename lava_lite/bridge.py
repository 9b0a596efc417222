"""From ASGI to Django's WSGI handler: pages and APIs run in a few threads, and no client can hold one.

A request's body is received before a thread is taken for it, and an answer is sent after its thread is free again
(a streamed one piece by piece). A thread is busy while Python works, never while a network is waited for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from core.asgi import Receive, Scope, Send, until_gone

log = logging.getLogger(__name__)

Environ = dict[str, Any]
WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

MEBIBYTE = 1024 * 1024
FILE_PIECE = MEBIBYTE // 4

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request's body may be: sizes in bytes, times in seconds."""

    body: int = 10 * MEBIBYTE
    body_below: tuple[tuple[str, int], ...] = ()  # (path prefix, bytes): paths with a limit of their own
    in_memory: int = MEBIBYTE  # a larger body waits on disk
    patience: float = 30.0  # how long a body may make no progress
    goodbye: float = 3.0  # how long the rest of a refused body is received, so that its sender reads why

    def body_at(self, path: str) -> int:
        for prefix, size in self.body_below:
            if path.startswith(prefix):
                return size
        return self.body


class Bridge:
    """An ASGI application for HTTP that lets a WSGI application answer.

    The WSGI application must call `start_response` before it returns, as Django's handler does.
    """

    def __init__(self, app: WSGIApp, *, threads: int = 8, limits: Limits | None = None) -> None:
        self._app = app
        self._limits = limits or Limits()
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="wsgi")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body, size = await _receive_body(scope, receive, self._limits)
        except _Gone:
            return
        except _Refused as refused:
            await _refuse(refused, scope["path"], receive, send, goodbye=self._limits.goodbye)
            return
        with body:
            await self._answer(_environ(scope, body, size), receive, send)

    def close(self) -> None:
        """Wait for the requests that are being worked on; there are no threads afterwards."""
        self._pool.shutdown()

    async def _answer(self, environ: Environ, receive: Receive, send: Send) -> None:
        answer = await self._in_thread(self._begin, environ)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        if answer.stream is not None:
            try:
                await self._send_stream(answer, environ["REQUEST_METHOD"], receive, send)
            finally:
                await self._in_thread(_close, answer.stream)
        await send({"type": "http.response.body", "body": answer.body})

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def _begin(self, environ: Environ) -> _Answer:
        start = _Start()
        chunks = self._app(environ, start)
        if getattr(chunks, "streaming", not isinstance(chunks, list)):
            return _Answer(status=start.status, headers=start.headers, stream=chunks)
        try:
            return _Answer(status=start.status, headers=start.headers, body=b"".join(chunks))
        finally:
            _close(chunks)

    async def _send_stream(self, answer: _Answer, method: str, receive: Receive, send: Send) -> None:
        pieces = iter(answer.stream or ())
        # A file that grows while it is sent must not overrun the length that was announced.
        left = 0 if method == "HEAD" else answer.length
        gone = asyncio.ensure_future(until_gone(receive))
        try:
            while left > 0 and not gone.done():
                piece = await self._in_thread(next, pieces, None)
                if piece is None:
                    return
                await send({"type": "http.response.body", "body": piece[:left], "more_body": True})
                left -= len(piece)
        finally:
            gone.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What the WSGI application answered: a body, or a stream that is still to be read and closed."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    stream: Iterable[bytes] | None = None

    @property
    def length(self) -> int:
        """How many bytes the headers announce; without an announcement, more than anybody sends."""
        return int(dict(self.headers).get(b"content-length", sys.maxsize))


@dataclass(slots=True)
class _Start:
    """WSGI's `start_response`."""

    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        self.status = int(status[:3])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class _File:
    """WSGI's `wsgi.file_wrapper`: a file, sent in larger pieces than Django would cut it into."""

    streaming = True

    def __init__(self, file: IO[bytes], block_size: int = FILE_PIECE) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(FILE_PIECE), b"")

    def close(self) -> None:
        _close(self._file)


def _close(stream: object) -> None:
    if close := getattr(stream, "close", None):
        close()


class _Gone(Exception):
    """The client went away before its request was complete."""


class _Refused(Exception):
    """A body that is not accepted, with the text that says why."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


async def _receive_body(scope: Scope, receive: Receive, limits: Limits) -> tuple[IO[bytes], int]:
    """The whole body as a file at its beginning, and its size. Raises _Gone and _Refused."""
    most = limits.body_at(scope["path"])
    announced = _announced(scope)
    if announced > most:
        raise _too_large(f"{announced} bytes were announced", most)
    # A large one is on disk without a name: it vanishes with this process, however that ends.
    body = SpooledTemporaryFile(max_size=limits.in_memory)  # noqa: SIM115  (the caller closes it)
    if not announced:
        return body, 0
    try:
        size = await _fill(body, _pieces(receive, limits.patience), most)
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return body, size


async def _fill(body: IO[bytes], pieces: AsyncIterator[bytes], most: int) -> int:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > most:
            raise _too_large("more were sent", most)
        _store(body, piece)
    return size


def _announced(scope: Scope) -> int:
    """The length of the body that the headers announce: 1 for one of unknown length, 0 for none."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return 1
    return int(headers.get(b"content-length", 0))


async def _pieces(receive: Receive, patience: float) -> AsyncIterator[bytes]:
    more = True
    while more:
        try:
            async with asyncio.timeout(patience):
                message = await receive()
        except TimeoutError:
            text = f"The body of this request stalled: nothing came for {patience:g} seconds. Send it again."
            raise _Refused(HTTPStatus.REQUEST_TIMEOUT, text) from None
        if message["type"] == "http.disconnect":
            raise _Gone
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _store(body: IO[bytes], piece: bytes) -> None:
    try:
        body.write(piece)
    except OSError as error:
        text = f"The server cannot store the body of this request ({error.strerror}). Nothing was changed."
        raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, text) from error


def _too_large(what: str, most: int) -> _Refused:
    text = f"The body of this request is too large: {what}, {most} bytes are the most that is accepted here."
    return _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)


async def _refuse(refused: _Refused, path: str, receive: Receive, send: Send, *, goodbye: float) -> None:
    log.warning("Refused a request for %s: %s", path, refused, extra={"action": "request_refused"})
    kind, body = _worded(refused, path)
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    # Closing on a client that is still sending would reset the connection, and the answer with it.
    with suppress(TimeoutError, _Gone, _Refused):
        async with asyncio.timeout(goodbye):
            async for _ in _pieces(receive, goodbye):
                pass
    await send({"type": "http.response.body", "body": b""})


def _worded(refused: _Refused, path: str) -> tuple[bytes, bytes]:
    """Content type and body of a refusal, in the shape that the callers of this path read."""
    text, status = str(refused), refused.status
    if path.startswith("/api/v1/"):
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": text}
        return b"application/problem+json", json.dumps(problem).encode()
    if path.startswith("/api/"):
        return b"application/json", json.dumps({"detail": text}).encode()
    if path.startswith("/scheduler/internal/"):
        return b"application/json", json.dumps({"error": text}).encode()
    return b"text/plain; charset=utf-8", f"{text}\n".encode()


def _environ(scope: Scope, body: IO[bytes], size: int) -> Environ:
    host, port = scope.get("server") or ("localhost", 0)
    client, client_port = scope.get("client") or ("", 0)
    return {
        **_header_variables(scope["headers"]),
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        # Known by now, also for a body that came in chunks without an announced length.
        "CONTENT_LENGTH": str(size),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "REMOTE_ADDR": client,
        "REMOTE_PORT": str(client_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.file_wrapper": _File,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _header_variables(headers: Iterable[tuple[bytes, bytes]]) -> Environ:
    variables: Environ = {}
    for raw_name, raw_value in headers:
        # "X_Real_User" would arrive under the same name as "X-Real-User", which a proxy may have vouched for.
        if b"_" in raw_name:
            continue
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        value = raw_value.decode("latin-1")
        if name == "CONTENT_TYPE" and not _has_known_charset(value):
            value = value.partition(";")[0]
        key = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        joint = "; " if name == "COOKIE" else ","
        variables[key] = f"{variables[key]}{joint}{value}" if key in variables else value
    return variables


def _has_known_charset(content_type: str) -> bool:
    """Whether text can be read by the charset that a content type names; Django takes any codec for one, zlib too."""
    charset = _CHARSET.search(content_type)
    try:
        "".encode(charset[1] if charset else "utf-8")
    except (LookupError, ValueError):
        return False
    return True
