"""A server for workers to test against: it keeps to the protocol strictly and remembers what it was told."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from jobs.logs.records import Record, parse_lines
from workers.messages import BadMessage, JobFiles, JobRef, LogPost, Orders, StateChange

API = "/scheduler/internal/v1"
SHELL_DEVICE = "{executor: shell}"


@dataclass
class ServedJob:
    id: int
    files: JobFiles
    token: str
    state: str = "Scheduled"
    records: list[Record] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)  # monotonic, of each record
    running_posts: int = 0
    log_posts: int = 0
    ends: list[StateChange] = field(default_factory=list)
    holes: int = 0
    answers: dict[str, dict[str, str]] = field(default_factory=dict)  # by the key of the question

    @property
    def ref(self) -> JobRef:
        return JobRef(id=self.id, token=self.token)

    @property
    def end(self) -> StateChange:
        (end,) = self.ends
        return end

    @property
    def output(self) -> list[str]:
        """What the device printed, pieces of lines joined."""
        text = ""
        for record in self.records:
            if record.level == "target":
                text += record.message + ("" if record.partial else "\n")
        return text.split("\n")[:-1]

    @property
    def printed(self) -> list[str]:
        """The output without the lines that name the steps and the signals."""
        return [line for line in self.output if not line.startswith(("+ ", "<LAVA_SIGNAL_"))]

    @property
    def results(self) -> list[dict[str, Any]]:
        return [record.message for record in self.records if record.level == "results"]

    def messages(self, level: str) -> list[Any]:
        return [record.message for record in self.records if record.level == level]

    def cases(self, suite: str) -> dict[str, dict[str, Any]]:
        return {result["case"]: result for result in self.results if result["definition"] == suite}


class LabServer:
    def __init__(self) -> None:
        self.jobs: dict[int, ServedJob] = {}
        self.workers = {"w1": "worker-token"}
        self.lock = threading.RLock()
        self.pings = 0
        self.user_agents: set[str] = set()
        self.accept_at_most: int | None = None  # records of one post
        self.sockets: list[Any] = []
        self.connections: set[Any] = set()
        self.port = 0
        self._http: ThreadingHTTPServer | None = None
        self.listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def listen(self) -> None:
        handler = type("Handler", (_Handler,), {"lab": self})
        self._http = _Http(("127.0.0.1", self.port), handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def go_down(self) -> None:
        """As when the server is killed: nobody listens, open connections break."""
        assert self._http is not None
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(2)
            except OSError:
                continue
        self.wait_until(lambda: not self.connections)

    def add_job(self, definition: str, *, device: str = SHELL_DEVICE, wake: bool = True) -> ServedJob:
        with self.lock:
            number = len(self.jobs) + 1
            files = JobFiles(definition=definition, device=device)
            job = ServedJob(id=number, files=files, token=f"token-{number}")
            self.jobs[number] = job
        if wake:
            self.wake("Scheduled")
        return job

    def cancel(self, job: ServedJob) -> None:
        with self.lock:
            job.state = "Canceling"
        self.wake("Canceling")

    def wake(self, state: str, worker: str = "w1") -> None:
        event = json.dumps({"worker": worker, "state": state})
        self.send_frame(json.dumps(["org.lavasoftware.testjob", "id", "time", "lavaserver", event]))

    def send_frame(self, text: str) -> None:
        data = text.encode()
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
        for connection in list(self.sockets):
            connection.sendall(b"\x81" + size + data)

    def wait_until(self, condition: Callable[[], object], timeout: float = 20.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.005)

    def wait_for_end(self, job: ServedJob, timeout: float = 20.0) -> None:
        self.wait_until(lambda: job.ends, timeout)

    def wait_for_output(self, job: ServedJob, text: str, timeout: float = 20.0) -> None:
        self.wait_until(lambda: any(line.startswith(text) for line in job.printed), timeout)

    # what workers ask

    def orders(self) -> Orders:
        def refs(state: str) -> tuple[JobRef, ...]:
            return tuple(job.ref for job in self.jobs.values() if job.state == state)

        self.pings += 1
        return Orders(start=refs("Scheduled"), cancel=refs("Canceling"), running=refs("Running"))

    def take_log(self, job: ServedJob, body: bytes) -> tuple[int, dict[str, Any]]:
        post = LogPost.from_form(body)
        records = parse_lines(post.lines)
        job.log_posts += 1
        have = len(job.records)
        if post.index > have:
            job.holes += 1
            return 409, {"expected": have}
        taken = records[: self.accept_at_most]
        new = taken[have - post.index :]
        job.records += new
        job.arrivals += [time.monotonic()] * len(new)
        return 200, {"line_count": len(taken)}

    def take_change(self, job: ServedJob, body: bytes) -> tuple[int, dict[str, Any]]:
        change = StateChange.from_form(body)
        if change.state == "FINISHED":
            job.ends.append(change)
            job.state = "Finished"
            return 200, {}
        job.running_posts += 1
        if job.state == "Scheduled":
            job.state = "Running"
        return 200, {}


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    lab: LabServer

    def setup(self) -> None:
        super().setup()
        self.lab.connections.add(self.connection)

    def finish(self) -> None:
        self.lab.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/ws/":
            self._upgrade()
        elif path.startswith(f"{API}/workers/"):
            self._ping(path)
        elif path.endswith("/answers/"):
            if (asked := self._job(path, "answers/")) is not None:
                self._answer(200, {"answers": asked.answers})
        elif (job := self._job(path, "")) is not None:
            self._answer(200, job.files.to_json())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = urlsplit(self.path).path
        if path == f"{API}/workers/":
            self._register(body)
            return
        take = self.lab.take_log if path.endswith("/logs/") else self.lab.take_change
        job = self._job(path, "logs/" if path.endswith("/logs/") else "")
        if job is None:
            return
        try:
            with self.lab.lock:
                status, answer = take(job, body)
        except BadMessage as error:
            status, answer = 400, {"error": str(error)}
        self._answer(status, answer)

    def _register(self, body: bytes) -> None:
        name = body.decode().removeprefix("name=")
        if name in self.lab.workers:
            self._answer(403, {"error": f"Worker '{name}' already registered"})
            return
        self.lab.workers[name] = f"token-of-{name}"
        self._answer(200, {"name": name, "token": self.lab.workers[name]})

    def _ping(self, path: str) -> None:
        name = path.removeprefix(f"{API}/workers/").rstrip("/")
        self.lab.user_agents.add(self.headers["User-Agent"])
        if name not in self.lab.workers:
            self._answer(404, {"error": f"Unknown worker '{name}'"})
        elif self.headers["LAVA-Token"] != self.lab.workers[name]:
            self._answer(400, {"error": "Invalid 'token'"})
        else:
            with self.lab.lock:
                orders = self.lab.orders()
            self._answer(200, orders.to_json())

    def _job(self, path: str, rest: str) -> ServedJob | None:
        match = re.fullmatch(rf"{API}/jobs/(\d+)/{rest}", path)
        job = self.lab.jobs.get(int(match[1])) if match else None
        if job is None:
            self._answer(404, {"error": f"Unknown job '{path}'"})
        elif self.headers["LAVA-Token"] != job.token:
            self._answer(400, {"error": "Invalid 'token'"})
            job = None
        return job

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        self.wfile.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)

    def _upgrade(self) -> None:
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.wfile.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        self.lab.sockets.append(self.connection)
        self.close_connection = True
        while frame := self.rfile.read(1):
            if frame == b"\x88":
                self.connection.sendall(b"\x88\x00")
                break
        self.lab.sockets.remove(self.connection)
