"""`/healthz` and `/readyz` (and the door of `/metrics`): for service managers and load balancers.

They stand beside Django: a probe is answered by whatever name or address it calls, takes none of the threads of
pages, and is answered in time also when the database is not.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, TypeVar

from django.db import Error, close_old_connections, connections

from accounts import visitors
from accounts.visitors import Unwelcome
from core import asgi
from core.asgi import ASGIApp, Receive, Scope, Send
from lava_lite.client.findings import Finding, Level, bad
from lava_lite.health import checks

T = TypeVar("T")

PATIENCE = 3.0  # seconds that the database has for an answer
KEPT_SECONDS = 1.0  # an answer serves all who ask so soon after each other
THREADS = 2  # one may hang with the database while another asks who is there
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")
LEVELS: tuple[Level, ...] = ("ok", "warn", "bad")  # the worst comes last
SAFE = ("GET", "HEAD")
TEXT, JSON = b"text/plain; charset=utf-8", b"application/json"

_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="health")


async def healthz(scope: Scope, receive: Receive, send: Send) -> None:
    """The process lives and its loop turns; nothing else is asked."""
    await answer(send, HTTPStatus.OK, TEXT, b"ok\n")


async def metrics(scope: Scope, receive: Receive, send: Send) -> None:
    """`/metrics`. What writes them is loaded when somebody asks: most labs have no Prometheus."""
    from lava_lite.health import metrics as figures

    await figures.application(scope, receive, send)


class Ready:
    """`/readyz`: 503 if a check is bad. Everybody learns which kind, staff and this machine also what and why."""

    def __init__(self, look: Callable[[], Iterable[Finding]] = checks.all_of_them) -> None:
        self._look = look
        self._looking: asyncio.Future[list[Finding]] | None = None
        self._looked = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        findings = await self._findings()
        try:
            told = told_of(findings, is_insider=await is_insider(scope))
        except Unwelcome as error:
            await refuse(send, HTTPStatus.UNAUTHORIZED, str(error))
            return
        is_bad = any(finding.level == "bad" for finding in findings)
        status = HTTPStatus.SERVICE_UNAVAILABLE if is_bad else HTTPStatus.OK
        await answer(send, status, JSON, json.dumps(told, indent=2).encode() + b"\n")

    async def _findings(self) -> list[Finding]:
        looking = self._looking
        if looking is None or (looking.done() and time.monotonic() - self._looked > KEPT_SECONDS):
            looking = self._looking = asyncio.ensure_future(ask(lambda: list(self._look())))
            self._looked = time.monotonic()
        try:
            # One that hangs is not asked a second time: whoever comes meanwhile waits for the same answer.
            return await asyncio.wait_for(asyncio.shield(looking), PATIENCE)
        except TimeoutError:
            text = f"has not answered for {time.monotonic() - self._looked:.0f} s"
            remedy = "look at the database's server and at the disk"
            return [*checks.loops(), *checks.feed(), bad("database", text, remedy)]


def told_of(findings: Iterable[Finding], *, is_insider: bool) -> dict[str, Any]:
    """As JSON: the worst level of all, that of each kind, and for insiders every finding."""
    found = list(findings)
    kinds: dict[str, Level] = {}
    for finding in found:
        kinds[finding.what] = worse(kinds.get(finding.what, "ok"), finding.level)
    told: dict[str, Any] = {"status": max(kinds.values(), key=LEVELS.index, default="ok"), "checks": kinds}
    return told | {"findings": [asdict(finding) for finding in found]} if is_insider else told


def worse(one: Level, other: Level) -> Level:
    return max(one, other, key=LEVELS.index)


async def is_insider(scope: Scope) -> bool:
    """Somebody on this machine, or staff. Unwelcome for a token that opens nothing."""
    if is_local(scope):
        return True
    try:
        return await asyncio.wait_for(ask(_is_staff, scope), PATIENCE)
    except (Error, TimeoutError):
        return False


def is_local(scope: Scope) -> bool:
    """Whether it comes from this machine and is nobody else's: a proxy beside the lab says for whom it asks."""
    host, _ = scope.get("client") or ("", 0)
    headers = dict(scope["headers"])
    try:
        return ipaddress.ip_address(host).is_loopback and not any(name in headers for name in FORWARDED)
    except ValueError:
        return False


def _is_staff(scope: Scope) -> bool:
    user = visitors.user_of(visitors.visitor_of(scope))
    return user.is_active and user.is_staff


async def ask(question: Callable[..., T], *arguments: Any) -> T:
    """Ask the database from a thread that leaves no connection behind: probes are seldom."""

    def ask_in_thread() -> T:
        close_old_connections()
        try:
            return question(*arguments)
        finally:
            connections.close_all()

    return await asyncio.get_running_loop().run_in_executor(_threads, ask_in_thread)


def reading(app: ASGIApp) -> ASGIApp:
    """The application for GET and HEAD only; HEAD gets no body."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in SAFE:
            await refuse(send, HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD are known here.")
            return
        await app(scope, receive, _without_body(send) if scope["method"] == "HEAD" else send)

    return answered


def _without_body(send: Send) -> Send:
    async def send_less(message: Any) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_less


async def refuse(send: Send, status: HTTPStatus, text: str) -> None:
    extra = {
        HTTPStatus.METHOD_NOT_ALLOWED: [(b"allow", b"GET, HEAD")],
        HTTPStatus.UNAUTHORIZED: [(b"www-authenticate", b"Bearer")],
    }
    await answer(send, status, TEXT, f"{text}\n".encode(), extra.get(status, []))


async def answer(
    send: Send, status: HTTPStatus, kind: bytes, body: bytes, more: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    headers = [(b"content-type", kind), (b"x-content-type-options", b"nosniff"), *more]
    await asgi.answer(send, int(status), headers, body)
