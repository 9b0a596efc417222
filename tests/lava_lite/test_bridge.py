"""The bridge and the front before it, behind a real uvicorn, with real sockets."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from lava_lite.bridge import MEBIBYTE, Bridge, Environ, Limits, Receive, Scope, Send
from lava_lite.front import Front

THREADS = 4
STALLED = 10
LIMITS = Limits(
    body=2 * MEBIBYTE, body_below=(("/scheduler/internal/", 4 * MEBIBYTE),), patience=1.0, goodbye=1.0
)
StartResponse = Callable[..., Any]


class Stream:
    """An answer in pieces, as Django's streaming answers are."""

    streaming = True

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = iter(pieces)
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        self.closed.set()


class Site:
    """A WSGI application that tells what it was asked."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.environs: list[Environ] = []
        self.streams: list[Stream] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self.environs.append(environ)
        path = environ["PATH_INFO"]
        if path == "/fails":
            raise RuntimeError("the view fails")
        headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
        if path == "/file":
            size = self.file.stat().st_size
            start_response("200 OK", [*headers, ("Content-Length", str(size))])
            return environ["wsgi.file_wrapper"](self.file.open("rb"), 4096)  # type: ignore[no-any-return]
        if path == "/grown":
            start_response("200 OK", [*headers, ("Content-Length", "10")])
            return environ["wsgi.file_wrapper"](self.file.open("rb"), 4096)  # type: ignore[no-any-return]
        if path == "/stream":
            start_response("200 OK", headers)
            self.streams.append(Stream(bytes(64 * 1024) for _ in range(1600)))
            return self.streams[-1]
        body = environ["wsgi.input"].read()
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]


class Server:
    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        self.port = port

    def request(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, method: str = ""
    ) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method or ("GET" if body is None else "POST"), path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content

    def connect(self, request: bytes, receive_buffer: int | None = None) -> socket.socket:
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(request)
        return connection


async def echo_socket(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 1000})


async def raw_log(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["url_route"]["kwargs"]["job"].encode()})


@contextmanager
def serving(site: Site, limits: Limits) -> Iterator[Server]:
    front = Front(
        Bridge(site, threads=THREADS, limits=limits),
        sockets=[(re.compile("ws/"), echo_socket)],
        streams=[(re.compile(r"job/(?P<job>[0-9.]+)/log"), raw_log)],
    )
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        front, log_config=None, access_log=False, ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Server(site, listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("files") / "large"
    with file.open("wb") as large:
        large.truncate(100 * MEBIBYTE)
    with serving(Site(file), LIMITS) as running:
        yield running


def test_an_answer_keeps_its_status_headers_and_body(server: Server) -> None:
    response, content = server.request("/echo", b"hello")

    assert (response.status, content) == (200, b"hello")
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_the_environment_is_what_wsgi_asks_for(server: Server) -> None:
    headers = {"Content-Type": "text/x", "X-One": "1", "X_Two": "2", "Cookie": "c=3"}
    server.request("/a%20b/%C3%BC?q=%20", b"12345", headers)

    environ = server.site.environs[-1]
    assert environ["REQUEST_METHOD"] == "POST"
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/a b/ü"
    assert environ["QUERY_STRING"] == "q=%20"
    assert environ["CONTENT_TYPE"] == "text/x"
    assert environ["CONTENT_LENGTH"] == "5"
    assert environ["HTTP_X_ONE"] == "1"
    assert environ["HTTP_COOKIE"] == "c=3"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["SERVER_PORT"] == str(server.port)
    assert "HTTP_X_TWO" not in environ


@pytest.mark.parametrize("charset", ["zlib", "hex", "no-such-thing", '"undefined"'])
def test_a_charset_that_is_none_is_left_out(server: Server, charset: str) -> None:
    server.request("/echo", b"1", {"Content-Type": f"text/x; charset={charset}"})

    assert server.site.environs[-1]["CONTENT_TYPE"] == "text/x"


def test_a_charset_is_handed_on(server: Server) -> None:
    server.request("/echo", b"1", {"Content-Type": "text/x; charset=latin-1"})

    assert server.site.environs[-1]["CONTENT_TYPE"] == "text/x; charset=latin-1"


def test_runs_of_slashes_are_one_slash(server: Server) -> None:
    server.request("//api///v0.2//jobs/")

    assert server.site.environs[-1]["PATH_INFO"] == "/api/v0.2/jobs/"


def test_a_body_in_chunks_without_a_length_arrives_whole(server: Server) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with server.connect(request + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.endswith(b"abcde")
    assert server.site.environs[-1]["CONTENT_LENGTH"] == "5"


def test_a_body_larger_than_what_is_kept_in_memory_arrives_whole(server: Server) -> None:
    body = bytes(range(256)) * (2 * MEBIBYTE // 256)

    response, content = server.request("/echo", body)

    assert response.status == 200
    assert content == body


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    request = b"POST /submit/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2097153\r\n\r\n"
    with server.connect(request) as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(
        b"The body of this request is too large: 2097153 bytes were announced, "
        b"2097152 bytes are the most that is accepted here.\n"
    )


def test_a_client_that_sends_everything_before_it_reads_still_reads_the_refusal(server: Server) -> None:
    response, content = server.request("/submit/", bytes(30 * MEBIBYTE))

    assert response.status == 413
    assert b"too large" in content


def test_a_body_that_grows_too_large_without_an_announcement_is_refused(server: Server) -> None:
    chunks = (bytes(MEBIBYTE) for _ in range(3))
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(
        "POST", "/submit/", chunks, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
    )

    response = connection.getresponse()

    assert response.status == 413
    assert b"more were sent" in response.read()
    connection.close()


def test_a_path_may_have_a_limit_of_its_own(server: Server) -> None:
    response, content = server.request("/scheduler/internal/v1/jobs/1/logs/", bytes(4 * MEBIBYTE))

    assert (response.status, len(content)) == (200, 4 * MEBIBYTE)


@pytest.mark.parametrize(
    ("path", "key"),
    [("/api/v0.2/jobs/", "detail"), ("/api/v1/jobs/", "detail"), ("/scheduler/internal/v1/", "error")],
)
def test_programs_are_refused_in_their_own_shape(server: Server, path: str, key: str) -> None:
    response, content = server.request(path, bytes(5 * MEBIBYTE))

    assert response.status == 413
    assert "too large" in json.loads(content)[key]


def test_a_body_that_stalls_is_given_up_with_a_reason(server: Server) -> None:
    request = b"POST /submit/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf of it"
    with server.connect(request) as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"nothing came for 1 seconds" in answer


def test_a_client_that_leaves_in_mid_request_reaches_no_view(server: Server) -> None:
    before = len(server.site.environs)
    server.connect(b"POST /left HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf").close()

    server.request("/echo", b"")

    assert [environ["PATH_INFO"] for environ in server.site.environs[before:]] == ["/echo"]


def test_a_file_is_sent_whole(server: Server) -> None:
    response, content = server.request("/file")

    assert response.headers["Content-Length"] == str(100 * MEBIBYTE)
    assert len(content) == 100 * MEBIBYTE


def test_a_file_that_grew_is_cut_at_the_announced_length(server: Server) -> None:
    response, content = server.request("/grown")

    assert (response.status, content) == (200, bytes(10))


def test_head_of_a_file_sends_nothing_of_it(server: Server) -> None:
    response, content = server.request("/file", method="HEAD")

    assert response.headers["Content-Length"] == str(100 * MEBIBYTE)
    assert content == b""


def test_a_view_that_raises_is_a_500_and_the_server_goes_on(server: Server) -> None:
    response, _ = server.request("/fails")

    assert response.status == 500
    assert server.request("/echo")[0].status == 200


def test_a_streamed_answer_is_closed_when_its_reader_leaves(server: Server) -> None:
    connection = server.connect(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", receive_buffer=4096)
    connection.recv(1000)
    connection.close()

    assert server.site.streams[-1].closed.wait(10)


@pytest.mark.parametrize("path", ["/file", "/stream"])
def test_stalled_downloads_hold_up_nobody(server: Server, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    stalled = [server.connect(request, receive_buffer=4096) for _ in range(STALLED)]
    assert all(connection.recv(15) == b"HTTP/1.1 200 OK" for connection in stalled)

    answers = [server.request("/echo", b"page")[1] for _ in range(20)]

    assert answers == [b"page"] * 20
    for connection in stalled:
        connection.close()


def test_stalled_uploads_hold_up_nobody(tmp_path: Path) -> None:
    request = b"POST /submit/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf of it"
    with serving(Site(tmp_path), Limits(patience=60.0)) as server:
        stalled = [server.connect(request) for _ in range(STALLED)]

        answers = [server.request("/echo", b"page")[1] for _ in range(20)]

        assert answers == [b"page"] * 20
        for connection in stalled:
            connection.close()


def test_a_stream_beside_django_gets_the_groups_of_its_path(server: Server) -> None:
    _, content = server.request("//job/12.1/log")

    assert content == b"12.1"


def handshake(server: Server, path: str, *headers: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        *headers,
    ]
    with server.connect("\r\n".join([*lines, "", ""]).encode()) as connection:
        return connection.recv(65536).splitlines()[0]


def test_a_socket_is_opened_for_a_client_that_is_no_browser(server: Server) -> None:
    assert b" 101 " in handshake(server, "/ws/")


def test_a_socket_is_opened_for_our_own_page(server: Server) -> None:
    assert b" 101 " in handshake(server, "/ws/", f"Origin: http://127.0.0.1:{server.port}")


def test_a_socket_is_refused_to_another_sites_page(server: Server) -> None:
    assert b" 403 " in handshake(server, "/ws/", "Origin: http://evil.example")


def test_an_unknown_socket_is_refused(server: Server) -> None:
    assert b" 403 " in handshake(server, "/nothing/")
