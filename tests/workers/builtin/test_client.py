from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.workers.builtin.conftest import definition
from tests.workers.builtin.lab_server import LabServer
from workers.builtin.client import Client, Hole, Refused, Unavailable, Unknown
from workers.builtin.config import WorkerConfig
from workers.messages import JobRef, LogPost, StateChange

JOB = JobRef(id=1, token="t")


@pytest.fixture
def client(lab: LabServer) -> Iterator[Client]:
    client = Client(lab.url, timeout=5)
    yield client
    client.close()


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """A server that gives these answers, one for each connection, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def http(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_a_ping_gives_orders_and_says_who_asks(lab: LabServer, client: Client) -> None:
    job = lab.add_job(definition("true"))

    orders = client.ping("w1", "worker-token")

    assert orders.start == (job.ref,)
    (user_agent,) = lab.user_agents
    assert user_agent.startswith("lava-lite-worker ")


def test_a_wrong_token_and_an_unknown_job_are_known_as_such(lab: LabServer, client: Client) -> None:
    with pytest.raises(Unknown, match="400 Invalid 'token'"):
        client.ping("w1", "wrong")
    with pytest.raises(Unknown, match="404"):
        client.fetch(JOB)


def test_a_server_that_restarted_is_asked_again_at_once(lab: LabServer, client: Client) -> None:
    client.ping("w1", "worker-token")
    lab.go_down()
    lab.listen()

    client.ping("w1", "worker-token")

    assert lab.pings == 2


def test_a_hole_tells_what_the_server_expects(lab: LabServer, client: Client) -> None:
    job = lab.add_job(definition("true"))

    with pytest.raises(Hole) as raised:
        client.post_log(job.ref, LogPost(index=5, lines='- {"dt": "x"}'))

    assert raised.value.expected == 0


def test_a_name_may_hold_any_character(lab: LabServer, client: Client) -> None:
    with pytest.raises(Unknown, match=r"Unknown worker 'a%20b%2Fc@d.e'"):
        client.ping("a b/c@d.e", "t")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", Unavailable),
        (b"nonsense\r\n\r\n", Unavailable),
        (http("200 OK", b"<html>"), Unavailable),
        (http("200 OK", b"[]"), Unavailable),
        (http("200 OK", b"[" * 100_000), Unavailable),
        (http("200 OK", b'{"start": 1}'), Unavailable),
        (http("500 Oops", b"<h1>oops</h1>"), Unavailable),
        (http("503 Busy", b'{"error": "locked"}'), Unavailable),
        (http("429 Slow", b""), Unavailable),
        (http("302 Found", b""), Unavailable),
        (http("400 Bad", b'{"error": "Missing version"}'), Refused),
        (http("413 Large", b""), Refused),
        (http("403 No", b"{}"), Unknown),
        (http("410 Gone", b""), Unknown),
    ],
)
def test_every_odd_answer_has_its_error(answer: bytes, kind: type[Exception]) -> None:
    with answering(answer) as url:
        client = Client(url, timeout=5)
        with pytest.raises(kind) as raised:
            client.ping("w1", "t")
        client.close()

    assert type(raised.value) is kind


def test_nobody_listening_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(Unavailable, match="ConnectionRefusedError"):
        Client(f"http://127.0.0.1:{port}", timeout=5).report(JOB, StateChange(state="RUNNING"))


def test_a_server_that_never_answers_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.2)

        with pytest.raises(Unavailable, match="timed out"):
            client.ping("w1", "t")


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused_at_once(
    url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(ValueError, match="must look like http://host:port"):
        WorkerConfig(url=url, name="w1", directory=tmp_path_factory.getbasetemp())


def test_the_socket_is_below_the_servers_address(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = WorkerConfig(url="https://lab.example/lava", name="w1", directory=tmp_path_factory.getbasetemp())

    assert config.websocket_url == "wss://lab.example/lava/ws/"
