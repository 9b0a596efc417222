"""A server that answers as REST v1 does, from a table, and the command line that speaks to it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lava_lite import cli

FOREIGN = (
    "LAVA_LITE_SERVER",
    "LAVA_LITE_TOKEN",
    "NO_COLOR",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    method: str
    path: str  # with its query
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Reply:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def problem(status: int, title: str, detail: str = "", **more: Any) -> Reply:
    body = {"type": "/api/docs/", "title": title, "status": status, "detail": detail, **more}
    return Reply(body=body, status=status, headers={"Content-Type": "application/problem+json"})


class FakeServer:
    """`on` says what is answered: one reply after the other, and the last one from then on."""

    def __init__(self) -> None:
        self.replies: dict[tuple[str, str], list[Reply]] = {}
        self.asked: list[Asked] = []
        self.was_asked = threading.Event()
        self.connections = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(handler) -> None:
                super().setup()
                self.connections += 1

            def do_GET(handler) -> None:
                self.answer(handler)

            do_POST = do_PATCH = do_DELETE = do_CONNECT = do_GET

            def log_message(handler, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def on(self, method: str, path: str, *replies: Any) -> None:
        self.replies[method, path] = [
            reply if isinstance(reply, Reply) else Reply(body=reply) for reply in replies
        ]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append(Asked(method=handler.command, path=handler.path, headers=headers, body=body))
        replies = self.replies.get((handler.command, handler.path)) or [problem(404, "There is nothing here")]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.bytes)))
        handler.end_headers()
        handler.wfile.write(reply.bytes)
        self.was_asked.set()

    def paths(self, method: str) -> list[str]:
        return [asked.path for asked in self.asked if asked.method == method]


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    server = FakeServer()
    server.server.daemon_threads = True
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.server.shutdown()
    thread.join()
    server.server.server_close()


@pytest.fixture(autouse=True)
def own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LAVA_LITE_DATA", str(tmp_path / "data"))


@dataclass(frozen=True, kw_only=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


LavaLite = Callable[..., Done]


@pytest.fixture
def lava_lite(
    fake: FakeServer, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> LavaLite:
    """Type a command that speaks to the fake server; `stdin` is what it reads."""
    monkeypatch.setenv("LAVA_LITE_SERVER", fake.url)

    def run(*words: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        try:
            code = cli.main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capfdbinary.readouterr()
        return Done(code=code, out=out.decode(), err=err.decode())

    return run


def job(number: int = 12, **fields: Any) -> dict[str, Any]:
    """A job as the API gives it; it has passed."""
    return {
        "id": number,
        "number": str(number),
        "uuid": f"00000000-0000-4000-8000-{number:012}",
        "url": f"http://lab/job/{number}/",
        "description": "Boot it",
        "submitter": "alice",
        "device_type": "qemu",
        "device": "qemu01",
        "tags": ["usb"],
        "priority": 50,
        "visibility": "public",
        "groups": [],
        "state": "Finished",
        "health": "Complete",
        "outcome": "pass",
        "reason": "",
        "attempt": 1,
        "submit_time": "2026-01-31T12:00:00Z",
        "start_time": "2026-01-31T12:00:05Z",
        "end_time": "2026-01-31T12:01:05Z",
        "duration": 60.0,
        "resubmitted_from": None,
        "group": None,
        **fields,
    }


def members(*roles: str, first: int = 14, **fields: Any) -> list[dict[str, Any]]:
    """The jobs of a group as the API gives them: 14.0, 14.1 …"""
    jobs = [
        {"id": first + at, "number": f"{first}.{at}", "role": role, "url": f"http://lab/job/{first + at}/"}
        for at, role in enumerate(roles)
    ]
    group = {"id": "00000000-0000-4000-8000-000000000014", "first": first, "size": len(roles), "jobs": jobs}
    return [
        job(first + at, **fields)
        | {"number": f"{first}.{at}", "group": {**group, "member": at, "role": role, "essential": at == 0}}
        for at, role in enumerate(roles)
    ]


def device(name: str, **fields: Any) -> dict[str, Any]:
    """A good device as the API gives it."""
    return {
        "name": name,
        "url": f"/device/{name}/",
        "device_type": "qemu",
        "worker": "rack1",
        "worker_state": "Online",
        "description": "",
        "tags": [],
        "state": "Idle",
        "health": "Good",
        "health_reason": "",
        "health_by": None,
        "health_since": "2026-01-31T12:00:00Z",
        "job": None,
        "last_used": None,
        **fields,
    }


def tail(content: str, new_size: int, *, is_finished: bool = False, attempt: int = 1) -> Reply:
    body = {"content": content, "new_size": new_size, "is_finished": is_finished}
    return Reply(body=body, headers={"Log-Attempt": str(attempt)})
