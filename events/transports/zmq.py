"""LAVA's ZMQ sockets: a public PUB socket, and PUSH sockets towards trusted subscribers."""

from __future__ import annotations

import time
from collections.abc import Sequence

import zmq

from events import lava, visibility
from events.models import Event
from events.transports import TransportDown

# Per subscriber; far above what a burst of a lab's size brings, so that only a reader that stands still loses.
HIGH_WATER_MARK = 100_000
WAIT_FOR_SUBSCRIBERS_SECONDS = 0.5  # they try to connect again every 100 ms
LINGER_MS = 1000
HEARTBEAT_MS = {zmq.HEARTBEAT_IVL: 5000, zmq.HEARTBEAT_TIMEOUT: 15000, zmq.HEARTBEAT_TTL: 15000}


class PublicSocket:
    """Binds; everybody may connect, so only what an anonymous visitor may see goes out."""

    def __init__(self, address: str) -> None:
        self.name = f"zmq {address}"
        self._address = address
        self._socket: zmq.Socket[bytes] | None = None

    def send(self, events: Sequence[Event]) -> None:
        socket = self._socket or self._bind()
        for event in visibility.public(events):
            if parts := lava.frames(event):
                socket.send_multipart([part.encode() for part in parts])
        _forget_subscriptions(socket)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close(linger=LINGER_MS)
            self._socket = None

    def bind(self) -> None:
        """Listen from now on. TransportDown if the address is taken."""
        if self._socket is None:
            self._bind()

    def _bind(self) -> zmq.Socket[bytes]:
        # XPUB is PUB that tells of subscriptions: after a restart the backlog waits for those who come back.
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.XPUB)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        for option, value in HEARTBEAT_MS.items():
            socket.setsockopt(option, value)
        try:
            socket.bind(self._address)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            raise TransportDown(
                f"{self._address} cannot be bound ({error}); EVENT_SOCKET names another"
            ) from error
        self._socket = socket
        if socket.poll(int(WAIT_FOR_SUBSCRIBERS_SECONDS * 1000)):
            time.sleep(0.1)  # one is back; the others are on their way
        return socket


class TrustedSocket:
    """Connects to a subscriber that the administrator named; it gets every event."""

    def __init__(self, address: str) -> None:
        self.name = f"zmq push {address}"
        self._address = address
        self._socket: zmq.Socket[bytes] | None = None

    def send(self, events: Sequence[Event]) -> None:
        socket = self._socket or self._connect()
        for event in events:
            if parts := lava.frames(event):
                self._push(socket, [part.encode() for part in parts])

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close(linger=LINGER_MS)
            self._socket = None

    def _push(self, socket: zmq.Socket[bytes], parts: list[bytes]) -> None:
        try:
            socket.send_multipart(parts, flags=zmq.NOBLOCK)
        except zmq.Again:
            raise TransportDown(f"nobody takes events at {self._address}") from None

    def _connect(self) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        socket.setsockopt(
            zmq.IMMEDIATE, 1
        )  # without a peer nothing is taken, so that nothing is lost with us
        socket.connect(self._address)
        self._socket = socket
        return socket


def _forget_subscriptions(socket: zmq.Socket[bytes]) -> None:
    """Read what XPUB says of subscribers, else it piles up."""
    while socket.poll(0):
        socket.recv()
