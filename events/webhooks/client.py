"""One POST to a machine of somebody else's: to an address that was checked, with a limit on everything that comes back."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Final

import h11

from events.webhooks import addresses
from events.webhooks.addresses import BadAddress, Ip, Resolve, Target

TIMEOUT_SECONDS = 10.0  # of all together: connecting, redirects and the answer
MOST_BYTES = 64 * 1024  # of an answer that are read
SHOWN_BYTES = 256  # of those that are kept
MOST_REDIRECTS = 3
KEEP_THE_POST: Final = frozenset({307, 308})
PIECE = 16 * 1024
USER_AGENT = "lava_lite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, if anything did."""

    status: int | None = None
    error: str = ""  # why there is no status, or why it is not what it seems
    answer: str = ""  # the first of it
    retry_after: timedelta = timedelta()
    duration: timedelta = field(default_factory=timedelta)

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def trouble(self) -> str:
        """In a sentence."""
        if self.error:
            return self.error
        return f"it answered {self.status} {_phrase(self.status)}".strip() + "."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: Mapping[str, str]  # by their names in lower case
    text: str


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """TimeoutError if there is nothing left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Client:
    """Posts, and never raises for what the other side does."""

    def __init__(
        self,
        *,
        resolve: Resolve = addresses.resolve,
        trust: ssl.SSLContext | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._resolve = resolve
        self._trust = trust
        self._timeout = timeout

    def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        begun = time.monotonic()
        try:
            reply = self._follow(addresses.parse(address), body, headers, _Deadline(self._timeout))
        except TimeoutError:
            reply = Reply(error=f"There was no answer within {self._timeout:g} s.")
        except BadAddress as refused:
            reply = Reply(error=f"Not sent: {refused}.")
        except ssl.SSLCertVerificationError as wrong:
            reply = Reply(error=f"Its certificate is not accepted: {wrong.verify_message}.")
        except h11.RemoteProtocolError as wrong:
            reply = Reply(error=f"What it answered is not HTTP: {wrong}.")
        except (h11.LocalProtocolError, ValueError) as wrong:
            reply = Reply(error=f"It cannot be sent: {wrong}.")
        except OSError as trouble:
            reply = Reply(error=f"The connection failed: {trouble.strerror or trouble}.")
        return replace(reply, duration=timedelta(seconds=time.monotonic() - begun))

    def _follow(self, target: Target, body: bytes, headers: Mapping[str, str], deadline: _Deadline) -> Reply:
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._ask(target, body, headers, deadline)
            location = answer.headers.get("location", "")
            if answer.status not in KEEP_THE_POST or not location:
                return _reply(answer, location)
            target = target.moved(location)
        return Reply(status=answer.status, error=f"It redirects more than {MOST_REDIRECTS} times.")

    def _ask(self, target: Target, body: bytes, headers: Mapping[str, str], deadline: _Deadline) -> _Answer:
        with self._connected(target, deadline) as connection:
            talk = h11.Connection(h11.CLIENT)
            connection.settimeout(deadline.left())
            connection.sendall(_request(talk, target, body, headers))
            return _read(talk, connection, deadline)

    def _connected(self, target: Target, deadline: _Deadline) -> socket.socket:
        plain = _connect(addresses.checked(target, self._resolve), target.port, deadline)
        if target.scheme == "http":
            return plain
        try:
            return (self._trust or _usual_trust()).wrap_socket(plain, server_hostname=target.host)
        except BaseException:
            plain.close()
            raise


@lru_cache(maxsize=1)
def _usual_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _connect(places: Sequence[Ip], port: int, deadline: _Deadline) -> socket.socket:
    """To the first of them that takes the connection; each has its share of the time."""
    trouble: OSError = OSError("there is no address")
    for number, ip in enumerate(places):
        share = deadline.left() / (len(places) - number)
        connection = socket.socket(socket.AF_INET if ip.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            connection.settimeout(share)
            connection.connect((str(ip), port))
            connection.settimeout(deadline.left())
        except OSError as failed:
            connection.close()
            trouble = failed
        else:
            return connection
    raise trouble


def _request(talk: h11.Connection, target: Target, body: bytes, headers: Mapping[str, str]) -> bytes:
    own = {
        "Host": target.authority,
        "User-Agent": USER_AGENT,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    request = h11.Request(method="POST", target=target.path, headers=[*own.items(), *headers.items()])
    events = (request, h11.Data(data=body), h11.EndOfMessage())
    return b"".join(talk.send(event) or b"" for event in events)


def _read(talk: h11.Connection, connection: socket.socket, deadline: _Deadline) -> _Answer:
    head = _head(talk, connection, deadline)
    fields = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
    return _Answer(status=head.status_code, headers=fields, text=_shown(_body(talk, connection, deadline)))


def _head(talk: h11.Connection, connection: socket.socket, deadline: _Deadline) -> h11.Response:
    while not isinstance(event := talk.next_event(), h11.Response):
        if event is h11.NEED_DATA:
            connection.settimeout(deadline.left())
            if not (piece := connection.recv(PIECE)):
                raise ConnectionError("it was closed before there was an answer")
            talk.receive_data(piece)
    return event


def _body(talk: h11.Connection, connection: socket.socket, deadline: _Deadline) -> bytes:
    """The first of it. What goes wrong from here on does not undo the status."""
    text, read = bytearray(), 0
    with suppress(OSError, h11.RemoteProtocolError):
        while read < MOST_BYTES:
            event = talk.next_event()
            if event is h11.NEED_DATA:
                connection.settimeout(deadline.left())
                talk.receive_data(connection.recv(PIECE))
            elif not isinstance(event, h11.Data):
                break
            else:
                read += len(event.data)
                text += event.data[: SHOWN_BYTES - len(text)]
    return bytes(text)


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _reply(answer: _Answer, location: str) -> Reply:
    error = ""
    if 300 <= answer.status < 400:
        where = f" to {location[:200]}" if location else ""
        error = f"It redirects{where} with {answer.status}; only 307 and 308 keep a POST a POST. Use the new address."
    return Reply(
        status=answer.status,
        error=error,
        answer=answer.text,
        retry_after=_pause(answer.headers.get("retry-after", "")),
    )


def _pause(text: str) -> timedelta:
    """What Retry-After asks for: seconds, or a time; nothing for what is neither."""
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text), 10**6))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return timedelta()
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(timedelta(), until - datetime.now(UTC))


def _phrase(status: int | None) -> str:
    try:
        return HTTPStatus(status or 0).phrase
    except ValueError:
        return ""
