"""One POST, and all that can be wrong with the other side. The servers are real."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from pytest_django import Settings

from events.webhooks.addresses import Ip
from events.webhooks.client import MOST_BYTES, Client, Reply
from tests.events.listening import free_address
from tests.events.webhooks.endpoint import Answer, Endpoint, listening

LOOPBACK = ip_address("127.0.0.1")
NAME = "ci.example.org"


class NameService:
    """Gives one answer after the other, the last one for ever."""

    def __init__(self, *answers: str) -> None:
        self.answers = [ip_address(answer) for answer in answers]
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[Ip]:
        self.asked.append(host)
        return [self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]]


def post(address: str, client: Client | None = None) -> Reply:
    return (client or Client()).post(address, b"{}", {"webhook-id": "1"})


def redirect(to: str, status: int = 307) -> Answer:
    return Answer(status=status, headers={"Location": to})


def test_what_is_answered_is_told_with_the_first_of_it(endpoint: Endpoint) -> None:
    endpoint.answer = Answer(status=200, body=b"thank you")

    reply = post(endpoint.address)

    (request,) = endpoint.requests
    assert (reply.status, reply.answer, reply.error, reply.is_success) == (200, "thank you", "", True)
    assert reply.duration > timedelta()
    assert (request.body, request.headers["content-length"]) == (b"{}", "2")
    assert request.headers["host"] == f"127.0.0.1:{endpoint.port}"


@pytest.mark.parametrize("path", ["", "/", "/a/b?c=d&e=f"])
def test_the_whole_path_is_asked_for(endpoint: Endpoint, path: str) -> None:
    post(f"http://127.0.0.1:{endpoint.port}{path}")

    assert [request.path for request in endpoint.requests] == [path or "/"]


def test_a_huge_answer_is_not_read(endpoint: Endpoint) -> None:
    endpoint.answer = Answer(status=200, body=b"x" * (200 * MOST_BYTES))

    reply = post(endpoint.address)

    assert (reply.status, reply.answer) == (200, "x" * 256)


def test_an_answer_of_broken_text_can_be_stored(endpoint: Endpoint) -> None:
    endpoint.answer = Answer(status=200, body=b"a\0\xff")

    assert post(endpoint.address).answer == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"


def test_silence_is_an_answer_after_a_while(endpoint: Endpoint) -> None:
    release = threading.Event()
    endpoint.answer = Answer(wait=release)

    reply = post(endpoint.address, Client(timeout=0.2))
    release.set()

    assert (reply.status, reply.error) == (None, "There was no answer within 0.2 s.")


def test_a_body_that_never_ends_does_not_hide_the_status(endpoint: Endpoint) -> None:
    endpoint.answer = Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun")

    reply = post(endpoint.address, Client(timeout=0.5))

    assert (reply.status, reply.answer) == (200, "begun")


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"", "The connection failed: it was closed before there was an answer."),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "What it answered is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "What it answered is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n", "The connection failed: it was closed before there was an answer."),
    ],
    ids=["nothing", "ssh", "endless header", "half a header"],
)
def test_what_is_no_http_is_no_answer(endpoint: Endpoint, raw: bytes, complaint: str) -> None:
    endpoint.answer = Answer(raw=raw)

    reply = post(endpoint.address)

    assert reply.status is None
    assert reply.error.startswith(complaint)


def test_nobody_listening_is_told(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]

    reply = post(free_address().replace("tcp", "http"))

    assert (reply.status, reply.error) == (None, "The connection failed: Connection refused.")


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_post_is_followed(endpoint: Endpoint, status: int) -> None:
    endpoint.script = [redirect("/moved", status), redirect(f"{endpoint.address}2", status)]

    reply = post(endpoint.address)

    assert reply.status == 204
    assert [(request.method, request.path) for request in endpoint.requests] == [
        ("POST", "/hook"),
        ("POST", "/moved"),
        ("POST", "/hook2"),
    ]
    assert {request.body for request in endpoint.requests} == {b"{}"}


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_lose_the_post_is_not_followed(endpoint: Endpoint, status: int) -> None:
    endpoint.script = [redirect("/moved", status)]

    reply = post(endpoint.address)

    assert len(endpoint.requests) == 1
    assert reply.status == status
    assert not reply.is_success
    assert reply.trouble == (
        f"It redirects to /moved with {status}; only 307 and 308 keep a POST a POST. Use the new address."
    )


def test_a_chain_of_redirects_comes_to_an_end(endpoint: Endpoint) -> None:
    endpoint.answer = redirect("/again")

    reply = post(endpoint.address)

    assert reply.error == "It redirects more than 3 times."
    assert len(endpoint.requests) == 4


@pytest.mark.parametrize(
    "inner", ["http://10.0.0.1/", "http://169.254.169.254/latest/", "http://[::1]:8000/"]
)
def test_a_redirect_into_an_inner_network_is_not_followed(endpoint: Endpoint, inner: str) -> None:
    endpoint.script = [redirect(inner)]

    reply = post(endpoint.address)

    assert reply.status is None
    assert "is not on the public internet" in reply.error


def test_a_redirect_to_loopback_is_not_followed_from_outside(settings: Settings) -> None:
    """The endpoint seems to be on the internet: its network, a part of loopback, is opened for this test alone."""
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    with listening() as endpoint:
        endpoint.script = [redirect(f"http://127.0.0.2:{endpoint.port}/admin/")]

        reply = post(endpoint.address)

    assert len(endpoint.requests) == 1
    assert "127.0.0.2 is not on the public internet" in reply.error


@pytest.mark.parametrize("nonsense", ["gopher://ci.example.org/", "http://[::1", "http://a b/", "\xff"])
def test_a_redirect_to_nowhere_is_no_answer(endpoint: Endpoint, nonsense: str) -> None:
    endpoint.script = [redirect(nonsense)]

    reply = post(endpoint.address)

    assert reply.status is None
    assert reply.error.startswith("Not sent: where it redirects to, ")
    assert len(endpoint.requests) == 1


def test_the_connection_goes_to_the_address_that_was_checked(endpoint: Endpoint) -> None:
    names = NameService("127.0.0.1", "10.0.0.1")

    reply = post(f"http://{NAME}:{endpoint.port}/hook", Client(resolve=names))

    assert reply.status == 204
    assert names.asked == [NAME]
    assert endpoint.requests[0].headers["host"] == f"{NAME}:{endpoint.port}"


def test_a_name_that_moves_into_an_inner_network_is_not_followed_there(endpoint: Endpoint) -> None:
    names = NameService("127.0.0.1", "192.168.0.1")
    client = Client(resolve=names)
    address = f"http://{NAME}:{endpoint.port}/hook"

    assert post(address, client).status == 204
    refused = post(address, client).error
    assert f"{NAME} is not on the public internet" in refused
    assert "192.168" not in refused


def test_the_second_address_is_used_where_the_first_is_dead(endpoint: Endpoint) -> None:
    def both(host: str, port: int) -> Sequence[Ip]:
        return [ip_address("127.0.0.9"), LOOPBACK]

    assert post(f"http://{NAME}:{endpoint.port}/", Client(resolve=both)).status == 204


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("soon", 0),
        ("", 0),
        ("-5", 0),
    ],
    ids=["seconds", "word", "empty", "negative"],
)
def test_the_pause_that_is_asked_for_is_understood(endpoint: Endpoint, text: str, seconds: int) -> None:
    endpoint.answer = Answer(status=503, headers={"Retry-After": text})

    pause = post(endpoint.address).retry_after.total_seconds()

    assert pause == seconds


@pytest.mark.parametrize(("hours", "least", "most"), [(1, 3300, 3600), (-1, 0, 0)], ids=["to come", "past"])
def test_a_pause_until_a_time_is_understood(endpoint: Endpoint, hours: int, least: int, most: int) -> None:
    until = datetime.now(UTC) + timedelta(hours=hours)
    endpoint.answer = Answer(status=503, headers={"Retry-After": format_datetime(until, usegmt=True)})

    assert least <= post(endpoint.address).retry_after.total_seconds() <= most


# With TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate for NAME, signed by itself."""
    directory = tmp_path_factory.mktemp("tls")
    key, found, both = (directory / name for name in ("key", "certificate", "both"))
    make = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        f" -subj /CN={NAME} -addext subjectAltName=DNS:{NAME} -keyout {key} -out {found}"
    )
    subprocess.run(make.split(), check=True, capture_output=True)
    both.write_text(key.read_text() + found.read_text())
    return both


@contextmanager
def behind_tls(certificate: Path, asked: list[str | None]) -> Iterator[Endpoint]:
    """An endpoint that notes for which name it was called."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda connection, name, context: asked.append(name)
    with listening(context) as endpoint:
        yield endpoint


def trusting(certificate: Path) -> Client:
    return Client(resolve=NameService("127.0.0.1"), trust=ssl.create_default_context(cafile=str(certificate)))


def test_a_certificate_is_checked_against_the_name(certificate: Path, settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    asked: list[str | None] = []
    client = trusting(certificate)
    with behind_tls(certificate, asked) as endpoint:
        right = post(f"https://{NAME}:{endpoint.port}/", client)
        wrong = post(f"https://evil.example.org:{endpoint.port}/", client)

    assert (right.status, asked[0]) == (204, NAME)
    assert wrong.status is None
    assert wrong.error.startswith("Its certificate is not accepted: Hostname mismatch")
    assert len(endpoint.requests) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(certificate: Path, settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with behind_tls(certificate, []) as endpoint:
        reply = post(f"https://{NAME}:{endpoint.port}/", Client(resolve=NameService("127.0.0.1")))

    assert "Its certificate is not accepted: self-signed certificate" in reply.error
    assert endpoint.requests == []


def test_a_redirect_from_https_to_http_is_not_followed(certificate: Path, settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with behind_tls(certificate, []) as endpoint:
        endpoint.script = [redirect(f"http://{NAME}:{endpoint.port}/")]
        reply = post(f"https://{NAME}:{endpoint.port}/", trusting(certificate))

    assert "is not followed" in reply.error
    assert len(endpoint.requests) == 1
