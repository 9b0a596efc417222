"""Bytes that are downloaded, in parts or whole: HTTP's Range, ETag and gzip (RFC 9110), for Django's views."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers

FASTEST = 1  # level of compression: a text gets a third as large, at the speed of a network
GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say that it is to write gzip's header

Read = Callable[[int, int], Iterator[bytes]]  # the bytes from one offset up to another, in pieces

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)
_NONE_OF_IT = re.compile(r"q=0(\.0*)?", re.ASCII)


class NotThere(ValueError):
    """A range of bytes of which there is none."""


def download(
    request: HttpRequest, read: Read, *, size: int, version: str, content_type: str
) -> HttpResponseBase:
    """The first `size` bytes of what is read, or those of them that the request asks for.

    `version`: a name of just these bytes, which no others ever have.
    """
    try:
        part = _part(request, size, etag=f'"{version}"')
    except NotThere as wrong:
        return _refusal(wrong, size)
    packs = part is None and takes_gzip(request)
    etag = f'"{version}-gzip"' if packs else f'"{version}"'
    answer: HttpResponseBase | None = get_conditional_response(request, etag)
    if answer is None:
        answer = _packed_whole(read, size) if packs else _plain(read, part, size)
        answer["Content-Type"] = content_type
        answer["Accept-Ranges"] = "bytes"
    answer["ETag"] = etag
    patch_vary_headers(answer, ["Accept-Encoding"])
    return answer


def _plain(read: Read, part: tuple[int, int] | None, size: int) -> HttpResponseBase:
    first, last = part or (0, size - 1)
    answer = StreamingHttpResponse(read(first, last + 1))
    answer["Content-Length"] = str(last + 1 - first)
    if part is not None:
        answer.status_code = 206
        answer["Content-Range"] = f"bytes {first}-{last}/{size}"
    return answer


def _packed_whole(read: Read, size: int) -> HttpResponseBase:
    answer = StreamingHttpResponse(_packed(read(0, size)))
    answer["Content-Encoding"] = "gzip"
    return answer


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte that a Range asks for; None for one that is to be passed over, as for several parts.

    NotThere if the file has none of these bytes.
    """
    match = _RANGE.fullmatch(text.replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        begin, end = max(0, size - int(last)), size - 1
    else:
        begin, end = int(first), min(int(last or size), size - 1)
        if last and int(last) < begin:
            return None
    if begin > end:
        raise NotThere(f"bytes: expected some of 0 to {size - 1}, got {text[:40]!r}")
    return begin, end


def _part(request: HttpRequest, size: int, *, etag: str) -> tuple[int, int] | None:
    if "Range" not in request.headers or request.headers.get("If-Range", etag) != etag:
        return None
    return parse_range(request.headers["Range"], size)


def _refusal(wrong: NotThere, size: int) -> HttpResponse:
    refused = HttpResponse(f"{wrong}\n", status=416, content_type="text/plain; charset=utf-8")
    refused["Content-Range"] = f"bytes */{size}"
    return refused


def takes_gzip(request: HttpRequest) -> bool:
    """Whether who asks can unpack it (RFC 9110, 12.5.3)."""
    codings = request.headers.get("Accept-Encoding", "").replace(" ", "").lower().split(",")
    return any(
        name == "gzip" and not _NONE_OF_IT.fullmatch(weight)
        for name, _, weight in (coding.partition(";") for coding in codings)
    )


def _packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(FASTEST, wbits=GZIP)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
