"""Listeners whose machine is gone: nothing comes from it any more, not even an acknowledgement."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from events import live, sse
from lava_lite import server
from tests.lab import eventually
from tests.lava_lite.test_patience import HANDSHAKE
from tests.serving import PATIENCE, serving

SO_ATTACH_FILTER = 26
RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)  # of a packet filter: keep no byte of any
STREAM = "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n"
INTERVAL = 30.0  # seconds: the longest that may be between two pings


def vanish(client: socket.socket) -> None:
    """From now on the kernel drops all that comes for this socket, as if its machine had lost its cable."""
    program = ctypes.create_string_buffer(RETURN_NOTHING)
    client.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))


@contextmanager
def listening(opening: str, **options: float) -> Iterator[socket.socket]:
    """A client that has been let in."""
    with serving(**options) as site, socket.create_connection(("127.0.0.1", site.port), PATIENCE) as client:
        client.sendall(opening.format(port=site.port).encode())
        assert client.recv(4096)
        assert eventually(lambda: len(live.live.listeners) == 1)
        yield client


def test_pings_are_often_and_a_dead_peer_is_noticed_within_two_of_them() -> None:
    assert max(server.PING_SECONDS, sse.PING_SECONDS) <= INTERVAL
    assert server.PING_SECONDS + server.PING_SECONDS <= 2 * INTERVAL
    assert sse.PING_SECONDS + sse.VANISHED_SECONDS <= 2 * INTERVAL


@pytest.mark.parametrize("opening", [STREAM, HANDSHAKE], ids=["stream", "socket"])
def test_a_listener_that_vanished_is_let_go(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, opening: str
) -> None:
    monkeypatch.setattr(sse, "PING_SECONDS", 0.1)
    monkeypatch.setattr(sse, "VANISHED_SECONDS", 0.3)
    with listening(opening, ws_ping_interval=0.2, ws_ping_timeout=0.2) as client:
        vanish(client)

        assert eventually(lambda: not live.live.listeners)


def test_a_listener_that_is_there_and_quiet_is_kept(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "PING_SECONDS", 0.05)
    monkeypatch.setattr(sse, "VANISHED_SECONDS", 0.1)
    with listening(STREAM) as client:
        received = b""
        while received.count(b": ping") < 10:
            received += client.recv(4096)

        assert len(live.live.listeners) == 1
