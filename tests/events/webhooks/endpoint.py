"""A machine of somebody's that takes webhooks: a real HTTP server, which answers as it is told and keeps what came."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: Headers  # by their names in lower case
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def type(self) -> str:
        return str(self.event["type"])

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 204
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    wait: threading.Event | None = None  # before anything is answered
    raw: bytes | None = None  # in place of all that


class Endpoint:
    """Answers with `answer`, or with those in `script` first, one after the other."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.script: list[Answer] = []
        self.answer = Answer()
        self.port = 0
        self.before_answer: Callable[[Request], object] = lambda request: None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def types(self) -> list[str]:
        return [request.type.removeprefix("lava_lite.") for request in self.requests]

    def take(self, request: Request) -> Answer:
        self.requests.append(request)
        self.before_answer(request)
        return self.script.pop(0) if self.script else self.answer


@contextmanager
def listening(trust: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(
                method=self.command, path=self.path, headers=headers, body=self.rfile.read(length)
            )
            self._answer(endpoint.take(request))

        do_GET = do_POST

        def _answer(self, answer: Answer) -> None:
            self.close_connection = True
            if answer.wait is not None:
                answer.wait.wait(20)
            try:
                if answer.raw is not None:
                    self.wfile.write(answer.raw)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)
            except OSError:
                pass  # whoever asked has gone

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if trust is not None:
        server.socket = trust.wrap_socket(server.socket, server_side=True)
    endpoint.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def signatures_by(secret: str, request: Request) -> str:
    """What the signature of a request must be, computed as the text of Standard Webhooks says."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((request.id.encode(), request.headers["webhook-timestamp"].encode(), request.body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
