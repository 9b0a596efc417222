"""What a real lava-worker said to a real LAVA 2023.01 and what it was answered, read from a recording of the bytes."""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and LAVA's answer to it."""

    method: str
    path: str
    headers: dict[str, str]  # of the request, names in lower case
    body: bytes
    status: int
    answer: bytes

    def json(self) -> Any:
        return json.loads(self.answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    time: float
    first: str
    headers: dict[str, str]
    body: bytes


def exchanges(recording: Path) -> list[Exchange]:
    """The requests in the order in which they were sent; the WebSocket is left out."""
    streams: defaultdict[tuple[int, str], list[tuple[float, bytes]]] = defaultdict(list)
    with gzip.open(recording, "rt") as lines:
        for line in lines:
            piece = json.loads(line)
            streams[piece["conn"], piece["dir"]].append((float(piece["t"]), base64.b64decode(piece["b64"])))
    connections = sorted({connection for connection, _ in streams})
    found = [
        pair
        for connection in connections
        if not streams[connection, ">"][0][1].startswith(b"GET /ws/")
        for pair in zip(_messages(streams[connection, ">"]), _messages(streams[connection, "<"]), strict=True)
    ]
    return [_exchange(*pair) for pair in sorted(found, key=lambda pair: pair[0].time)]


def _exchange(request: _Message, answer: _Message) -> Exchange:
    method, path, _ = request.first.split(" ")
    return Exchange(
        method=method,
        path=path,
        headers=request.headers,
        body=request.body,
        status=int(answer.first.split(" ")[1]),
        answer=answer.body,
    )


def _messages(pieces: list[tuple[float, bytes]]) -> Iterator[_Message]:
    """The HTTP messages of one direction of a connection; all have a length or no body."""
    data = b"".join(piece for _, piece in pieces)
    position = 0
    while position < len(data):
        head, _, _ = data[position:].partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        begin = position + len(head) + 4
        end = begin + int(headers.get("content-length", 0))
        yield _Message(time=_time_of(position, pieces), first=first, headers=headers, body=data[begin:end])
        position = end


def _time_of(position: int, pieces: list[tuple[float, bytes]]) -> float:
    for time, piece in pieces:
        position -= len(piece)
        if position < 0:
            return time
    raise ValueError("the recording ends before this position")
