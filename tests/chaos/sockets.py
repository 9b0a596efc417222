"""Who listens by WebSocket, as LAVA's clients do and as core4's do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.chaos.listeners import LOOKS, TIMEOUT, Fault, Listener, heard

FAULTY_CLOSES = {1011, 4400, 4401, 4410}  # with which the lab has no reason to end a WebSocket


class Socket(Listener):
    """A WebSocket."""

    def texts(self, client: ClientConnection) -> Iterator[Any]:
        while not self._over.is_set():
            try:
                text = client.recv(LOOKS)
            except TimeoutError:
                continue
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code in FAULTY_CLOSES:
                    raise Fault(f"closed with {closed.rcvd.code} {closed.rcvd.reason}") from closed
                raise
            yield json.loads(text)

    def connected(self, path: str) -> ClientConnection:
        try:
            return connect(
                f"ws://127.0.0.1:{self.line.port}{path}",
                additional_headers={"Authorization": f"Token {self._token}"},
                compression=None,
                proxy=None,
                open_timeout=TIMEOUT,
                close_timeout=1,
                ping_interval=None,
            )
        except InvalidStatus as refused:
            if refused.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            raise Fault(f"{path}: {refused.response.status_code} {refused.response.body!r}") from refused


class LavaSocket(Socket):
    kind = "/ws/"

    def listen(self) -> None:
        with self.connected(f"/ws/?since={self.last}") as client:
            for frame in self.texts(client):
                if isinstance(
                    frame, list
                ):  # else it says why the socket is closed, as the code does that comes next
                    _, id, _, _, data = frame
                    self.take(heard(json.loads(data)["sequence"], id))


class Core4Socket(Socket):
    kind = "core4"

    def listen(self) -> None:
        with self.connected("/core4/api/v1/event") as client:
            client.send(json.dumps({"type": "interest", "data": ["queue", "#"], "since": self.last}))
            for told in self.texts(client):
                if told.get("type") == "reset":
                    raise Fault(str(told))
                if "_id" in told:
                    self.take(heard(told["sequence"], told["_id"]))
