"""What becomes of WebSockets whose clients do not read or are dead: with the real server, and raw sockets as clients."""

from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from contextlib import closing
from statistics import median
from types import ModuleType

import pytest
from django.db import transaction
from websockets.exceptions import InvalidStatus

from accounts.visitors import ANONYMOUS, Visitor
from api.core4 import conversation
from core.asgi import Scope
from events import outbox, publisher
from events.outbox import News
from events.sockets import lava
from lava_lite import patience, server
from tests import build
from tests.events.sockets.test_lava import told
from tests.lab import eventually
from tests.serving import PATIENCE, Site, do, serving

BYTES_OF_ONE = 128 * 1024  # that may wait for a client, of the hundreds of thousands that it could have
MANY = 400  # frames that fill what lies between the lab and a client that does not read
HANDSHAKE = (
    "GET /ws/?since=0 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
BEFORE = {"previous_state": "Offline", "previous_health": "Active"}
CLOSE = 0x88  # the first byte of a close frame


def deaf(site: Site) -> socket.socket:
    """A client that asks for all events and never answers anything."""
    client = socket.create_connection(("127.0.0.1", site.port), PATIENCE)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(HANDSHAKE.format(port=site.port).encode())
    return client


def rest_of(client: socket.socket) -> bytes:
    """All that still comes until the connection is over."""
    received = bytearray()
    try:
        while piece := client.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return bytes(received)


def farewell_in(received: bytes, code: int, reason: str) -> bool:
    body = struct.pack("!H", code) + reason.encode()
    return received.endswith(bytes([CLOSE, len(body)]) + body)


def test_the_lab_pings_often_enough_and_takes_no_long_frames() -> None:
    options = server.options()

    assert options["ws"] is patience.PatientWebSocket
    assert options["ws_ping_interval"] == options["ws_ping_timeout"] == server.PING_SECONDS <= 30
    assert options["ws_max_size"] == server.LONGEST_FRAME


def test_a_dead_client_is_noticed_when_it_answers_no_ping(transactional_db: None) -> None:
    with serving(ws_ping_interval=0.1, ws_ping_timeout=0.1) as site, closing(deaf(site)) as dead:
        assert eventually(lambda: site.sockets == 1)
        alive = site.connect("/ws/")

        assert farewell_in(rest_of(dead), 1011, "keepalive ping timeout")

        assert eventually(lambda: site.sockets == 1)
        do(build.device)
        do(build.job)
        assert told(alive)[0] == "testjob"


@pytest.fixture
def backlog(transactional_db: None) -> None:
    """More than the buffers of a client hold."""
    news = News(
        type="worker.changed", subject="worker01", data=build.OF_A_WORKER | BEFORE | {"reason": "x" * 1000}
    )
    with transaction.atomic():
        outbox.record_all([news] * MANY, cause=build.CAUSE)
    publisher.run_once([])


def test_a_client_that_reads_nothing_holds_up_nobody(backlog: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "KERNEL_BYTES", 4096)
    with serving() as site, closing(deaf(site)):
        assert eventually(lambda: is_full(site))
        reads = site.connect("/ws/")

        do(build.job)

        assert told(reads)[1]["event"] == "job.submitted"


def test_a_client_that_reads_nothing_costs_little_and_delays_others_by_less_than_a_second(
    backlog: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "KERNEL_BYTES", 4096)
    delays = []
    with serving() as site, closing(deaf(site)):
        assert eventually(lambda: is_full(site))
        do(build.device)
        reads = site.connect("/ws/")
        for _ in range(9):
            began = time.monotonic()
            do(build.job)
            told(reads)
            delays.append(time.monotonic() - began)
        unsent = max(each.transport.get_write_buffer_size() for each in _sockets(site))

    assert median(delays) < 1.0, delays
    assert 0 < unsent < BYTES_OF_ONE


def test_a_client_that_reads_nothing_is_dropped_with_a_reason_and_goes_on_from_its_last_number(
    backlog: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "KERNEL_BYTES", 4096)
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.2)
    with serving() as site, closing(deaf(site)) as slow:
        assert eventually(lambda: is_closing(site))

        received = rest_of(slow)

        assert farewell_in(received, patience.TRY_AGAIN, patience.TOO_SLOW)
        last = received.count(b'\\"sequence\\"')
        assert 0 < last < MANY
        again = site.connect(f"/ws/?since={last}")
        assert told(again)[1]["sequence"] == last + 1


def test_one_that_does_not_even_read_the_reason_is_cut_off(
    backlog: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "KERNEL_BYTES", 4096)
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(patience, "GOODBYE_SECONDS", 0.1)
    with serving() as site, closing(deaf(site)):
        assert eventually(lambda: is_full(site) or is_closing(site))

        assert eventually(lambda: site.sockets == 0)


def test_a_connection_that_is_refused_is_no_error_of_the_lab(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        site.connect("/core4/api/v1/event?token=wrong")

    assert refused.value.response.status_code == 401
    assert eventually(lambda: site.sockets == 0)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(("path", "module"), [("/ws/", lava), ("/core4/api/v1/event", conversation)])
def test_a_client_that_leaves_before_it_is_let_in_is_no_error_of_the_lab(
    path: str,
    module: ModuleType,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked, has_left = threading.Event(), threading.Event()

    def asked_for_long(scope: Scope) -> Visitor:
        asked.set()
        assert has_left.wait(PATIENCE)
        return ANONYMOUS

    monkeypatch.setattr(module.visitors, "visitor_of", asked_for_long)
    with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as client:
        client.sendall(HANDSHAKE.replace("/ws/", path).format(port=site.port).encode())
        assert asked.wait(PATIENCE)
    assert eventually(lambda: site.sockets == 0)
    has_left.set()

    assert eventually(lambda: not site.server.server_state.tasks)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def is_full(site: Site) -> bool:
    return any(not connection.writable.is_set() for connection in _sockets(site))


def is_closing(site: Site) -> bool:
    return any(connection.close_sent for connection in _sockets(site))


def _sockets(site: Site) -> list[patience.PatientWebSocket]:
    connections = list(site.server.server_state.connections)
    return [each for each in connections if isinstance(each, patience.PatientWebSocket)]
