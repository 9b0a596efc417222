"""The server's REST API v1, and log-tail, as methods."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from lava_lite.client.errors import Fault, Problem, Unreachable
from lava_lite.client.http import Answer, Request, query
from lava_lite.client.messages import Message, messages

ROOT = "/api/v1/"
LARGEST_PAGE = 200
YAML = "application/yaml"
TRY_LATER = (408, 425, 429)

Row = dict[str, Any]
Send = Callable[[Request], Answer]
Left = Callable[[], float | None]
Lines = Callable[[Request, Left], tuple[Answer, Iterator[bytes]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What comes after an offset in a log, as log-tail gives it."""

    content: str
    new_size: int
    is_finished: bool
    attempt: int | None = None  # whose log it is

    @property
    def bytes(self) -> bytes:
        """Whatever characters the server found: none of them may end a log."""
        return self.content.encode("utf-8", "surrogatepass")


class Api:
    """`send` and `lines` are a Wire's, or a test's. Raises ClientError and nothing else."""

    def __init__(self, send: Send, lines: Lines | None = None) -> None:
        self._send = send
        self._lines = lines

    def get(self, path: str, **fields: Any) -> Row:
        return self._row(Request(method="GET", path=ROOT + path + query(fields)))

    def text(self, path: str) -> bytes:
        return self._good(Request(method="GET", path=ROOT + path, accept="*/*")).body

    def post(self, path: str, fields: Mapping[str, Any]) -> Row:
        """Fields that are None are left out."""
        given = {name: value for name, value in fields.items() if value is not None}
        return self._row(self._with_body("POST", path, given))

    def patch(self, path: str, fields: Row) -> Row:
        return self._row(self._with_body("PATCH", path, fields))

    def delete(self, path: str) -> None:
        self._good(Request(method="DELETE", path=ROOT + path))

    def items(self, path: str, *, limit: int, **fields: Any) -> Iterator[Row]:
        """As many as wanted, page by page. A page of a search may be empty and lead on."""
        fields["limit"] = min(limit, LARGEST_PAGE)
        while limit > 0:
            page = self.get(path, **fields)
            rows = page.get("items") or []
            yield from rows[:limit]
            limit -= len(rows)
            if not page.get("next"):
                return
            # Only the query: behind a proxy, a server may not know its own address.
            onward = {name: values[-1] for name, values in parse_qs(urlsplit(page["next"]).query).items()}
            if onward == fields:
                return
            fields = onward

    def submit(self, definition: bytes) -> Row:
        return self._row(Request(method="POST", path=f"{ROOT}jobs/", body=definition, kind=YAML))

    def faults(self, definition: bytes) -> list[Fault]:
        request = Request(method="POST", path=f"{ROOT}jobs/validate/", body=definition, kind=YAML)
        return [Fault.of(fault) for fault in self._row(request).get("faults") or []]

    def log_line(self, job: int, line: int, *, attempt: int | None) -> Row:
        """Where a line of a log is, counted from 1: its `start` and `end` in bytes, the end of the log if it has none."""
        fields = {"line": line, "count": 1, "attempt": attempt}
        return self._row(Request(method="GET", path=f"/job/{job}/log-lines" + query(fields)))

    def log_search(self, job: int, **fields: Any) -> Row:
        """The lines of a log with a hit; the fields are those of the server's log-search."""
        return self._row(Request(method="GET", path=f"/job/{job}/log-search" + query(fields)))

    def log_tail(
        self, job: int, *, start: int = 0, attempt: int | None = None, end: int | None = None
    ) -> Piece:
        path = f"/job/{job}/log-tail" + query({"start": start, "attempt": attempt, "end": end})
        answer = self._good(Request(method="GET", path=path))
        row = _row(answer)
        try:
            return Piece(
                content=row["content"],
                new_size=row["new_size"],
                is_finished=row["is_finished"],
                attempt=_number(answer.headers.get("log-attempt", "")),
            )
        except KeyError as missing:
            raise Unreachable(f"The answer of log-tail has no {missing}.") from None

    def events(self, left: Left, *, since: int | None, chosen: str) -> Iterator[Message]:
        """What happens after an event, or from now on, until the connection breaks."""
        assert self._lines is not None, "this Api cannot listen"
        path = f"{ROOT}events/" + query({"since": since, "filter": chosen})
        answer, lines = self._lines(Request(method="GET", path=path, accept="text/event-stream"), left)
        _check(answer, path)
        return messages(lines)

    def system(self) -> tuple[Answer, Row]:
        """What the server is, with the whole answer for its headers."""
        answer = self._good(Request(method="GET", path=f"{ROOT}system/"))
        row = _row(answer)
        if row.get("name") != "lava_lite":
            raise Unreachable("Something answers there that is no lava_lite.")
        return answer, row

    def _with_body(self, method: str, path: str, fields: Row) -> Request:
        body = json.dumps(fields).encode()
        return Request(method=method, path=ROOT + path, body=body, kind="application/json")

    def _row(self, request: Request) -> Row:
        return _row(self._good(request))

    def _good(self, request: Request) -> Answer:
        answer = self._send(request)
        _check(answer, request.path)
        return answer


def segment(name: object) -> str:
    """A name or number as one part of a path."""
    return quote(str(name), safe="", errors="surrogateescape")


def _check(answer: Answer, path: str) -> None:
    if 200 <= answer.status < 300:
        return
    said = _object(answer.body)
    if answer.status in TRY_LATER or answer.status >= 500:
        raise Unreachable(f"The server cannot answer now: {answer.status}{_detail(said)}.")
    if said is None:
        raise Unreachable(
            f"The address answers {answer.status} to {path.partition('?')[0]}: "
            "there is no lava_lite of this version."
        )
    raise Problem(answer.status, said)


def _row(answer: Answer) -> Row:
    row = _object(answer.body)
    if row is None:
        raise Unreachable("The answer is no JSON: is this the address of a lava_lite server?")
    return row


def _object(body: bytes) -> Row | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _detail(said: Row | None) -> str:
    detail = str((said or {}).get("detail") or "").rstrip(".")
    return f", {detail}" if detail else ""


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
