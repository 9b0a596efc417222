"""A log that is served as the lab serves it, by a server that can be cut off, slowed down and put off."""

from __future__ import annotations

import json
import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.template.loader import render_to_string

from lava_lite.static_files import text_of

STATIC = Path(settings.STATICFILES_DIRS[0])
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
POLICY = "default-src 'self'"
LIMIT = 1 << 20
BEGIN = 1_793_000_000_000  # ms UTC; 2026-10-26T07:33:20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for the tail, and how many were being answered when it came."""

    start: int
    time: float  # monotonic
    others: int


class Stub:
    """The page of one log; `log` is its file, the other attributes are changed by tests while it serves."""

    def __init__(self) -> None:
        self.log = b""
        self.attempt = 1
        self.is_finished = False
        self.shown_from = 0  # the page itself holds what follows this byte
        self.status = 200
        self.delay = 0.0
        self.is_cut = False
        self.asked: list[Asked] = []
        self.levels: dict[int, str] = {}  # by number of the line; the device printed the others
        self.steps: list[dict[str, Any]] = []
        self.beside: list[str] = []  # addresses that were asked for lines and hits
        self.address = ""
        self._open = 0
        self._lock = Lock()

    def write(self, text: str) -> None:
        self.log += text.encode()

    @contextmanager
    def serving(self) -> Iterator[Stub]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        server.daemon_threads = True
        self.address = f"http://127.0.0.1:{server.server_port}/"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def page(self) -> str:
        text = self.log[self.shown_from :].decode()
        log = {
            "url": "/log-tail?start=",
            "raw": "/log",
            "start": self.shown_from,
            "end": len(self.log),
            "blocks": [text] if text else [],
            "is_finished": self.is_finished,
            "is_last": True,
            "fits_in_page": True,
        }
        body = render_to_string("jobs/log.html", {"log": log})
        return f"""<!doctype html><title>log</title>
<link rel="stylesheet" href="/static/css/lava_lite.css"><link rel="stylesheet" href="/static/css/log.css"><script type="module" src="/static/js/log.js"></script>
<body class="whole"><main><div class="job">{body}</div></main>"""

    def tail(self, start: int, end: int) -> dict[str, Any]:
        log, is_finished = self.log, self.is_finished
        if start > len(log):
            return {"content": "", "new_size": len(log), "is_finished": False}
        piece = log[start : min(end, start + LIMIT)]
        text = piece.decode(errors="ignore") if len(piece) == LIMIT else piece.decode()
        size = start + len(text.encode())
        return {"content": text, "new_size": size, "is_finished": is_finished and size == len(log)}

    def lines(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """As /job/<id>/log-lines; the lines are a second apart."""
        ends = [match.end() for match in re.finditer(rb"[^\n]*\n|[^\n]+", self.log)]
        starts = [0, *ends][: len(ends)]
        if "line" in query:
            first, count = int(query["line"][0]), int(query["count"][0])
        else:
            first = max(1, bisect_right(starts, int(query["start"][0])))
            count = bisect_left(starts, int(query["end"][0])) - first + 1
        shown = range(first, min(first + count, len(ends) + 1))
        start = starts[first - 1] if shown else len(self.log)
        end = ends[shown[-1] - 1] if shown else start
        answer = {
            "first": first,
            "start": start,
            "end": end,
            "total": len(ends),
            "times": [BEGIN + number * 1_000 for number in shown],
            "levels": "".join(self.levels.get(number, "t") for number in shown),
            "is_finished": self.is_finished,
        }
        if "steps" in query:
            answer["steps"] = self.steps
        return answer | {"content": self.log[start:end].decode()} if "text" in query else answer

    def search(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """As /job/<id>/log-search, without regular expressions."""
        wanted, after = query.get("q", [""])[0].lower(), int(query.get("after", ["0"])[0])
        levels, limit = query.get("level", [""])[0], int(query.get("limit", ["100"])[0])
        hits = [
            {"line": number, "text": line}
            for number, line in enumerate(self.log.decode().split("\n"), 1)
            if wanted in line.lower() and (not levels or self.levels.get(number, "t") in levels)
        ]
        later = [hit for hit in hits if hit["line"] > after]
        return {"hits": later[:limit], "total": len(hits), "more": len(later) > limit}

    @contextmanager
    def asking(self, start: int) -> Iterator[None]:
        with self._lock:
            self.asked.append(Asked(start=start, time=time.monotonic(), others=self._open))
            self._open += 1
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1


def _handler_for(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if stub.is_cut:
                self.close_connection = True
                return
            address = urlsplit(self.path)
            if address.path == "/log-tail":
                self._tail(parse_qs(address.query))
            elif address.path in ("/log-lines", "/log-search"):
                self._beside(address.path, parse_qs(address.query))
            elif address.path == "/":
                self._send(200, "text/html; charset=utf-8", stub.page().encode())
            elif (file := STATIC / address.path.removeprefix("/static/")).is_file():
                self._send(200, KINDS[file.suffix], text_of(file))
            else:
                self._send(404, "text/plain", b"")

        def _tail(self, query: dict[str, list[str]]) -> None:
            start = int(query["start"][0])
            end = int(query["end"][0]) if "end" in query else len(stub.log)
            with stub.asking(start):
                time.sleep(stub.delay)
                answer = stub.tail(start, end) if stub.status == 200 else {"error": "no"}
            # Sent after it is no longer counted: the next may be asked before this thread runs again.
            self._send(stub.status, "application/json", json.dumps(answer).encode())

        def _beside(self, path: str, query: dict[str, list[str]]) -> None:
            stub.beside.append(path)
            answer = stub.lines(query) if path == "/log-lines" else stub.search(query)
            body = json.dumps(answer if stub.status == 200 else {"error": "no"})
            self._send(stub.status, "application/json", body.encode())

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("Log-Attempt", str(stub.attempt))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    return Handler
