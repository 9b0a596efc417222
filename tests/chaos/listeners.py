"""Everybody who listens to the lab while it suffers: each comes back after every cut, as the documentation says."""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import amqp
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.events.cable import Cable
from tests.statements.visitors import JSON

PAUSE = 0.2  # seconds until somebody who was cut off comes back
TIMEOUT = 20.0  # seconds of silence after which it connects anew
LOOKS = 0.5  # seconds between two looks at the history, and at whether all is over
PAGE = 500  # events of one fetch
BUSY = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}


class Cut(Exception):
    """The connection is gone, or the lab has asked to come back later."""


class Fault(Exception):
    """The lab said what it should never say to this listener."""


CUTS = (Cut, OSError, EOFError, http.client.HTTPException, ConnectionClosed, InvalidHandshake, amqp.AMQPError)


@dataclass(frozen=True, slots=True)
class Heard:
    """One event that arrived."""

    sequence: int
    id: str  # 32 hexadecimal digits; core4 tells the first 24


def heard(sequence: object, id: str) -> Heard:
    return Heard(int(str(sequence)), sys.intern(id.replace("-", "")))  # everybody hears the same ones


class Listener:
    """Listens in a thread of its own, through a line that can be cut, held and left unread."""

    kind = ""

    def __init__(self, line: Cable, token: str) -> None:
        self.line = line
        self.name = self.kind
        self.heard: list[Heard] = []
        self.faults: list[str] = []
        self._token = token
        self._reads = threading.Event()
        self._reads.set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._reads.set()
        self.line.cut()
        self._thread.join(2 * TIMEOUT)

    @property
    def connections(self) -> int:
        return self.line.connections

    @property
    def last(self) -> int:
        """`sequence` of the newest event that it has."""
        return self.heard[-1].sequence if self.heard else 0

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Nothing is read meanwhile."""
        self._reads.clear()
        try:
            yield
        finally:
            self._reads.set()

    def listen(self) -> None:
        """Until the connection is cut."""
        raise NotImplementedError

    def take(self, event: Heard) -> None:
        self._reads.wait()
        self.heard.append(event)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.listen()
            except CUTS:
                pass
            except Exception as error:
                if not self._over.is_set():
                    self.faults.append(f"{type(error).__name__}: {error}")
            self._over.wait(PAUSE)

    def _ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.line.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, {"Authorization": f"Token {self._token}"} | headers)
            response = connection.getresponse()
            if response.status in BUSY:
                raise Cut(path)
            if response.status != HTTPStatus.OK:
                raise Fault(f"{path}: {response.status} {response.read().decode()}")
        except BaseException:
            connection.close()
            raise
        return connection, response

    def _answer(self, method: str, path: str, body: str | None = None, **headers: str) -> Any:
        connection, response = self._ask(method, path, body, **headers)
        try:
            return json.loads(response.read())
        finally:
            connection.close()

    def _page(self, since: int) -> dict[str, Any]:
        page: dict[str, Any] = self._answer("GET", f"/api/v1/events?since={since}", Accept=JSON)
        return page


class Stream(Listener):
    """Server-sent events, as a browser takes them."""

    kind = "SSE"

    def listen(self) -> None:
        wanted = {"Accept": "text/event-stream", "Last-Event-ID": str(self.last)}
        connection, response = self._ask("GET", "/api/v1/events", **wanted)
        fields: dict[str, str] = {}
        try:
            for line in iter(response.readline, b""):
                name, _, value = line.decode().rstrip("\n").partition(":")
                fields[name] = value.removeprefix(" ")
                if line == b"\n":
                    # What was cut off before its empty line has not come.
                    self._dispatch(fields)
                    fields = {}
        finally:
            response.close()
            connection.close()

    def _dispatch(self, fields: dict[str, str]) -> None:
        if "data" not in fields:
            return
        told = json.loads(fields["data"])
        if fields["event"] in ("end", "reset"):
            raise Fault(f"{fields['event']}: {fields['data']}")
        if int(fields["id"]) != int(told["sequence"]):
            raise Fault(f"the event {told['sequence']} came with the id {fields['id']}")
        self.take(heard(told["sequence"], told["id"]))


class History(Listener):
    """Pages, asked for again and again."""

    kind = "history"

    def __init__(self, line: Cable, token: str) -> None:
        super().__init__(line, token)
        self._since = 0

    def listen(self) -> None:
        while not self._over.is_set():
            page = self._page(self._since)
            for event in page["events"]:
                self.take(heard(event["sequence"], event["id"]))
            self._since = page["next_since"]
            if self._since == page["last_sequence"]:
                self._over.wait(LOOKS)


class Consumer(Listener):
    """One whose place the lab keeps until it acknowledges."""

    kind = "subscription"

    def listen(self) -> None:
        while not self._over.is_set():
            fetched = self._post("fetch", {"limit": PAGE, "wait": LOOKS})
            for event in fetched["events"]:
                self.take(heard(event["sequence"], event["id"]))
            if fetched["ack"] is not None:
                self._post("ack", fetched["ack"])

    def _post(self, deed: str, body: dict[str, Any]) -> Any:
        path = f"/api/v1/subscriptions/{self.name}/{deed}/"
        return self._answer("POST", path, json.dumps(body), **{"Content-Type": JSON})
