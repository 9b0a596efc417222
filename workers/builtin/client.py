"""The worker's side of the HTTP protocol. Every call may be repeated: the server takes each fact only once."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from workers.builtin.config import own_version
from workers.messages import USER_AGENT, BadMessage, JobFiles, JobRef, LogPost, Orders, StateChange

_API = "/scheduler/internal/v1"
_FORM = "application/x-www-form-urlencoded"
_LONGEST_ERROR = 500  # characters of an answer that are worth showing
_UNKNOWN = (401, 403, 404, 410)
_TRY_LATER = (408, 425, 429)


class ServerError(Exception):
    """The server did not do what it was asked."""


class Unavailable(ServerError):
    """The server cannot be reached or cannot answer now; the same call may work later."""


class Refused(ServerError):
    """The server understood and said no; the same call will hardly work later."""


class Unknown(Refused):
    """The server does not know this job or worker (any more), or its token is not good (any more)."""


class Hole(ServerError):
    """The server misses log records before those it was sent."""

    def __init__(self, expected: int) -> None:
        super().__init__(f"the server expects record {expected} next")
        self.expected = expected


class Client:
    """One connection that is kept open between calls: for one thread. Calls raise ServerError and nothing else."""

    def __init__(self, url: str, *, timeout: float) -> None:
        parts = urlsplit(url)
        self._https = parts.scheme == "https"
        self._host = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/") + _API
        self._timeout = timeout
        self._version = own_version()
        self._connection: HTTPConnection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def register(self, name: str) -> str:
        """Ask for a token under a name that the server does not know yet."""
        answer = self._json("POST", "/workers/", body=urlencode({"name": name}).encode())
        token = answer.get("token")
        if not isinstance(token, str) or not token:
            raise Unavailable("the answer to the registration has no token")
        return token

    def ping(self, name: str, token: str) -> Orders:
        path = f"/workers/{quote(name, safe='@')}/?{urlencode({'version': self._version})}"
        try:
            return Orders.from_json(self._json("GET", path, token=token))
        except BadMessage as error:
            raise Unavailable(f"the answer to the ping is odd: {error}") from None

    def fetch(self, job: JobRef) -> JobFiles:
        try:
            return JobFiles.from_json(self._json("GET", f"/jobs/{job.id}/", token=job.token))
        except BadMessage as error:
            raise Unavailable(f"the files of job {job.id} are odd: {error}") from None

    def report(self, job: JobRef, change: StateChange) -> None:
        self._json("POST", f"/jobs/{job.id}/", token=job.token, body=change.to_form())

    def post_log(self, job: JobRef, post: LogPost) -> int:
        """How many records the server has dealt with, which may be fewer than it was sent. Raises Hole."""
        answer = self._json("POST", f"/jobs/{job.id}/logs/", token=job.token, body=post.to_form())
        count = answer.get("line_count")
        if not isinstance(count, int) or count < 0:
            raise Unavailable(f"the answer to a log post has no line_count: {answer}")
        return count

    def answers(self, job: JobRef) -> dict[str, dict[str, str]]:
        """What people have answered to the job's questions, by their keys."""
        answers = self._json("GET", f"/jobs/{job.id}/answers/", token=job.token).get("answers")
        if not isinstance(answers, dict):
            raise Unavailable("the answers of people are odd")
        return {
            key: {"answer": str(value["answer"]), "comment": str(value["comment"])}
            for key, value in answers.items()
        }

    def _json(
        self, method: str, path: str, *, token: str | None = None, body: bytes | None = None
    ) -> dict[str, Any]:
        status, content = self._exchange(method, path, token, body)
        answer = _object(content)
        if status == 200 and answer is not None:
            return answer
        if status == 409 and answer and isinstance(answer.get("expected"), int):
            raise Hole(answer["expected"])
        raise _refusal(status, content, answer)

    def _exchange(self, method: str, path: str, token: str | None, body: bytes | None) -> tuple[int, bytes]:
        """The server may have closed an idle connection, so a failure on an old one is worth a second try."""
        reused = self._connection is not None
        try:
            return self._send(method, path, token, body)
        except (OSError, HTTPException) as error:
            self.close()
            if not reused or isinstance(error, TimeoutError):
                raise Unavailable(_reason(error)) from None
        try:
            return self._send(method, path, token, body)
        except (OSError, HTTPException) as error:
            self.close()
            raise Unavailable(_reason(error)) from None

    def _send(self, method: str, path: str, token: str | None, body: bytes | None) -> tuple[int, bytes]:
        headers = {"User-Agent": f"{USER_AGENT} {self._version}", "Accept": "application/json"}
        if token is not None:
            headers["LAVA-Token"] = token
        if body is not None:
            headers["Content-Type"] = _FORM
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request(method, self._prefix + path, body=body, headers=headers)
        response: HTTPResponse = self._connection.getresponse()
        return response.status, response.read()

    def _connect(self) -> HTTPConnection:
        kind = HTTPSConnection if self._https else HTTPConnection
        return kind(self._host, timeout=self._timeout)


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _refusal(status: int, content: bytes, answer: dict[str, Any] | None) -> ServerError:
    text = str((answer or {}).get("error", "")) or content.decode("utf-8", "replace")
    message = f"{status} {text[:_LONGEST_ERROR]}".strip()
    # LAVA answers 400 to a token that is not (any more) the right one.
    if status in _UNKNOWN or (status == 400 and text == "Invalid 'token'"):
        return Unknown(message)
    if 400 <= status < 500 and status not in _TRY_LATER:
        return Refused(message)
    return Unavailable(message)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
