"""A server of files with a lock: what the jobs of the ring fetch from elsewhere, and what they showed to get it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class FileServer(ThreadingHTTPServer):
    """Gives the file to whoever sends the key in this header, and to nobody else."""

    def __init__(self, path: Path, *, header: str, key: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.path, self.header, self.key = path, header, key
        self.shown: set[str | None] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{self.path.name}"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        shown = self.headers.get(self.server.header)
        self.server.shown.add(shown)
        found = shown == self.server.key
        body = self.server.path.read_bytes() if found else b""
        self.send_response(200 if found else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Not on the terminal."""


@contextmanager
def serving(path: Path, *, header: str, key: str) -> Iterator[FileServer]:
    with FileServer(path, header=header, key=key) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
