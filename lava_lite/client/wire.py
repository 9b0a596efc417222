"""One connection to a server, by the standard library: kept open, checked TLS, proxies from the environment."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from importlib.metadata import version
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from lava_lite.client.errors import Unreachable, Usage
from lava_lite.client.http import Answer, Request

TIMEOUT = 20.0
# A name that no host can have fails as text does.
FAILURES = (OSError, HTTPException, UnicodeError)
MOVED = (301, 302, 303, 307, 308)
PRINTABLE = re.compile(r"[\x21-\x7e]+")


class Wire:
    """For one thread. `send` raises Unreachable, or Usage for an address or a token that cannot be right."""

    def __init__(
        self,
        server: str,
        token: str | None = None,
        *,
        timeout: float = TIMEOUT,
        proxies: Callable[[], Mapping[str, str]] = getproxies,
    ) -> None:
        if token is not None and not PRINTABLE.fullmatch(token):
            raise Usage("The token has blanks or odd characters in it; copy it again.")
        self.server = server
        self._parts = _checked(server)
        self._token = token
        self._timeout = timeout
        self._proxies = proxies
        self._connection: HTTPConnection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, request: Request) -> Answer:
        # Whether a deed was done before the connection broke is unknown, so it gets one that is not stale.
        if request.method != "GET":
            self.close()
        reused = self._connection is not None
        try:
            return self._exchange(request)
        except FAILURES as error:
            self.close()
            if not reused or isinstance(error, TimeoutError):
                raise Unreachable(self._why(error)) from None
        try:
            return self._exchange(request)
        except FAILURES as error:
            self.close()
            raise Unreachable(self._why(error)) from None

    def lines(self, request: Request, left: Callable[[], float | None]) -> tuple[Answer, Iterator[bytes]]:
        """An answer that may have no end, on a connection of its own: without its body, and the lines of that.

        A server that says nothing for TIMEOUT is taken for gone, or earlier if only so many seconds are `left`.
        """
        connection = self._connect()
        try:
            connection.connect()
            line = connection.sock
            response = self._ask(connection, request)
            if response.status == HTTPStatus.OK:
                return Answer(status=HTTPStatus.OK, headers={}, body=b""), self._read(line, response, left)
            answer = self._answer(response)
        except FAILURES as error:
            connection.close()
            raise Unreachable(self._why(error)) from None
        connection.close()
        return answer, iter(())

    def _read(self, line: Any, response: HTTPResponse, left: Callable[[], float | None]) -> Iterator[bytes]:
        try:
            while True:
                seconds = left()
                line.settimeout(self._timeout if seconds is None else max(min(seconds, self._timeout), 0.01))
                if not (text := response.readline()):
                    return
                yield text
        except FAILURES as error:
            raise Unreachable(self._why(error)) from None
        finally:
            response.close()
            line.close()

    def _exchange(self, request: Request) -> Answer:
        if self._connection is None:
            self._connection = self._connect()
        return self._answer(self._ask(self._connection, request))

    def _ask(self, connection: HTTPConnection, request: Request) -> HTTPResponse:
        target = self._parts.path.rstrip("/") + request.path
        if self._proxy and self._parts.scheme == "http":
            target = f"http://{self._parts.netloc}{target}"
        connection.request(request.method, target, body=request.body, headers=self._headers(request))
        return connection.getresponse()

    def _answer(self, response: HTTPResponse) -> Answer:
        body = response.read()
        if response.status in MOVED:
            raise Usage(self._moved(response.headers.get("Location", "")))
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
        )

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {"User-Agent": f"lava-lite/{version('lava-lite')}", "Accept": request.accept}
        if self._token:
            headers["Authorization"] = f"Token {self._token}"
        if request.kind:
            headers["Content-Type"] = request.kind
        if self._proxy and self._parts.scheme == "http":
            headers.update(_proxy_login(self._proxy))
        return headers

    def _connect(self) -> HTTPConnection:
        secure = self._parts.scheme == "https"
        options: dict[str, Any] = {"timeout": self._timeout}
        if secure:
            options["context"] = ssl.create_default_context()
        kind = HTTPSConnection if secure else HTTPConnection
        if self._proxy is None:
            return kind(self._parts.netloc, **options)
        connection = kind(self._proxy.hostname or "", self._proxy.port or 8080, **options)
        if secure:
            connection.set_tunnel(self._parts.netloc, headers=_proxy_login(self._proxy))
        return connection

    @cached_property
    def _proxy(self) -> SplitResult | None:
        found = self._proxies()
        url = found.get(self._parts.scheme) or found.get("all")
        if not url or proxy_bypass(self._parts.hostname or ""):
            return None
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http":
            raise Usage(
                f"The proxy for {self._parts.scheme} is of the kind {parts.scheme!r}; only http:// proxies work."
            )
        return parts

    def _why(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"{self.server} shows a certificate that nobody vouches for ({error.verify_message}). "
                "If the lab has a CA of its own: SSL_CERT_FILE=/path/of/its/ca.pem"
            )
        if isinstance(error, TimeoutError):
            return f"{self.server} does not answer within {self._timeout:.0f} seconds."
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, HTTPException):
            reason = f"it does not speak HTTP as expected ({reason})"
        return f"{self.server} cannot be reached: {reason}."

    def _moved(self, location: str) -> str:
        parts = urlsplit(location)
        if parts.netloc and (parts.scheme, parts.netloc) != (self._parts.scheme, self._parts.netloc):
            return f"{self.server} says that the lab is at {parts.scheme}://{parts.netloc}; use that address."
        return (
            f"{self.server} answers with a redirect to {location or 'nowhere'}: this is not a lab's address."
        )


def _checked(server: str) -> SplitResult:
    """Usage for what is no address of a server."""
    try:
        parts = urlsplit(server)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    # Without what is before an "@", which may be a secret.
    shown = server.rpartition("@")[2]
    if not good or not PRINTABLE.fullmatch(server):
        raise Usage(f"{shown!r} is no address of a server; expected one like https://lab.example.org")
    if "@" in parts.netloc:
        raise Usage(
            f"Leave user and token out of the address ({shown}): "
            "the token goes into LAVA_LITE_TOKEN, or log in with: lava-lite token login"
        )
    return parts


def _proxy_login(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
