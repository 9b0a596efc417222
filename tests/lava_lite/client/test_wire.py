from __future__ import annotations

import re
import socket
import threading

import pytest

from lava_lite.client.errors import Unreachable, Usage
from lava_lite.client.http import Request, query
from lava_lite.client.wire import Wire
from tests.lab import free_port
from tests.lava_lite.client.conftest import FakeServer, Reply

GET = Request(method="GET", path="/api/v1/system/")
POST = Request(method="POST", path="/api/v1/jobs/", body=b"x", kind="application/yaml")
SYSTEM = {"name": "lava_lite"}


def test_a_request_says_who_asks_and_for_whom(fake: FakeServer) -> None:
    fake.on("GET", GET.path, SYSTEM)
    wire = Wire(fake.url, "secret")

    answer = wire.send(GET)
    wire.close()

    asked = fake.asked[0].headers
    assert (answer.status, answer.body) == (200, b'{"name": "lava_lite"}')
    assert asked["authorization"] == "Token secret"
    assert re.fullmatch(r"lava-lite/\d.*", asked["user-agent"])


def test_a_server_below_another_address_is_reached(fake: FakeServer) -> None:
    fake.on("GET", f"/lab{GET.path}", SYSTEM)
    wire = Wire(f"{fake.url}/lab/")

    assert wire.send(GET).status == 200
    wire.close()


def test_one_connection_serves_many_questions(fake: FakeServer) -> None:
    fake.on("GET", GET.path, SYSTEM)
    wire = Wire(fake.url)

    for _ in range(3):
        wire.send(GET)
    wire.close()

    assert fake.connections == 1


def test_a_question_on_a_stale_connection_is_asked_again(fake: FakeServer) -> None:
    fake.on("GET", GET.path, SYSTEM)
    wire = Wire(fake.url)
    wire.send(GET)
    assert wire._connection is not None
    assert wire._connection.sock is not None
    wire._connection.sock.shutdown(socket.SHUT_RDWR)

    assert wire.send(GET).status == 200
    wire.close()


def test_a_deed_is_done_once_or_not_at_all() -> None:
    received: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            received.append(connection.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        wire = Wire(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(Unreachable):
            wire.send(POST)
        thread.join()

    assert len(received) == 1


def test_a_server_that_is_not_there_is_told_with_its_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(Unreachable, match=f"{url} cannot be reached: Connection refused"):
        Wire(url).send(GET)


def test_a_name_that_no_host_can_have_is_told() -> None:
    with pytest.raises(Unreachable, match=r"http://a\.\.b cannot be reached"):
        Wire("http://a..b", proxies=dict).send(GET)


def test_a_server_that_does_not_answer_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        with pytest.raises(Unreachable, match="does not answer within"):
            Wire(url, timeout=0.05).send(GET)


def test_what_speaks_no_http_and_no_tls_is_told(fake: FakeServer) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        Wire(fake.url.replace("http:", "https:"), timeout=5).send(GET)


def test_a_redirect_is_not_followed_and_the_new_address_is_told(fake: FakeServer) -> None:
    fake.on("GET", GET.path, Reply(status=301, headers={"Location": "https://lab.example.org/api/"}))
    wire = Wire(fake.url, "secret")

    with pytest.raises(Usage, match=r"the lab is at https://lab\.example\.org; use that address"):
        wire.send(GET)
    wire.close()

    assert len(fake.asked) == 1


def test_a_proxy_of_the_environment_is_used(fake: FakeServer) -> None:
    wanted = f"http://lab.example.org{GET.path}"
    fake.on("GET", wanted, SYSTEM)
    proxy = fake.url.replace("http://", "http://me:pass%20word@")
    wire = Wire("http://lab.example.org", "secret", proxies=lambda: {"http": proxy})

    assert wire.send(GET).status == 200
    wire.close()

    assert fake.asked[0].headers["host"] == "lab.example.org"
    assert fake.asked[0].headers["proxy-authorization"] == "Basic bWU6cGFzcyB3b3Jk"


def test_https_goes_through_a_proxy_unread(fake: FakeServer) -> None:
    wire = Wire("https://lab.example.org", "secret", proxies=lambda: {"https": fake.url})

    with pytest.raises(Unreachable):
        wire.send(GET)

    assert (fake.asked[0].method, fake.asked[0].path) == ("CONNECT", "lab.example.org:443")
    assert "authorization" not in fake.asked[0].headers


def test_a_proxy_of_another_kind_is_refused() -> None:
    with pytest.raises(Usage, match="only http:// proxies work"):
        Wire("http://lab.example.org", proxies=lambda: {"all": "socks5://127.0.0.1:1080"}).send(GET)


@pytest.mark.parametrize(
    "url",
    ["", "lab", "localhost:8000", "ftp://lab", "http://", "http://[::1", "http://lab:99999", "http://a b"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Usage, match="is no address of a server"):
        Wire(url)


def test_a_secret_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(Usage) as refused:
        Wire("https://alice:s3cret@lab.example.org")

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("token", ["s3cret\nX: y", "s3 cret", "s3crét"])
def test_a_token_that_cannot_be_one_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(Usage) as refused:
        Wire("http://127.0.0.1", token)

    assert "s3" not in str(refused.value)


def test_a_query_leaves_out_what_is_not_given() -> None:
    assert query({"a": "x y", "b": None, "c": "", "d": 0}) == "?a=x+y&d=0"
    assert query({}) == ""
